"""MovableM: an M that any stack may come to.

The moment a G becomes visible, another M may resume it. So whatever makes it visible happens on g0, after its stack has
been left: Go's mcall.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..status import GDEAD, GOSCHED, GRUNNABLE, GWAITING
from .mlife import wakep
from .ready import ready_without_p
from .runq import put, put_global_locked
from .stacks import BaseM
from .timed import ArmCommit

if TYPE_CHECKING:
    from ..port import Stack
    from .g import G
    from .timers import RTimer

__all__ = ["MovableM"]


class MovableM(BaseM):
    """An M that any stack may come to."""

    __slots__ = ()

    def leave(self, gp: G, lock: Any, reason: str) -> Stack:
        """As PinnedM.leave, but g0 makes it visible."""
        if lock is not None:
            gp.waitreason = reason
            gp.atomicstatus = GWAITING
            return self.leave_for_g0(gp, lock)
        gp.atomicstatus = GRUNNABLE
        gp.waiting = None
        return self.leave_for_g0(gp, (GoschedCommit if reason is GOSCHED else GoyieldCommit)(self, gp))

    def arm(self, t: RTimer, until: int, lock: Any) -> Any:
        """As PinnedM.arm, on g0."""
        return ArmCommit(t, until, lock)

    def leave_for_g0(self, gp: G, commit: Any) -> Stack:
        """g0, which commits; `gp` goes on on whichever M runs it next."""
        if gp.listed is None:
            gp.listed = self.sched.gs
            self.sched.gs[gp] = None
        gp.since = self.now()
        if self.rec is not None:
            self.rec.left(self, gp)
        self.commit = commit
        self.curg = None
        return self.g0  # type: ignore[no-any-return]

    def goexit0(self, me: Any) -> G | None:
        """Return to g0; the carrier waits for the next fresh G."""
        mp = me.mpg_m
        gp = mp.curg
        gp.atomicstatus = GDEAD
        mp.end(gp)
        if mp.rec is not None:
            mp.rec.end(mp, gp)
        mp.curg = me.gr_context = None
        mp.free.append(me)
        del gp
        mp.g0.switch()
        return mp.curg  # type: ignore[no-any-return]


class GoschedCommit:
    """Queues a yielding G once its stack has been left."""

    __slots__ = ("gp", "mp")

    def __init__(self, mp: MovableM, gp: G) -> None:
        self.mp = mp
        self.gp = gp

    def append(self, token: None) -> None:
        mp, gp = self.mp, self.gp
        sched = mp.sched
        pp = mp.p
        if pp is None:  # it comes out of `blocking`, and there was no P for it (Go: exitsyscallNoP)
            ready_without_p(mp, gp)
            return
        with sched.lock:
            gp.ticket = pp.ticket
            pp.ticket += 1
            put_global_locked(sched, (gp,))
        if pp.wake_hint:
            wakep(sched)


class GoyieldCommit(GoschedCommit):
    """The same for the local tail."""

    __slots__ = ()

    def append(self, token: None) -> None:
        if self.mp.p is not None:  # else the run is ending, and `unwind` resumes it
            put(self.mp, self.mp.p, self.gp)
