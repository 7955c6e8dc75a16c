"""Poll descriptors: the platform-neutral half of the network poller (Go: netpoll.go).

One descriptor per fd and M. Only that M touches it, the cells of its waits excepted, which anybody may pop. It
is added to the M's poller at the first park, edge-triggered, and stays there until the fd is closed.

`rready` and `wready` are hints, true at first. Only the result of a system call is a fact:

* an event sets the hint, whether or not somebody waits, so that readiness is remembered;
* EAGAIN clears it; so does a short read, because then the socket is drained (epoll(7));
* after RDHUP, HUP or ERR (`hup`) a short read clears nothing, or the FIN that came with the data would be
  waited for for ever.

An event cannot meet a reused fd: a batch of events is delivered before any G of this M runs again, a descriptor
leaves the poller before its fd is closed, and an fd is closed only when every M has let go of it (`net/fd.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..status import GRUNNABLE, IO_WAIT
from .runq import put, put_global_started

if TYPE_CHECKING:
    from .structs import G, M

__all__ = ["IOWait", "PollDesc", "claim_io", "deliver", "wait_io"]

READ = 1
WRITE = 2
HUP = 4


class PollDesc:
    """What one M knows about one fd."""

    __slots__ = ("armed", "fd", "hup", "mp", "r", "rready", "w", "wready")

    def __init__(self, mp: M, fd: int) -> None:
        self.mp = mp
        self.fd = fd
        self.rready = True
        self.wready = True
        self.hup = False
        self.armed = False
        self.r = IOWait()
        self.w = IOWait()


class IOWait:
    """One direction of a descriptor. `cell` holds the G that waits, if any; popping it is the claim."""

    __slots__ = ("c", "cell")

    def __init__(self) -> None:
        self.cell: list[G] = []
        self.c: Any = None

    def release(self) -> None:
        """Nothing to unlock: the cell was filled before, and its M readies nobody who still runs."""

    def cancel(self, gp: Any) -> bool:
        """Withdraw the wait. Any M may."""
        return claim_io(self) is not None


def claim_io(wait: IOWait) -> G | None:
    """The G that waits here, which the caller now has to make ready; or None."""
    try:
        return wait.cell.pop()
    except IndexError:
        return None


def wait_io(mp: M, gp: G, pd: PollDesc, wait: IOWait, deadline: int, stale: Callable[[], bool]) -> bool:
    """Park until the hint of this direction is set or somebody claims the wait (Go: netpollblock).

    `stale` is asked after the wait has been published: True means that there is no reason to wait any more.
    Returns False if the deadline (0: none) has passed.
    """
    ns = -1
    if deadline:
        ns = deadline - mp.now()
        if ns <= 0:
            return False
    if not pd.armed:
        mp.sched.port.arm(mp, pd, wait is pd.w)
    wait.cell.append(gp)
    if stale() and claim_io(wait) is not None:
        return True
    gp.waiting = wait
    mp.iowait += 1
    try:
        if ns < 0:
            mp.gopark(gp, wait, IO_WAIT)  # type: ignore[attr-defined]
        else:
            mp.gopark_timed(gp, wait, IO_WAIT, ns)  # type: ignore[attr-defined]
    finally:
        mp.iowait -= 1
    return True


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
            if pd.w.cell:
                woken = wake_io(mp, pd.w) or woken
        if mask & (READ | HUP):
            pd.rready = True
            if pd.r.cell:
                woken = wake_io(mp, pd.r) or woken
    return woken


def wake_io(mp: M, wait: IOWait) -> bool:
    """Waiting to runnable: to the local tail, or without a P to the global side (Go: injectglist)."""
    gp = claim_io(wait)
    if gp is None:
        return False
    gp.atomicstatus = GRUNNABLE
    pp = mp.p
    if pp is None:
        put_global_started(mp, gp)
    else:
        put(mp, pp, gp)
    return True
