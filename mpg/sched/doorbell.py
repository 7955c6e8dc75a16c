"""The doorbell (`M.attn`): how somebody gets the attention of an M, and what the M then does.

Every operation reads the flag; where it is up, `checkpoint` answers it, and the loop does between two G's (`attend`).
`attend` clears it first and looks at the causes afterwards, so a cause that is published later rings again. While the
run is stopping it stays up.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ..current import inside_operation, note_foreign
from ..errors import Unwind
from ..status import GDEAD, GRUNNABLE, GWAITING
from .finish import stop
from .g import new_g
from .park import leave_p
from .ready import abort, new_goid
from .runq import put_global_started
from .turns import end_turns

if TYPE_CHECKING:
    from .g import G
    from .structs import M

__all__ = ["arrive", "attend", "checkpoint", "giving_back"]


def checkpoint(mp: Any, *objects: Any) -> None:
    """What an operation on `objects` does first when the doorbell has rung. May yield; may raise.

    On an ordinary thread the doorbell is always up: its use of a primitive is noted, for `checkdead`.
    """
    if mp.sched is None:
        for obj in objects:
            note_foreign(obj)
        return
    if inside_operation():  # the one below may hold a lock or half a queue: neither yield nor raise here
        return
    gp = mp.curg
    if gp is not None and gp.atomicstatus == GDEAD:  # a handler between the end of a G and the next one
        return
    if mp.insyscall:
        raise RuntimeError("mpg operation inside mpg.blocking(): this M may have lost its P")
    stopping = attend(mp)
    if gp in mp.sched.pending:
        exc = mp.sched.pending.pop(gp)
        try:
            raise exc
        finally:
            del exc  # or it would hold this frame, which holds it
    if stopping:
        if gp not in mp.sched.unwinds:
            mp.sched.unwinds[gp] = 1
            raise Unwind
        return
    pp = mp.p
    if pp is not None and (pp.preempt or pp.leave):
        if mp.rec is not None:
            mp.rec.preempted()
        pp.preempt = False
        pp.schedtick += 1  # a new slice: what now comes out of runnext does not inherit the old one
        mp.gosched(gp)


def giving_back(mp: Any, obj: Any) -> None:
    """As `checkpoint`, for what a `finally` does: unlock, release, done, close.

    It is done first: an exception that is on its way, or the end of the run, is met by the next operation.
    """
    gp = mp.curg
    if gp is None or mp.insyscall or not (mp.sched.stopping or gp in mp.sched.pending):
        checkpoint(mp, obj)


def attend(mp: M) -> bool:
    """Answer the doorbell. True if the run is over."""
    if mp.grant:
        end_turns(mp)
    sched = mp.sched
    with mp.lock:
        mp.attn = sched.stopping or mp.insyscall or mp.lockedg is not None
        if mp.inbox:
            inbox, mp.inbox = mp.inbox, []
        else:
            inbox = None
    if inbox is not None:
        if mp.rec is not None:
            mp.rec.moved()
        for item in inbox:
            if callable(item):
                item(mp)
            else:
                arrive(mp, item)
    if mp.sigint:
        mp.sigint = False
        if mp.strike is None:
            interrupt_main(mp)
        else:
            stop(sched, mp.strike)
    if mp.sigterm:
        mp.sigterm = False
        for drain in list(sched.on_term):
            mp.newproc(new_g(new_goid(mp), drain, (), copy_context()))
    if mp.pendings:
        mp.pendings = [gp for gp in mp.pendings if still_pending(mp, gp)]
        if mp.pendings:
            mp.attn = True
    pp = mp.p
    if mp.curg is not None:
        if mp.poll_due or (pp is not None and pp.leave):
            mp.attn = True  # for g0
    elif pp is not None:
        pp.preempt = False
        if mp.poll_due:
            mp.poll_due = False
            if mp.iowait:
                sched.port.netpoll(mp)
        if pp.leave:
            pp.leave = False
            leave_p(mp, pp)
    return sched.stopping


def arrive(mp: M, gp: G) -> None:
    """A G of this M that another thread has made ready goes to the tail of its local side."""
    gp.atomicstatus = GRUNNABLE
    pp = mp.p
    if gp.home is not mp or pp is None:
        put_global_started(mp, gp)
        return
    gp.ticket = pp.ticket
    pp.ticket += 1
    mp.lq.append(gp)


def still_pending(mp: M, gp: G) -> bool:
    """Has `gp` yet to meet its exception? It may have parked again in the middle of an operation (`Mutex.lock`)."""
    pending = mp.sched.pending
    if gp.atomicstatus == GDEAD:
        pending.pop(gp, None)
    elif gp in pending and gp.atomicstatus == GWAITING:
        exc = pending.pop(gp)
        if not abort(mp, gp, exc):
            pending[gp] = exc
    return gp in pending


def interrupt(mp: M, gp: G, exc: BaseException) -> None:
    """Raise `exc` in a G of this M: out of its park if that can be withdrawn, else at its next operation."""
    if not abort(mp, gp, exc) and gp.atomicstatus != GDEAD:
        mp.sched.pending[gp] = exc
        mp.pendings.append(gp)
        mp.attn = True


def interrupt_main(mp: M) -> None:
    """Ctrl-C: KeyboardInterrupt in main, at its park if that can be withdrawn, else at its next operation."""
    main = mp.sched.main
    if main is not None and main.atomicstatus == GDEAD:  # by goexit
        stop(mp.sched, KeyboardInterrupt())
    elif main is not None:
        interrupt(mp, main, KeyboardInterrupt())
