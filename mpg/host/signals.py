"""Ctrl-C and SIGTERM during a run.

Only on the main thread, and only where Python's own handler was in place. The handlers take no lock: they run
between two bytecodes of M0, which may hold any of them. They set a flag, ring the bell and wake M0 (`attend`).

| signal  | the first one                                                       | a second one             |
|---------|---------------------------------------------------------------------|--------------------------|
| SIGINT  | KeyboardInterrupt in main, out of its park or at its next operation | KeyboardInterrupt at once |
| SIGTERM | while a server runs, it drains; otherwise it is not handled         | SystemExit(143) at once  |
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..sched.structs import Sched

__all__ = ["Signals"]

TERM_STATUS = 128 + signal.SIGTERM


class Signals:
    """Context manager around a run."""

    def __init__(self, sched: Sched) -> None:
        self.sched = sched
        self.is_main = threading.current_thread() is threading.main_thread()
        self.interrupts = 0
        self.terms = 0
        self.watching = False

    def __enter__(self) -> Signals:
        self.watching = self.is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.watching:
            signal.signal(signal.SIGINT, self.on_interrupt)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.watching and signal.getsignal(signal.SIGINT) == self.on_interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.watch_term(False)

    def watch_term(self, on: bool) -> None:
        """Handle SIGTERM from now on, or leave it to the system again. On the thread of M0."""
        if not self.is_main:
            return
        now = signal.getsignal(signal.SIGTERM)
        if on and now is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self.on_term)
        elif not on and now == self.on_term:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_interrupt(self, signum: int, frame: Any) -> None:
        self.interrupts += 1
        m0 = self.sched.m0
        if self.interrupts > 1 or m0 is None:
            self.sched.hard = True
            raise KeyboardInterrupt
        m0.sigint = True
        m0.attn = True
        self.sched.port.wakeup(m0)

    def on_term(self, signum: int, frame: Any) -> None:
        self.terms += 1
        m0 = self.sched.m0
        if self.terms > 1 or m0 is None:
            self.sched.hard = True
            raise SystemExit(TERM_STATUS)
        m0.sigterm = True
        m0.attn = True
        self.sched.port.wakeup(m0)
