"""How a G comes to be runnable: it is made, somebody makes it ready, or its wait is ended (Go: proc.go).

Whoever makes a G ready has claimed it first, by taking it out of what it waits for, so each wait ends once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ..status import GRUNNABLE, GSYSCALL, GWAITING
from .idle import pidleget_locked
from .mlife import startm, wakep
from .policy import GOID_BATCH
from .runq import put, put_global_locked, put_global_started, put_next
from .turns import OFTEN, begin_spawns, end_turns

if TYPE_CHECKING:
    from .g import G
    from .structs import M

__all__ = ["abort", "new_goid", "new_goids", "newproc", "raise_abort", "ready", "ready_without_p"]


def newproc(mp: Any, gp: G) -> None:
    """Queue a fresh G to run next (Go: newproc)."""
    gp.atomicstatus = GRUNNABLE
    spawns = mp.spawns
    if spawns and mp.next is None:
        mp.spawns = spawns - 1
        mp.p.ring.append(gp)
        return
    pp = mp.p
    rec = mp.rec
    if rec is not None:
        rec.create(mp, gp)
    if pp is None:  # from `attend`
        ready_without_p(mp, gp)
        return
    if mp.grant:
        end_turns(mp)
    runnext = pp.runnext
    if mp.next is not None:
        put_next(mp, pp, gp)
    else:
        if runnext:  # `displace`, written out
            try:
                old = runnext.pop()
            except IndexError:
                pass
            else:
                ring = pp.ring
                if mp.lq or len(ring) >= pp.bare:
                    put(mp, pp, old)
                else:
                    ring.append(old)
                    if not len(ring) % OFTEN and begin_spawns(mp, pp):
                        ring.append(gp)
                        return
        runnext.append(gp)
    if rec is not None:
        rec.queued(mp)
    if pp.wake_hint:
        wakep(mp.sched)


def ready(mp: Any, gp: Any) -> None:
    """Make a G runnable that the caller has claimed; the last one made ready runs next (Go: ready).

    `mp` is the caller's M, or PLAIN. Call it with no lock held.
    """
    home = gp.home
    rec = mp.rec
    if rec is not None and (home is None or home.sched is mp.sched):
        rec.unblock(mp, gp)
    if home is mp:
        pp = mp.p
        if pp is None:
            if mp.curg is None:  # a `__del__` on the way to sleep, when the queues have been looked at
                mp.post(gp)
                return
            gp.atomicstatus = GRUNNABLE
            put_global_started(mp, gp)
            return
        gp.atomicstatus = GRUNNABLE
        if mp.next is None and not pp.runnext:
            mp.next = gp
        else:
            put_next(mp, pp, gp)
    elif home is None:
        gp.atomicstatus = GRUNNABLE
        pp = mp.p
        if pp is None:
            ready_without_p(mp, gp)
            return
        put_next(mp, pp, gp)
        if pp.wake_hint:
            wakep(mp.sched)
    elif home.sched is mp.sched or home.rec is None:
        home.post(gp)
    else:
        home.post_foreign(gp)


def ready_without_p(mp: Any, gp: G) -> None:
    """To the global tail, with an idle P for it (Go: injectglist without a P)."""
    sched = mp.sched
    if sched.lock._is_owned():
        mp.put_off(lambda mp: ready_without_p(mp, gp))
        return
    with sched.lock:
        gp.ticket = mp.ticket
        mp.ticket += 1
        put_global_locked(sched, (gp,))
        pp = None if sched.stopping else pidleget_locked(sched)
    if pp is not None:
        startm(sched, pp, False)


def abort(mp: Any, gp: Any, exc: BaseException | None) -> bool:
    """End the wait of `gp` with `exc`, if it is still waiting: the one way to time out, cancel or unwind.

    False if somebody else claimed the wait; then `gp` has what it waited for.
    """
    waiting = gp.waiting
    if waiting is None or gp.atomicstatus not in (GWAITING, GSYSCALL) or not waiting.cancel(gp):
        return False
    gp.wake_exc = exc
    ready(mp, gp)
    return True


def raise_abort(gp: G) -> NoReturn:
    """Raise what `abort` ended the wait of `gp` with."""
    exc, gp.wake_exc = gp.wake_exc, None
    assert exc is not None
    try:
        raise exc
    finally:
        del exc  # or it would hold this frame, which holds it


def new_goid(mp: M) -> int:
    """The id of the next G that this M makes."""
    goid = mp.goid
    if goid == mp.goid_end:
        return new_goids(mp)
    mp.goid = goid + 1
    return goid


def new_goids(mp: M) -> int:
    """Ids come in blocks, so that M's do not meet for each (Go: newproc1). Takes the first of a new block.

    With no lock: a signal handler that starts a G may come in between, and would wait for itself.
    """
    goid: int = next(mp.sched.goidgen)
    while True:
        last, (before, first, _) = mp.goid, mp.block
        block = (before + last - first, goid, goid + GOID_BATCH)
        if mp.goid == last and mp.block[1] == first:  # else one has come in between and begun a block
            break
    mp.block = block
    mp.goid = goid + 1
    mp.goid_end = goid + GOID_BATCH
    return goid
