"""Idle M's and P's: two LIFO lists, the count of spinning M's, and the hints that follow from them.

Everything here runs with `sched.lock` held. Go does part of it with atomics; one lock keeps each
publish-then-look protocol in one place, and all of it is off the hot path.

`wake_hint`, copied into each P, is the conjunction that `ready` and `newproc` need: this world wakes eagerly,
some P is idle, nobody spins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..current import tls
from ..status import PDEAD, PIDLE
from ..trace.events import ProcRetire
from .policy import coprimes

if TYPE_CHECKING:
    from .schedt import Sched
    from .structs import M, P

__all__ = ["mget_locked", "mput_locked", "pidleget_locked", "pidleput_locked", "publish_locked"]


def publish_locked(sched: Sched) -> None:
    """Bring every P's `wake_hint` up to date."""
    hint = sched.caps.eager_wakep and sched.npidle > 0 and not sched.nmspinning
    if hint is not sched.wake_hint:
        sched.wake_hint = hint
        for pp in sched.allp:
            pp.wake_hint = hint


def pidleput_locked(sched: Sched, pp: P) -> M | None:
    """Make `pp` idle, or promise it to the first M that waits for one, which the caller must then wake.

    Go: pidleput. The waiting M's are ours: started G's cannot leave their M, so it may need a P of its own.
    """
    pp.m = None
    if pp.relief_for is not None or pp.id >= sched.gomaxprocs:
        retire_locked(sched, pp)
        return None
    pp.status = PIDLE
    if sched.pwait:
        mp = sched.pwait.popleft()
        mp.wants_p = False
        mp.nextp = pp
        return mp
    sched.pidle.append(pp)
    sched.npidle += 1
    publish_locked(sched)
    return None


def pidleget_locked(sched: Sched) -> P | None:
    """The P that went idle last (Go: pidleget)."""
    if not sched.pidle:
        return None
    pp = sched.pidle.pop()
    sched.npidle -= 1
    publish_locked(sched)
    return pp


def pidletake_locked(sched: Sched, pp: P) -> bool:
    """Take this very P from the idle list, if it is there."""
    if pp not in sched.pidle:
        return False
    sched.pidle.remove(pp)
    sched.npidle -= 1
    publish_locked(sched)
    return True


def pidleget_spinning_locked(sched: Sched) -> P | None:
    """As pidleget; a miss is left as a note for the next M that is about to give up (Go: pidlegetSpinning)."""
    pp = pidleget_locked(sched)
    if pp is None:
        sched.needspinning = True
    return pp


def retire_locked(sched: Sched, pp: P) -> None:
    """End a surplus or relief P: its G's to the head of the global queue, its timers to P 0 (Go: p.destroy)."""
    from .runq import drain_p, set_global_hint_locked
    from .timers import move_timers

    fresh = drain_p(pp)
    if fresh:
        head = sched.globq[0].ticket if sched.globq else 0
        for gp in fresh:  # what was in runnext has none yet, and the queue is to stay sorted
            gp.ticket = head
        sched.globq.extendleft(reversed(fresh))
        set_global_hint_locked(sched, True)
    pp.status = PDEAD
    if tls.m.rec is not None:
        tls.m.rec.bare(ProcRetire, pp.id)
    if pp.relief_for is not None:
        pp.relief_for.relief = None
        pp.relief_for = None
        sched.nrelief -= 1
    set_allp_locked(sched, [p for p in sched.allp if p is not pp])
    heir = sched.allp[0]
    move_timers(pp, heir)
    if heir.when and heir.m is not None:
        heir.m.ring_bell()


def set_allp_locked(sched: Sched, allp: list[P]) -> None:
    """Replace the list of P's; thieves read it together with its strides, so the strides come first."""
    sched.strides = coprimes(len(allp))
    sched.allp = allp


def mput_locked(sched: Sched, mp: M) -> None:
    """Go: mput."""
    mp.idle = True
    sched.midle.append(mp)


def mget_locked(sched: Sched) -> M | None:
    """The M that went idle last (Go: mget); not one that a G has locked, which could not start or steal anything."""
    midle = sched.midle
    for index in range(len(midle) - 1, -1, -1):
        mp = midle[index]
        if mp.lockedg is None:
            del midle[index]
            mp.idle = False
            return mp
    return None


def mremove_locked(sched: Sched, mp: M) -> None:
    """An M that woke by itself leaves the idle list."""
    if mp.idle:
        mp.idle = False
        sched.midle.remove(mp)
