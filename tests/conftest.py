"""What holds for every test."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell has Ctrl-C ignored in what it runs in the background, and the programs that tests start inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
