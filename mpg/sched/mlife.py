"""M's and their P's: acquire, release, start, wake, hand off, retire (Go: acquirep ... handoffp, procresize).

Two protocols between M's live here and are the reason for `M.lock`:

* post against sleep: `post` publishes in the inbox and looks at `asleep`; `sleep` in `park.py` publishes
  `asleep` and looks at the inbox; both under the owner's lock, so one of the two always sees the other.
* a P promised to a sleeping M (`nextp`) is set under `sched.lock` before `wake`; an M that wakes by itself
  looks for it under the same lock before it gives up.

Order of locks: docs/architecture.md. Threads are started with no lock held.

A signal handler or `__del__` may strike while its own thread has one of these locks. What it may do, making G's and
making them ready, asks for the lock that it needs (`_is_owned`), and is put off if that is so. Nothing else asks:
`blocking` in such a place is an error of the program's.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from ..current import tls
from ..status import PRUNNING
from ..trace.events import Handoff, MWake, ProcsChange, ProcStop
from .idle import (
    mget_locked,
    pidleget_spinning_locked,
    pidleput_locked,
    pidletake_locked,
    publish_locked,
    retire_locked,
    set_allp_locked,
)

if TYPE_CHECKING:
    from .schedt import Sched
    from .structs import M, P

__all__ = [
    "acquirep",
    "handoffp",
    "post",
    "procresize",
    "put_p",
    "releasep",
    "startm",
    "take_p",
    "wake",
    "wakep",
]

log = logging.getLogger("mpg")


def acquirep(mp: M, pp: P) -> None:
    """Bind an idle or promised P to `mp` (Go: acquirep, wirep)."""
    pp.m = mp
    pp.status = PRUNNING
    pp.preempt = False
    if pp.ticket < mp.ticket:
        pp.ticket = mp.ticket
    if pp.last is not mp:
        if pp.last is not None:  # its G's may be in the queues of that M too
            pp.bare = 0
        pp.last = mp
    mp.p = pp
    if mp.rec is not None:
        mp.rec.acquire(mp, pp)


def releasep(mp: M) -> P:
    """Unbind the P of `mp`; the caller now owns it (Go: releasep)."""
    pp = mp.p
    assert pp is not None
    if mp.rec is not None:
        mp.rec.bare(ProcStop, p=pp.id)
    mp.p = None
    mp.ticket = max(mp.ticket, pp.ticket)
    return pp


def take_p(mp: M, pp: P) -> bool:
    """Take `pp` from `mp`, whose G is in `blocking`; False if it has come back (Go: takeP).

    Pairs with `syscall.exitsyscall`. The caller then owns the P.
    """
    rec = None if mp.rec is None else tls.m.rec
    when = 0
    if rec is not None:
        rec.reach()
    with mp.lock:
        mine = mp.insyscall and mp.p is pp
        if mine:
            if rec is not None:
                when = rec.now()
            mp.p = None
            mp.ticket = max(mp.ticket, pp.ticket)
            pp.m = None
    if rec is not None:
        rec.taken(mp, pp, when)
    if not mine:
        return False
    pp.syscalltick += 1
    mp.sched.stranded_events += len(mp.lq) + len(mp.gq) + (mp.next is not None)
    return True


def wake(mp: M) -> None:
    """End the sleep of `mp`, or keep it from beginning one (Go: notewakeup of m.park)."""
    if mp.lock._is_owned():
        tls.m.put_off(lambda _: wake(mp))
        return
    with mp.lock:
        asleep, mp.asleep = mp.asleep, False
    if asleep:
        if mp.rec is not None and tls.m.rec is not None:
            pp = mp.nextp
            tls.m.rec.bare(MWake, mp.id, -1 if pp is None else pp.id)
        mp.sched.port.wakeup(mp)


def post(mp: M, item: Any) -> bool:
    """Leave a ready G, or a call `item(mp)`, in the inbox of `mp`; wakes it only if it sleeps. Any thread.

    False if that M has ended and will not look any more.
    """
    if mp.lock._is_owned():
        tls.m.put_off(partial(post_late, mp, item))
        return True
    with mp.lock:
        if mp.exited:
            return False
        mp.inbox.append(item)
        mp.attn = True
        asleep, mp.asleep = mp.asleep, False
    mp.sched.stuck = False
    if asleep:
        if mp.rec is not None and tls.m.rec is not None and tls.m.sched is mp.sched:
            tls.m.rec.bare(MWake, mp.id)
        mp.sched.port.wakeup(mp)
    return True


def post_late(mp: M, item: Any, _: Any) -> None:
    """`post` that had been put off."""
    if not post(mp, item) and callable(item):
        item(mp)


def startm(sched: Sched, pp: P, spinning: bool, *, handoff: bool = False) -> None:
    """Get an M to run `pp`, which the caller owns: the M idle last, or a new one (Go: startm).

    With `spinning` the caller has already counted it in nmspinning.
    """
    new = False
    with sched.lock:
        mp = mget_locked(sched)
        if mp is None:
            mp = new_m_locked(sched)
            new = True
        mp.spinning = spinning
        mp.nextp = pp
        sched.handoffs += handoff
    if new and mp.rec is not None:
        mp.rec.by = tls.m.id
    if handoff and mp.rec is not None:
        tls.m.rec.bare(Handoff, pp.id, mp.id)
    if not new:
        wake(mp)
        return
    try:
        sched.port.start_m(mp, sched.m_main)
    except RuntimeError as exc:  # the system refused a thread: the P stays idle, its G's can be stolen
        log.warning("mpg: cannot start another M: %s", exc)
        with sched.lock:
            sched.allm.remove(mp)
            if spinning:
                sched.nmspinning -= 1
            sched.pidle.append(pp)
            sched.npidle += 1
            publish_locked(sched)


def new_m_locked(sched: Sched) -> M:
    mp: M = sched.new_m_object(sched, sched.mnext)
    sched.mnext += 1
    mp.attn = sched.stopping
    sched.allm.append(mp)
    return mp


def wakep(sched: Sched) -> None:
    """Start one spinning M if a P is idle and nobody spins (Go: wakep)."""
    if sched.lock._is_owned():
        tls.m.put_off(lambda _: wakep(sched))
        return
    with sched.lock:
        if sched.nmspinning or sched.stopping:
            return
        pp = pidleget_spinning_locked(sched)
        if pp is None:
            return
        sched.nmspinning += 1
        publish_locked(sched)
    startm(sched, pp, True)


def become_spinning_locked(mp: M) -> None:
    """Go: becomeSpinning."""
    mp.spinning = True
    if mp.rec is not None:
        mp.rec.spin(mp, True)
    mp.sched.nmspinning += 1
    mp.sched.needspinning = False
    publish_locked(mp.sched)


def resetspinning(mp: M) -> None:
    """An M that found work stops spinning and wakes the next (Go: resetspinning)."""
    sched = mp.sched
    if mp.rec is not None:
        mp.rec.spin(mp, False)
    with sched.lock:
        mp.spinning = False
        sched.nmspinning -= 1
        publish_locked(sched)
        hint = sched.wake_hint
    if hint:
        wakep(sched)


def put_p(sched: Sched, pp: P) -> None:
    """Make a P idle, or give it to the M that has waited longest for one."""
    with sched.lock:
        mp = pidleput_locked(sched, pp)
    if mp is not None:
        wake(mp)


def handoffp(sched: Sched, pp: P) -> None:
    """Find a new M for a P whose M blocks, if there is anything to do (Go: handoffp)."""
    if not pp.runqempty() or sched.globq:
        startm(sched, pp, False, handoff=True)
        return
    with sched.lock:
        if sched.caps.eager_wakep and not sched.nmspinning and not sched.npidle and not sched.stopping:
            sched.nmspinning += 1
            sched.needspinning = False
            publish_locked(sched)
            spin = True
        else:
            spin = False
            last = sched.npidle == len(sched.allp) - 1 and sched.lastpoll != 0
    if spin:
        startm(sched, pp, True, handoff=True)
    elif last and not sched.caps.poller_per_m:
        startm(sched, pp, False, handoff=True)
    else:
        when = pp.when
        put_p(sched, pp)
        if when:
            wake_netpoller(sched, when)


def wake_netpoller(sched: Sched, when: int) -> None:
    """Somebody must wake at `when`: tell the M that sleeps towards a later deadline (Go: wakeNetPoller)."""
    if sched.lock._is_owned():
        tls.m.put_off(lambda _: wake_netpoller(sched, when))
        return
    if sched.caps.poller_per_m:
        with sched.lock:
            mp = sched.pollm
            if mp is None or (sched.poll_until and sched.poll_until <= when) or sched.npidle == 0:
                return
        wake(mp)
        return
    if sched.lastpoll == 0:
        mp = sched.pollm
        if mp is not None and (not sched.poll_until or sched.poll_until > when):
            wake(mp)
    elif sched.wake_hint:
        wakep(sched)


def procresize(sched: Sched, n: int) -> None:
    """Change GOMAXPROCS while running. Growth is immediate; a surplus P retires when it next goes idle or
    its M reaches a scheduling point. The host never stops the world (Go: procresize does)."""
    fresh: list[P] = []
    if sched.lock._is_owned():
        raise RuntimeError(
            "gomaxprocs in a signal handler or __del__ that interrupted the scheduler: let a G do that"
        )
    with sched.lock:
        sched.gomaxprocs = n
        if tls.m.rec is not None:
            tls.m.rec.bare(ProcsChange, n)
        for pp in sched.allp:
            pp.procs = n
        for pp in list(sched.allp):
            if pp.relief_for is None and pp.id >= n:
                if pidletake_locked(sched, pp):
                    retire_locked(sched, pp)
                else:
                    pp.leave = True
        have = {pp.id for pp in sched.allp if pp.relief_for is None}
        for pid in range(n):
            if pid not in have:
                fresh.append(sched.new_p(sched, pid))
        set_allp_locked(sched, sorted([*sched.allp, *fresh], key=lambda p: p.id))
        ms = list(sched.allm)  # those whose P is to leave, and who takes turns because it was the only one
    for pp in reversed(fresh):
        put_p(sched, pp)
    for mp in ms:
        mp.ring_bell()
