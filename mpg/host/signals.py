"""Ctrl-C during a run.

Only on the main thread, and only where Python's own handler was in place. The handler takes no lock: it runs
between two bytecodes of M0, which may hold any of them. It sets a flag, rings the bell and wakes M0, which
raises KeyboardInterrupt in main, out of its park or at its next operation. The second Ctrl-C raises at once.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..sched.structs import Sched

__all__ = ["Interrupts"]


class Interrupts:
    """Context manager around a run."""

    def __init__(self, sched: Sched) -> None:
        self.sched = sched
        self.installed = False
        self.count = 0

    def __enter__(self) -> Interrupts:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self.handler)
            self.installed = True
        return self

    def __exit__(self, *exc: object) -> None:
        if self.installed and signal.getsignal(signal.SIGINT) == self.handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def handler(self, signum: int, frame: Any) -> None:
        self.count += 1
        if self.count > 1:
            self.sched.hard = True
            raise KeyboardInterrupt
        m0 = self.sched.m0
        if m0 is not None:
            m0.sigint = True
            m0.attn = True
            self.sched.port.wakeup(m0)
