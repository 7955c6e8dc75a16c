"""The cold end of `find_runnable`: give up the P, look once more, sleep, come back with a P or without.

Two worlds differ here, and only here. Where every M has its own poller (pinned stacks), an idle M sleeps *in*
that poller and stays on the idle list: its I/O, its inbox, the first timer or `startm` may wake it. Where
one poller is shared (Go), the first M to go idle blocks in it and the others sleep on their notes.

The order "drop the P, stop spinning, then look again" pairs with `ready` and `newproc`, which queue first and
look for a spinning M afterwards: one of the two sees the other (Go: the long comment in proc.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..trace.events import MPark
from .deadlock import checkdead_locked, first_timer
from .idle import (
    mput_locked,
    mremove_locked,
    pidleget_locked,
    pidleget_spinning_locked,
    pidleput_locked,
    pidletake_locked,
    publish_locked,
)
from .mlife import acquirep, become_spinning_locked, releasep, wake
from .runq import get_global_batch_locked
from .steal import may_steal

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched
    from .structs import M, P

__all__ = ["give_up_p", "leave_p", "without_p"]


def give_up_p(mp: M, pp: P) -> G | None:
    """Steps 14 to 16 of findRunnable: the last look, then drop the P, then look again if we were spinning."""
    sched = mp.sched
    with sched.lock:
        if mp.attn or sched.stopping:
            return None
        if sched.globq:
            pp.schedtick += 1
            return get_global_batch_locked(mp, pp)
        if not mp.spinning and sched.needspinning and sched.caps.eager_wakep:
            become_spinning_locked(mp)
            return None
        dropped = drop_p_locked(mp, pp)
    after_drop(mp, *dropped)
    return None


def leave_p(mp: M, pp: P) -> None:
    """Give up a P that is to go, because it is retired or another M needs it (Go: gcstopm)."""
    with mp.sched.lock:
        dropped = drop_p_locked(mp, pp)
    after_drop(mp, *dropped)


def drop_p_locked(mp: M, pp: P) -> tuple[M | None, bool]:
    """Drop the P, then stop spinning. Who has got the P, and whether we were spinning: for `after_drop`."""
    sched = mp.sched
    releasep(mp)
    waiter = pidleput_locked(sched, pp)
    was_spinning = mp.spinning
    if was_spinning:
        if mp.rec is not None:
            mp.rec.spin(mp, False)
        mp.spinning = False
        sched.nmspinning -= 1
        publish_locked(sched)
    return waiter, was_spinning


def after_drop(mp: M, waiter: M | None, was_spinning: bool) -> None:
    """Wake who has got the P, then look again if we were spinning."""
    if waiter is not None:
        wake(waiter)
    if was_spinning and mp.sched.recheck:
        recheck(mp)


def recheck(mp: M) -> None:
    """Work that was queued while we were the last to spin: take a P for it and spin again."""
    sched = mp.sched
    for pp in sched.allp:
        if pp.m is not None and not pp.runqempty() and may_steal(sched, pp):
            break
    else:
        if not sched.globq:
            return
    with sched.lock:
        idle = pidleget_spinning_locked(sched)
        if idle is not None:
            become_spinning_locked(mp)
    if idle is not None:
        acquirep(mp, idle)


def without_p(mp: M) -> None:
    """Get a P if there is a reason to, else sleep; the caller looks at everything again."""
    sched = mp.sched
    if sched.caps.poller_per_m:
        own_poller(mp)
    else:
        shared_poller(mp)
    if sched.sysmonwait and mp.p is not None and sched.caps.sysmon_follows:
        wake_sysmon(sched)


def own_poller(mp: M) -> None:
    """Sleep in this M's poller, on the idle list unless G's of its own make it wait for a P."""
    sched = mp.sched
    wants = mp.next is not None or bool(mp.lq) or bool(mp.gq)
    until = 0
    with sched.lock:
        pp, mp.nextp = mp.nextp, None
        if pp is None and wants:
            pp = pidleget_locked(sched)
            if pp is None and not mp.wants_p:
                mp.wants_p = True
                sched.pwait.append(mp)
        if pp is None and not wants:
            if sched.pidle:
                pp = due_locked(mp)
            if pp is None:
                until = cover_timers_locked(mp)
                mput_locked(sched, mp)
                checkdead_locked(sched)
    if pp is None:
        sleep(mp, until)
        with sched.lock:
            mremove_locked(sched, mp)
            if sched.pollm is mp:
                sched.pollm = None
            pp, mp.nextp = mp.nextp, None
    if pp is not None:
        acquirep(mp, pp)


def due_locked(mp: M) -> P | None:
    """An idle P that has a timer due."""
    sched = mp.sched
    now = 0
    for pp in sched.pidle:
        if pp.when:
            now = now or mp.now()
            if pp.when <= now and pidletake_locked(sched, pp):
                return pp
    return None


def cover_timers_locked(mp: M) -> int:
    """The first deadline of the idle P's, if no other sleeping M wakes in time for it; else 0."""
    sched = mp.sched
    first = 0
    for pp in sched.pidle:
        if pp.when and (not first or pp.when < first):
            first = pp.when
    if not first or (sched.pollm is not None and sched.poll_until and sched.poll_until <= first):
        return 0
    sched.pollm = mp
    sched.poll_until = first
    return first


def shared_poller(mp: M) -> None:
    """Steps 17 to 19 of findRunnable: block in the poller if nobody does, else stop (Go: stopm)."""
    sched = mp.sched
    with sched.lock:
        pp, mp.nextp = mp.nextp, None
        until = first_timer(sched)
        poll = pp is None and until != 0 and sched.lastpoll != 0
        if poll:
            sched.lastpoll = 0
            sched.pollm = mp
            sched.poll_until = until
        elif pp is None:
            mput_locked(sched, mp)
            checkdead_locked(sched)
    if poll:
        sleep(mp, until)
        with sched.lock:
            sched.lastpoll = mp.now() or 1
            sched.pollm = None
            pp = pidleget_locked(sched)
            if pp is None:
                mput_locked(sched, mp)
                checkdead_locked(sched)
    if pp is None:
        sleep(mp, 0)
        with sched.lock:
            mremove_locked(sched, mp)
            pp, mp.nextp = mp.nextp, None
    if pp is not None:
        acquirep(mp, pp)


def sleep(mp: M, until: int) -> None:
    """Sleep unless something has come in; pairs with `mlife.post` and `mlife.wake`."""
    with mp.lock:
        if mp.inbox or mp.nextp is not None or mp.sched.stopping or mp.sigint or mp.sigterm:
            return
        mp.asleep = True
    if mp.rec is not None and mp is not mp.sched.sysmon:  # that one sleeps up to 50,000 times a second
        mp.rec.bare(MPark, until or -1)
    mp.sched.port.sleep(mp, until)
    with mp.lock:
        mp.asleep = False


def wake_sysmon(sched: Sched) -> None:
    """Somebody runs again, or begins a syscall: sysmon ends its deep sleep."""
    sched.sysmonwait = False
    if sched.sysmon is not None:
        wake(sched.sysmon)
