"""Spreading fresh G's over M's, where M's run in parallel and a started G cannot move.

Work stealing balances fresh G's by what they have to do now. A connection's handler has little to do now and
much later, when it can no longer be stolen; so a server counts, and gives each new handler to the M with the
fewest. The G is bound to that M before it has started, and arrives there by its inbox. If that M is stuck in an
undeclared blocking call, sysmon takes the G out of the inbox again: it may begin elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..status import GRUNNABLE
from .mlife import new_m_locked, post, wakep
from .ready import ready_without_p
from .runq import put_global_locked

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched
    from .structs import M, P

__all__ = ["newproc_on", "place_fresh", "unplace"]


def place_fresh(mp: M, load: dict[M, int]) -> M:
    """The M to start the next G on: the one with the least `load`, or a new one while there are fewer than P's.

    Those that sysmon has found stuck, that are in `blocking`, or that a G has locked are left out.
    """
    sched = mp.sched
    with sched.lock:
        stuck = {pp.m for pp in list(sched.helped)}
        ms = [m for m in sched.allm if not (m.exited or m.insyscall or m.lockedg is not None or m in stuck)]
        new = new_m_locked(sched) if len(ms) < sched.gomaxprocs else None
    if new is not None:
        try:
            sched.port.start_m(new, sched.m_main)
        except RuntimeError:  # the system refuses a thread
            with sched.lock:
                sched.allm.remove(new)
        else:
            return new
    return min(ms, key=lambda m: load.get(m, 0), default=mp)


def newproc_on(mp: M, gp: G, target: M | None) -> None:
    """As `newproc`, on the M `target`, if one is given."""
    if target is None or target is mp:
        mp.newproc(gp)
        return
    gp.home = target
    gp.atomicstatus = GRUNNABLE
    if mp.rec is not None:
        mp.rec.create(mp, gp)
    if not post(target, gp):  # it has ended, as the whole run is about to
        gp.home = None
        ready_without_p(mp, gp)


def unplace(sched: Sched, mp: M, pp: P) -> None:
    """The M is stuck: what was placed on it and has not begun goes to the global queue."""
    with mp.lock:
        fresh = [item for item in mp.inbox if not callable(item) and item.stack is None]
        if not fresh:
            return
        for item in fresh:  # in place: `put_off` appends without the lock
            mp.inbox.remove(item)
    with sched.lock:
        for gp in fresh:
            gp.home = None
            gp.ticket = pp.ticket
        put_global_locked(sched, fresh)
        hint = sched.wake_hint
    if hint:
        wakep(sched)
