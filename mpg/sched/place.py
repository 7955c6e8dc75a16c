"""Spreading fresh G's over M's, where M's run in parallel and a started G cannot move.

Work stealing balances fresh G's by what they have to do now. A connection's handler has little to do now and
much later, when it can no longer be stolen; so a server counts, and gives each new handler to the M with the
fewest. The G is bound to that M before it has started, and arrives there by its inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..status import GRUNNABLE
from .mlife import new_m_locked, post

if TYPE_CHECKING:
    from .g import G
    from .structs import M

__all__ = ["newproc_on", "place_fresh"]


def place_fresh(mp: M, load: dict[M, int]) -> M:
    """The M to start the next G on: the one with the least `load`, or a new one while there are fewer than P's.

    Those that sysmon has found stuck are left out.
    """
    sched = mp.sched
    with sched.lock:
        ms = [m for m in sched.allm if not m.exited and not (m.p is not None and m.p.helpers)]
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
    """As `newproc`, on the M `target`, if one is given and has not ended."""
    if target is not None and target is not mp:
        gp.home = target
        gp.atomicstatus = GRUNNABLE
        if post(target, gp):
            mp.created += 1
            return
        gp.home = None
    mp.newproc(gp)
