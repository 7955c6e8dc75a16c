"""The scheduler's loop: `schedule`, `find_runnable`, `steal`, `execute` (Go: proc.go).

`schedule(mp)` runs on the g0 of each M: the stack on which the M began, always shallow. Where stacks are
pinned, a G that parks first tries `runq.pick` on its own stack and switches straight to the next G
(`pinned.py`); it comes here only to start a carrier, when its doorbell rings, or when nothing local is left.
Both ways go through the same `pick`, so there is one order of checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..status import GRUNNING
from .doorbell import attend
from .mlife import become_spinning_locked, handoffp, releasep, resetspinning
from .park import give_up_p, without_p
from .policy import STEAL_ROUNDS, may_spin, steal_order
from .runq import grab, may_steal, pick, pick_started, take_stolen
from .timers import check_timers

if TYPE_CHECKING:
    from .g import G
    from .structs import M, P

__all__ = ["execute", "find_runnable", "rob", "schedule", "steal"]


def schedule(mp: M) -> None:
    """One M's life: find a G, run it until it comes back here, and again, until the run ends."""
    while True:  # this is it
        if mp.commit is not None:
            mp.commit, commit = None, mp.commit
            commit.release()
        gp = mp.nextg
        if gp is not None:
            mp.nextg = None
        else:
            gp = find_runnable(mp)
            if gp is None:
                return
            if mp.spinning:
                resetspinning(mp)
        mp.execute(gp)


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
    """For an M that a G has locked: one of its own G's, or give the P to an M that may start fresh ones."""
    gp = pick_started(mp, pp)
    if gp is None and not (mp.iowait and mp.sched.port.netpoll(mp)):
        handoffp(mp.sched, releasep(mp))
    return gp


def steal(mp: Any, pp: P) -> G | None:
    """Take fresh G's from another P, after becoming a spinning M if there are not enough (Go: stealWork)."""
    sched = mp.sched
    if not mp.spinning:
        if not sched.caps.eager_wakep and sched.npidle >= len(sched.allp) - 1:
            return steal_timers(mp, pp)  # everybody else is idle, and nobody may have been woken for us
        if not may_spin(sched.nmspinning, sched.gomaxprocs, sched.npidle, sched.spin_share):
            return None
        with sched.lock:
            become_spinning_locked(mp)
    allp, strides = sched.allp, sched.strides
    for rnd in range(STEAL_ROUNDS):
        last = rnd == STEAL_ROUNDS - 1
        for index in steal_order(mp.rng.getrandbits(32), strides, len(allp)):
            victim = allp[index]
            if victim is pp:
                continue
            if last and victim.when and check_timers(mp, victim):
                gp = pick(mp, pp)
                if gp is not None:
                    return gp
            if victim.runqempty() or not may_steal(sched, victim):
                continue
            stolen: G | None = mp.rob(pp, victim, runnext=last)
            if stolen is not None:
                return stolen
    return None


def rob(mp: Any, pp: P, victim: P, *, runnext: bool) -> G | None:
    """Take what there is at one victim: one G to run, the others for the ring (Go: runqsteal)."""
    one = mp.sched.caps.steal_one
    stolen, before = grab(mp, victim, runnext=runnext, one=one)
    if not stolen:
        return None
    n = len(stolen)
    gp = take_stolen(pp, stolen)
    if mp.rec is not None:
        mp.rec.steal(mp, pp, victim, n, before, one)
    return gp


def steal_timers(mp: M, pp: P) -> G | None:
    """Run the due timers of idle P's."""
    for victim in mp.sched.allp:
        if victim is not pp and victim.when and check_timers(mp, victim):
            gp = pick(mp, pp)
            if gp is not None:
                return gp
    return None


def execute(mp: Any, gp: G) -> None:
    """Run `gp` on `mp`; comes back when some G of this M switches to g0 (Go: execute)."""
    mp.curg = gp
    gp.atomicstatus = GRUNNING
    if mp.rec is not None:
        mp.rec.start(mp, gp)
    stack = gp.stack
    if stack is None:
        mp.start_fresh(gp)
    else:
        stack.switch()
