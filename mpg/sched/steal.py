"""Work stealing (Go: stealWork, runqsteal, runqgrab).

Four rounds over the other P's in a random order; from one that has fresh G's their older half, its runnext in the last
round only, after a moment in which it may run that itself. Due timers of others are run in the last round too.

Only fresh G's can be stolen where stacks are pinned: `ring` and `runnext` hold no others. A pop that fails is expected:
another thief, or the owner, was quicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .mlife import become_spinning_locked
from .policy import RUNNEXT_BACKOFF_NS, STEAL_ROUNDS, may_spin, steal_order
from .runq import pick
from .timers import check_timers

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched
    from .structs import M, P

__all__ = ["grab", "may_steal", "rob", "steal", "steal_timers"]


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


def may_steal(sched: Sched, victim: P) -> bool:
    """Where waking is lazy only a P that has not moved since sysmon looked is robbed: one hiccup must not
    spread the load over M's that then fight for the GIL."""
    return sched.caps.eager_wakep or victim.m is None or victim.seen_moves == victim.slices + victim.nexttick


def grab(mp: M, victim: P, *, runnext: bool, one: bool) -> tuple[list[G], int]:
    """Take the older half of a victim's fresh G's, or its runnext if it has no others (Go: runqgrab).

    A running victim is given a moment to run its runnext itself; another that it has by then is not taken: a G whose
    stack is pinned would for ever be apart from the one that has just made it. Returns them, and of how many in the
    ring they are the half; 0 if it is the runnext.
    """
    ring = victim.ring
    before = len(ring)
    n = min(1, before) if one else before - before // 2
    out: list[G] = []
    try:
        for _ in range(n):
            out.append(ring.popleft())
    except IndexError:
        pass
    seen = peek(victim.runnext) if runnext and not out else None
    if seen is not None:
        before = 0
        vm = victim.m
        if vm is not None and not vm.insyscall:
            mp.sched.port.usleep(mp, RUNNEXT_BACKOFF_NS)
            # If it has run that one, it may have another by now (Go: the cas fails).
            if peek(victim.runnext) is not seen:
                return grab(mp, victim, runnext=False, one=one)
        try:
            out.append(victim.runnext.pop())
        except IndexError:
            pass
    return out, before


def peek(slot: Any) -> G | None:
    """What is in a slot. (Not by a slice: before 3.12 others may empty it while the copy is made, which crashes.)"""
    try:
        gp: G = slot[0]
    except IndexError:
        return None
    return gp


def take_stolen(pp: P, stolen: list[G]) -> G:
    """Run the youngest stolen G, queue the others (Go: runqsteal)."""
    last = stolen.pop()
    pp.schedtick += 1
    for gp in stolen:
        gp.ticket = pp.ticket
        pp.ticket += 1
        pp.ring.append(gp)
    return last
