"""Poll descriptors: the platform-neutral half of the network poller (Go: netpoll.go).

One descriptor per fd and M, touched only by that M: so it needs no lock, and another M that closes the
connection or lets its deadline pass sends a letter (`mlife.post`). It is added to the M's poller at the first
park, edge-triggered, and stays there until the fd is closed.

`rready` and `wready` are hints, true at first. Only the result of a system call is a fact:

* an event sets the hint, whether or not somebody waits, so that readiness is remembered;
* EAGAIN clears it; so does a short read, because then the socket is drained (epoll(7));
* after RDHUP, HUP or ERR (`hup`) a short read clears nothing, or the FIN that came with the data would be
  waited for for ever.

A reused fd is harmless: the poller maps fds to descriptors, a closed descriptor is replaced at the next `arm`,
and an event that comes too late sets a hint that EAGAIN corrects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..status import GRUNNABLE, IO_WAIT
from .runq import put, put_global_started

if TYPE_CHECKING:
    from .structs import G, M

__all__ = ["IOWait", "PollDesc", "deliver", "wait_io"]

READ = 1
WRITE = 2
HUP = 4


class PollDesc:
    """What one M knows about one fd."""

    __slots__ = ("armed", "closed", "fd", "hup", "mp", "r", "rready", "w", "wready")

    def __init__(self, mp: M, fd: int) -> None:
        self.mp = mp
        self.fd = fd
        self.rready = True
        self.wready = True
        self.hup = False
        self.armed = False
        self.closed = False
        self.r = IOWait(self)
        self.w = IOWait(self)


class IOWait:
    """One direction of a descriptor: at most one G waits in it."""

    __slots__ = ("c", "g", "pd")

    def __init__(self, pd: PollDesc) -> None:
        self.pd = pd
        self.g: G | None = None
        self.c: Any = None

    def release(self) -> None:
        """Nothing to unlock: events arrive on this M, after the switch."""

    def cancel(self, gp: Any) -> bool:
        """Withdraw the wait. Only the M of the descriptor may."""
        if self.g is not gp:
            return False
        self.g = None
        self.pd.mp.iowait -= 1
        return True


def wait_io(mp: M, gp: G, wait: IOWait, write: bool) -> None:
    """Park until the hint of this direction is set (Go: netpollblock)."""
    pd = wait.pd
    mp.sched.port.arm(mp, pd, write)  # type: ignore[attr-defined]
    wait.g = gp
    gp.waiting = wait
    mp.iowait += 1
    mp.gopark(gp, wait, IO_WAIT)  # type: ignore[attr-defined]


def deliver(mp: M, events: Iterable[tuple[int, int]], pds: dict[int, PollDesc]) -> bool:
    """Turn events into hints and runnable G's; the last event first, as Go's list does (Go: netpollready)."""
    woken = False
    for fd, mask in events:
        pd = pds.get(fd)
        if pd is None:
            continue
        if mask & HUP:
            pd.hup = True
        if mask & (WRITE | HUP):
            pd.wready = True
            if pd.w.g is not None:
                woken = True
                wake_io(mp, pd.w)
        if mask & (READ | HUP):
            pd.rready = True
            if pd.r.g is not None:
                woken = True
                wake_io(mp, pd.r)
    return woken


def wake_io(mp: M, wait: IOWait) -> None:
    """Waiting to runnable: to the local tail, or without a P to the global side (Go: injectglist)."""
    gp = wait.g
    assert gp is not None
    wait.g = None
    mp.iowait -= 1
    gp.atomicstatus = GRUNNABLE
    pp = mp.p
    if pp is None:
        put_global_started(mp, gp)
    else:
        put(mp, pp, gp)
