"""The scheduler's loop: `schedule`, `find_runnable`, `execute`, `ready`, `newproc` (Go: proc.go).

`schedule(mp)` runs on the g0 of each M: the stack on which the M began, always shallow. Where stacks are
pinned, a G that parks first tries `runq.pick` on its own stack and switches straight to the next G
(`stacks.py`); it comes here only to start a carrier, when its doorbell rings, or when nothing local is left.
Both ways go through the same `pick`, so there is one order of checks.

The doorbell (`M.attn`): `attend` clears it first and looks at the causes afterwards, so a cause that is
published later rings again. While the run is stopping it stays up.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NoReturn

from ..current import inside_operation, note_foreign
from ..errors import Unwind
from ..status import GDEAD, GRUNNABLE, GRUNNING, GSYSCALL, GWAITING
from .finish import stop
from .g import new_g
from .idle import pidleget_locked
from .mlife import become_spinning_locked, handoffp, put_p, releasep, resetspinning, startm, wakep
from .park import give_up_p, without_p
from .policy import GOID_BATCH, STEAL_ROUNDS, may_spin, steal_order
from .runq import (
    displace,
    grab,
    may_steal,
    pick,
    pick_started,
    put_global_locked,
    put_global_started,
    put_next,
    take_stolen,
)
from .timers import check_timers

if TYPE_CHECKING:
    from .g import G
    from .structs import M, P

__all__ = [
    "abort",
    "attend",
    "checkpoint",
    "execute",
    "find_runnable",
    "giving_back",
    "newproc",
    "raise_abort",
    "ready",
    "schedule",
    "steal",
]


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


def attend(mp: M) -> bool:
    """Answer the doorbell. True if the run is over."""
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
        for drain in sched.on_term:
            mp.newproc(new_g(new_goid(mp), drain, (), None, copy_context(), None, 0))
    if mp.pendings:
        mp.pendings = [gp for gp in mp.pendings if gp.pending is not None and gp.atomicstatus != GDEAD]
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
            put_p(sched, releasep(mp))
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


def interrupt_main(mp: M) -> None:
    """Ctrl-C: KeyboardInterrupt in main, at its park if that can be withdrawn, else at its next operation."""
    main = mp.sched.main
    if main is not None and main.atomicstatus == GDEAD:  # by goexit
        stop(mp.sched, KeyboardInterrupt())
    elif main is not None:
        interrupt(mp, main, KeyboardInterrupt())


def interrupt(mp: M, gp: G, exc: BaseException) -> None:
    """Raise `exc` in a G of this M: out of its park if that can be withdrawn, else at its next operation."""
    if not abort(mp, gp, exc) and gp.atomicstatus != GDEAD:
        gp.pending = exc
        mp.pendings.append(gp)
        mp.attn = True


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
    if mp.insyscall:
        raise RuntimeError("mpg operation inside mpg.blocking(): this M may have lost its P")
    stopping = attend(mp)
    if gp.pending is not None:
        exc, gp.pending = gp.pending, None
        raise exc
    if stopping:
        if not gp.unwinds:
            gp.unwinds = 1
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
    if gp is None or mp.insyscall or not (mp.sched.stopping or gp.pending is not None):
        checkpoint(mp, obj)


def ready(mp: Any, gp: Any) -> None:
    """Make a G runnable that the caller has claimed; the last one made ready runs next (Go: ready).

    `mp` is the caller's M, or PLAIN. Call it with no lock held.
    """
    home = gp.home
    rec = mp.rec
    if rec is not None and (home is None or home.sched is mp.sched):
        rec.unblock(mp, gp)
    if home is mp:
        gp.atomicstatus = GRUNNABLE
        pp = mp.p
        if pp is None:
            put_global_started(mp, gp)
        elif mp.next is None and not pp.runnext:
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


def ready_without_p(mp: M, gp: G) -> None:
    """To the global tail, with an idle P for it (Go: injectglist without a P)."""
    sched = mp.sched
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
    raise exc


def newproc(mp: Any, gp: G) -> None:
    """Queue a fresh G to run next (Go: newproc)."""
    gp.atomicstatus = GRUNNABLE
    pp = mp.p
    mp.created += 1
    rec = mp.rec
    if rec is not None:
        rec.create(mp, gp)
    if pp is None:  # from `attend`
        ready_without_p(mp, gp)
        return
    runnext = pp.runnext
    if mp.next is not None:
        put_next(mp, pp, gp)
    else:
        if runnext:
            displace(mp, pp)
        runnext.append(gp)
    if rec is not None:
        rec.queued(mp)
    if pp.wake_hint:
        wakep(mp.sched)


def new_goid(mp: M) -> int:
    """The id of the next G that this M makes."""
    goid = mp.goid
    if goid == mp.goid_end:
        goid = new_goids(mp)
    mp.goid = goid + 1
    return goid


def new_goids(mp: M) -> int:
    """Go's ids come in blocks, so that M's do not meet for each (Go: newproc1). The first of a new block."""
    sched = mp.sched
    with sched.lock:
        goid = sched.goidgen
        sched.goidgen = goid + GOID_BATCH
    mp.goid_end = goid + GOID_BATCH
    return goid
