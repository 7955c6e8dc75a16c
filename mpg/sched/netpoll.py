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

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..status import GRUNNABLE
from .policy import RING
from .runq import put, put_global_started
from .turns import end_turns
from .waitq import object_seq

if TYPE_CHECKING:
    from .g import G
    from .structs import M

__all__ = ["IOWait", "PollDesc", "claim_io", "deliver"]

# Event bits. They are those of epoll, so that its events need no translation.
READ = 0x001  # EPOLLIN
WRITE = 0x004  # EPOLLOUT
BOTH = READ | WRITE
MORE = ~BOTH  # EPOLLERR, EPOLLHUP, EPOLLRDHUP, or EPOLLPRI: urgent data, at which a read stops short


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
        c = Waited(fd)
        self.r, self.w = IOWait(c), IOWait(c)


class Waited:
    """What is waited for, to traces and to tables of G's: an fd, on one M, with a number of its own."""

    __slots__ = ("fd", "seq")

    run_id = 0
    plain_used = False

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seq = next(object_seq)

    def __repr__(self) -> str:
        return f"fd {self.fd}"


class IOWait:
    """One direction of a descriptor. `cell` holds the G that waits, if any; popping it is the claim.

    As the lock of a park it has nothing to give back: the cell was filled before, and its M readies nobody who still
    runs. `append` is `bool`, for no Python function does nothing as quickly.
    """

    __slots__ = ("c", "cell", "seq")

    def __init__(self, c: Waited) -> None:
        self.cell: list[G] = []
        self.c = c
        self.seq = c.seq  # at hand for the recorder, which asks for it at each turn

    append: Any = bool

    def cancel(self, gp: Any) -> bool:
        """Withdraw the wait. Any M may."""
        return claim_io(self) is not None


def claim_io(wait: IOWait) -> G | None:
    """The G that waits here, which the caller now has to make ready; or None."""
    try:
        return wait.cell.pop()
    except IndexError:
        return None


def deliver(mp: M, events: Iterable[tuple[int, int]], pds: dict[int, PollDesc]) -> int:
    """Turn events into hints and runnable G's; how many. The last event first, as Go's list does (Go: netpollready)."""
    woken: list[G] = []
    try:
        for fd, mask in events:
            pd = pds.get(fd)
            if pd is None:
                continue
            if mask & MORE:
                pd.hup = True
                mask = BOTH
            if mask & WRITE:
                pd.wready = True
                gp = claim_io(pd.w) if pd.w.cell else None
                if gp is not None:
                    woken.append(gp)
            if mask & READ:
                pd.rready = True
                cell = pd.r.cell
                if cell:
                    try:
                        woken.append(cell.pop())
                    except IndexError:  # somebody else has ended the wait
                        pass
    finally:  # a signal handler may raise
        if woken:
            put_woken(mp, woken)
            if mp.rec is not None:
                mp.rec.polled(mp, woken)
    return len(woken)


def put_woken(mp: M, gps: list[G]) -> None:
    """Waiting to runnable: to the local tail, or without a P to the global side (Go: injectglist).

    They have begun, and on this M. With `runq.put` for each it takes 112 bytecodes an event, so 70.
    (What a signal handler queues meanwhile goes before them, with a later ticket.)
    """
    pp = mp.p
    if pp is None or len(pp.ring) + len(mp.lq) + len(gps) > RING:
        for gp in gps:
            gp.atomicstatus = GRUNNABLE
            if pp is None:
                put_global_started(mp, gp)
            else:
                put(mp, pp, gp)
        return
    if mp.grant:
        end_turns(mp)
    ticket = pp.ticket
    pp.ticket = ticket + len(gps)
    for gp in gps:
        gp.atomicstatus = GRUNNABLE
        gp.ticket = ticket
        ticket += 1
    mp.lq.extend(gps)
