"""A timed park, the timer's side of it; the G's is `BaseM.gopark_timed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..current import tls
from .ready import ready

if TYPE_CHECKING:
    from .g import G

__all__ = ["TimeOut", "time_out"]


class TimeOut:
    """The timer's side of a timed park.

    It may fire on another M. A G that was woken by something else must not wait again while the callback is
    still under way, because that might take the new wait for the old one: so it lets it finish (`settle`).
    """

    __slots__ = ("claimed", "done", "gp", "waiting")

    def __init__(self, gp: G, waiting: Any) -> None:
        self.gp = gp
        self.waiting = waiting
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
