"""A timed park, the timer's side of it; the G's is `BaseM.gopark_timed`.

The timer may fire on another M, and before the G has parked. Where stacks stay that is a letter to the G's M, so it is
armed at once. Where they move, whoever fires it may resume the G, whose stack must have been left by then: there it is
armed on g0 (`ArmCommit`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..current import tls
from .ready import ready
from .timers import add_timer

if TYPE_CHECKING:
    from .g import G
    from .timers import RTimer

__all__ = ["RELEASED", "ArmCommit", "TimeOut", "time_out"]


class TimeOut:
    """What the timer of a timed park knows.

    A G that was woken by something else must not wait again while the callback is still under way, because that might
    take the new wait for the old one: so it lets it finish (`settle`).
    """

    __slots__ = ("claimed", "done", "gp", "waiting")

    def __init__(self, gp: G) -> None:
        self.gp = gp
        self.waiting = gp.waiting
        self.claimed = False
        self.done = False

    def settle(self) -> None:
        """Wait for the few microseconds that the callback takes."""
        while not self.done:
            mp = tls.m
            mp.sched.port.usleep(mp, 1_000)


def time_out(mp: Any, out: TimeOut, when: int) -> None:
    """A timed park's timer has fired."""
    try:
        if out.waiting.cancel(out.gp):
            out.claimed = True
            ready(mp, out.gp)
    finally:
        out.done = True


class ArmCommit:
    """Arms the timer of a timed park, then makes the wait visible; once its stack has been left."""

    __slots__ = ("lock", "t", "until")

    def __init__(self, t: RTimer, until: int, lock: Any) -> None:
        self.t = t
        self.until = until
        self.lock = lock

    def append(self, token: None) -> None:
        mp = tls.m
        if mp.p is not None:
            add_timer(mp, self.t, self.until)
        else:  # the run is ending, and `unwind` resumes its G
            self.t.arg.done = True
        self.lock.append(None)


class Released:
    """The lock of a park whose wait is visible already."""

    __slots__ = ()

    def append(self, token: None) -> None:
        """It has been."""


RELEASED = Released()
