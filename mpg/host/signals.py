"""Ctrl-C and SIGTERM during a run.

Only on the main thread, and only where Python's own handler was in place. The handlers take no lock: they run
between two bytecodes of M0, which may hold any of them. They set a flag, ring the bell and wake M0 (`attend`).

| signal  | the first one                                                       | a second one             |
|---------|---------------------------------------------------------------------|--------------------------|
| SIGINT  | KeyboardInterrupt in main, out of its park or at its next operation | KeyboardInterrupt at once |
| SIGTERM | while a server runs, it drains; else, while a recorder is on,       | SystemExit(143) at once  |
|         | SystemExit(143) at once; otherwise it is not handled                |                          |

"At once" means: raised right here if user code was running. In the middle of an operation of mpg that would leave
a lock taken or a queue half changed, so there the run is ended by M0's next look at its bell, which is near.

A signal may reach the process on another thread. Python runs the handler on the main thread all the same, but
only a wake-up gets that out of its sleep: so during a run Python writes to a socket that M0's poller watches.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..current import is_ours, user_calls

if TYPE_CHECKING:
    from ..sched.schedt import Sched

__all__ = ["Signals", "terminable"]

TERM_STATUS = 128 + signal.SIGTERM


@contextmanager
def terminable(wanted: bool) -> Iterator[None]:
    """Let SIGTERM raise SystemExit, if that is `wanted`, this is the main thread and nobody else handles it.

    It may strike in the middle of anything, so whatever comes out of that is SystemExit.
    """
    struck = []

    def exit_on_term(signum: int, frame: Any) -> None:
        struck.append(signum)
        raise SystemExit(TERM_STATUS)

    wanted = (
        wanted
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if wanted:
        signal.signal(signal.SIGTERM, exit_on_term)
    try:
        yield
    except BaseException:
        if struck:
            raise SystemExit(TERM_STATUS) from None
        raise
    finally:
        if wanted and signal.getsignal(signal.SIGTERM) is exit_on_term:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Signals:
    """Context manager around a run."""

    def __init__(self, sched: Sched) -> None:
        self.sched = sched
        self.is_main = threading.current_thread() is threading.main_thread()
        self.interrupts = 0
        self.terms = 0
        self.watching = False
        self.attached = False
        self.serving = False
        self.ended = False

    def __enter__(self) -> Signals:
        if not self.is_main:
            return self
        fd = self.sched.port.poller_of(self.sched.m0).signal_fd(self.sched.m0)  # type: ignore[attr-defined]
        before = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        if before == -1:
            self.attached = True
        else:  # somebody else's, such as an event loop's
            signal.set_wakeup_fd(before)
        self.watching = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self.watching:
            signal.signal(signal.SIGINT, self.on_interrupt)
        self.route_term()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.watching and signal.getsignal(signal.SIGINT) == self.on_interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.ended = True
        self.route_term()
        self.detach()

    def detach(self) -> None:
        """M0's poller is about to be closed."""
        if self.attached:
            self.attached = False
            signal.set_wakeup_fd(-1)

    def watch_term(self, on: bool) -> None:
        """A server runs from now on, or none does any more. On the thread of M0."""
        self.serving = on
        self.route_term()

    def route_term(self) -> None:
        """Handle SIGTERM, or leave it to the system again."""
        if not self.is_main:
            return
        on = not self.ended and (self.serving or self.sched.new_rec is not None)
        now = signal.getsignal(signal.SIGTERM)
        if on and now is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self.on_term)
        elif not on and now == self.on_term:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_interrupt(self, signum: int, frame: Any) -> None:
        self.interrupts += 1
        if self.interrupts > 1:
            self.strike(KeyboardInterrupt(), frame)
        else:
            self.ring("sigint")

    def on_term(self, signum: int, frame: Any) -> None:
        self.terms += 1
        if self.terms > 1 or not self.sched.on_term:
            self.strike(SystemExit(TERM_STATUS), frame)
        else:
            self.ring("sigterm")

    def ring(self, flag: str) -> None:
        m0 = self.sched.m0
        assert m0 is not None
        setattr(m0, flag, True)
        m0.attn = True
        self.sched.port.wakeup(m0)

    def strike(self, exc: BaseException, frame: Any) -> None:
        """End the run now."""
        self.sched.hard = True
        self.sched.struck = exc
        while frame is not None and not is_ours(frame):
            frame = frame.f_back
        if frame is None or frame.f_code in user_calls:
            raise exc
        assert self.sched.m0 is not None
        self.sched.m0.strike = exc
        self.ring("sigint")
