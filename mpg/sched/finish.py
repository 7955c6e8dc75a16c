"""The end of a run: who ends it, and how the G's that are still alive are unwound.

`stop_locked` only raises a flag and every doorbell. Then each M, on its own g0, drops nothing that has begun:
its started G's are resumed in creation order with `Unwind`, so their `finally` blocks run; a park during that
raises again; after 100 raises the G is abandoned and named. Running G's meet `Unwind` at their next operation
(`doorbell.checkpoint`), and so do those whose wait somebody has ended already: what they were given is not lost.
Fresh G's are dropped.

Rejected: throwing GreenletExit into the greenlets from one thread. A greenlet can be switched to only by the
thread that made it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import Goexit, Unwind
from ..status import GDEAD, GRUNNING, GSYSCALL, GWAITING
from .policy import CLAIM_LOOKS, CLAIM_NS, UNWIND_LIMIT

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched
    from .structs import M

__all__ = ["g_ended", "live_gs", "stop", "stop_locked", "unwind"]


def g_ended(sched: Sched, gp: G) -> None:
    """Main has ended, or a G has failed: the first of these ends the run."""
    exc = getattr(gp, "exc", None)
    if gp is sched.main and exc is None and getattr(gp, "result", None) is Goexit:
        return
    if sched.ended is not None:
        sched.ended(gp)
    with sched.lock:
        stop_locked(sched, exc, gp)


def stop(sched: Sched, failure: BaseException | None) -> None:
    """End the run."""
    with sched.lock:
        stop_locked(sched, failure)


def stop_locked(sched: Sched, failure: BaseException | None, gp: G | None = None) -> None:
    """End the run with `failure`, or with main's value if None. The first call decides; what fails later is noted."""
    if sched.stopping:
        if gp is not None and isinstance(failure, Exception):
            sched.failed_late.append(gp)
        return
    sched.failure = failure
    sched.failed_g = gp
    sched.stopping = True
    for mp in [*sched.allm, *([sched.sysmon] if sched.sysmon is not None else [])]:
        mp.ring_bell()
        with mp.lock:
            asleep, mp.asleep = mp.asleep, False
        if asleep:
            sched.port.wakeup(mp)


def live_gs(sched: Sched) -> list[G]:
    """Every G that has parked or yielded and is not dead, oldest first."""
    gs = list(sched.gs)
    for mp in list(sched.allm):
        gs.extend(list(mp.gs))
    return sorted((gp for gp in gs if gp.atomicstatus != GDEAD), key=lambda gp: gp.id)


def unwind(mp: M, gs: dict[G, None]) -> None:
    """Resume every G in `gs` with Unwind, oldest first, until all have ended or been abandoned. On g0."""
    while gs:
        for gp in sorted(gs, key=lambda g: g.id):
            while gp in gs:
                unwind_g(mp, gp)


def unwind_g(mp: M, gp: G) -> None:
    """Resume one G with Unwind; it ends, or parks again."""
    unwinds = mp.sched.unwinds
    unwinds[gp] = times = unwinds.get(gp, 0) + 1
    if times > UNWIND_LIMIT:
        assert gp.listed is not None
        del gp.listed[gp]
        gp.listed = None
        mp.abandoned.append(gp)
        return
    stack: Any = gp.stack
    if was_claimed(mp, gp):  # it has what it waited for, and must not lose it
        mp.sched.pending[gp] = Unwind()
        resume = stack.switch
    else:
        mp.sched.pending.pop(gp, None)
        gp.wake_exc = None
        resume = partial(stack.throw, Unwind)  # no instance: it would keep the frames of `gp` for g0 to clear
    gp.atomicstatus = GRUNNING
    mp.curg = gp
    stack.mpg_m = mp
    resume()
    if mp.commit is not None:
        mp.commit, commit = None, mp.commit
        commit.append(None)
    mp.curg = None


def was_claimed(mp: M, gp: G) -> bool:
    """Has somebody ended the wait of `gp`? Then what it was given is there when this returns."""
    from .doorbell import attend

    if gp.waiting is None or gp.waiting.cancel(gp):
        return False
    for _ in range(CLAIM_LOOKS):  # between the claim and the letter are microseconds of another M or thread
        if gp.atomicstatus not in (GWAITING, GSYSCALL):
            return gp.wake_exc is None
        attend(mp)
        mp.sched.port.usleep(mp, CLAIM_NS)
    return False


def end_carriers(mp: M, exit_class: type[BaseException]) -> None:
    """Let the idle carriers of an M end: each ends in its parent, which where stacks move was another M's g0."""
    for stack in mp.free:
        stack.parent = mp.g0
        stack.throw(exit_class)
    mp.free.clear()
