"""The scheduler's loop: `schedule`, `find_runnable`, `execute` (Go: proc.go).

`schedule(mp)` runs on the g0 of each M: the stack on which the M began, always shallow. Where stacks are
pinned, a G that parks first tries `runq.pick` on its own stack and switches straight to the next G
(`pinned.py`); it comes here only to start a carrier, when its doorbell rings, or when nothing local is left.
Both ways go through the same `pick`, so there is one order of checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..status import GRUNNING
from .doorbell import attend
from .mlife import handoffp, releasep, resetspinning
from .park import give_up_p, without_p
from .runq import pick, pick_started
from .timers import check_timers

if TYPE_CHECKING:
    from .g import G
    from .structs import M, P

__all__ = ["execute", "find_runnable", "schedule"]


def schedule(mp: M) -> None:
    """One M's life: find a G, run it until it comes back here, and again, until the run ends."""
    while True:  # this is it
        if mp.commit is not None:
            mp.commit, commit = None, mp.commit
            commit.append(None)  # the last park becomes visible
        if mp.nextg is None:
            mp.nextg = find_runnable(mp)
            if mp.nextg is None:
                return
            if mp.spinning:
                resetspinning(mp)
        mp.execute()


def find_runnable(mp: M) -> G | None:
    """Find a G to run, sleeping if there is none; None when the run is over (Go: findRunnable)."""
    while True:
        if mp.attn and attend(mp):
            return None
        pp = mp.p
        if pp is None:
            without_p(mp)
            continue
        if pp.when:
            check_timers(mp, pp)
        if mp.lockedg is not None:
            gp = only_started(mp, pp)
            if gp is not None:
                return gp
            continue
        gp = pick(mp, pp)
        if gp is not None:
            return gp
        if mp.iowait and mp.sched.port.netpoll(mp):
            continue
        gp = mp.steal(pp)
        if gp is not None:
            return gp
        if mp.next is not None or mp.lq or pp.runnext or pp.ring:  # timers that the thief ran made work
            continue
        gp = give_up_p(mp, pp)
        if gp is not None:
            return gp


def only_started(mp: M, pp: P) -> G | None:
    """For an M that a G has locked: one of its own G's, unless there are fresh ones, which need another M.

    That has the P first, and this M waits for one (Go: stoplockedm).
    """
    fresh = not pp.runqempty() or bool(mp.sched.globq)
    gp = None if fresh else pick_started(mp, pp)
    if gp is None and (fresh or not (mp.iowait and mp.sched.port.netpoll(mp))):
        handoffp(mp.sched, releasep(mp))
    return gp


def execute(mp: Any) -> None:
    """Run `mp.nextg`; comes back when some G of this M switches to g0, which remembers none meanwhile (Go: execute)."""
    gp = mp.curg = mp.nextg
    mp.nextg = None
    gp.atomicstatus = GRUNNING
    if mp.rec is not None:
        mp.rec.start(mp, gp)
    stack = gp.stack
    del gp
    if stack is None:
        mp.start_fresh()
    else:
        stack.mpg_m = mp
        stack.switch()
