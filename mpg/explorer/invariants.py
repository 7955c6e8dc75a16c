"""What must hold whenever no M is inside the scheduler: every M sleeps, or runs a G that computes.

1. Every P is idle, or held by one M, which says so too; the idle list and its count agree. An M that runs a G
   has one, unless that G is in `blocking`.
2. Every runnable G is in exactly one place: a ring, a runnext, a queue of its M, the global queue, or an inbox.
3. Queues hold only runnable G's; the fields that count and hint agree with what they count.
4. Where M's are woken eagerly, no P is idle while a G that any M may run is queued; nobody who needs a P waits for one
   while one is idle.
5. Of a channel, at least one of the wait queues is empty (but for a select with itself), a receiver waits only at
   an empty buffer and a sender only at a full one: checked for what the waiting G's wait for.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..errors import MpgError
from ..sched.finish import live_gs
from ..status import GDEAD, GRUNNABLE, GRUNNING, PIDLE, PRUNNING

if TYPE_CHECKING:
    from ..sched.structs import G, Sched

__all__ = ["InvariantError", "check"]


class InvariantError(MpgError, AssertionError):
    """The scheduler has broken one of its own rules: a bug in mpg."""


def check(sched: Sched) -> None:
    """Check every invariant.

    Raises:
        InvariantError: one does not hold.
    """
    from .cells import here

    port = here.port
    was_open = port is not None and port.open
    if port is not None:
        port.open = False
    try:
        for rule in (check_procs, check_queues, check_work, check_channels):
            rule(sched)
    finally:
        if port is not None:
            port.open = was_open


def need(ok: object, text: str) -> None:
    if not ok:
        raise InvariantError(text)


def check_procs(sched: Sched) -> None:
    """Rule 1."""
    holders = {mp.p: mp for mp in sched.allm if mp.p is not None}
    for pp in sched.allp:
        idle = pp in sched.pidle
        promised = any(mp.nextp is pp for mp in sched.allm)
        need(
            idle + (pp in holders) + promised == 1,
            f"{pp} is idle: {idle}, held by {holders.get(pp)}, promised: {promised}",
        )
        need(pp.status == (PRUNNING if pp in holders else PIDLE), f"the status of {pp} is {pp.status}")
        if pp in holders:
            need(pp.m is holders[pp], f"{pp} is held by {holders[pp]} and says {pp.m}")
    for mp in sched.allm:
        need(mp.curg is None or mp.insyscall or mp.p is not None, f"{mp} runs {mp.curg!r} without a P")
    need(sched.npidle == len(sched.pidle), f"{sched.npidle} P's are said to be idle, {len(sched.pidle)} are")
    spinning = sum(mp.spinning for mp in sched.allm)
    need(sched.nmspinning == spinning, f"{sched.nmspinning} M's are said to spin, {spinning} do")


def queued(sched: Sched) -> list[G]:
    """Every G in a queue, as often as it is in one."""
    out: list[Any] = list(sched.globq)
    for pp in sched.allp:
        out += [*pp.ring, *pp.runnext]
    for mp in sched.allm:
        out += [*mp.lq, *mp.gq, *(g for g in (mp.next, mp.nextg) if g is not None)]
        out += [item for item in mp.inbox if hasattr(item, "atomicstatus")]
    return out


def check_queues(sched: Sched) -> None:
    """Rules 2 and 3."""
    places = Counter(gp.id for gp in queued(sched))
    twice = [gid for gid, n in places.items() if n > 1]
    need(not twice, f"goroutines {twice} are in two queues")
    letters = {id(item) for mp in sched.allm for item in mp.inbox}
    for gp in queued(sched):
        need(gp.atomicstatus == GRUNNABLE or id(gp) in letters, f"{gp!r} is queued")
    running = Counter(mp.curg.id for mp in sched.allm if mp.curg is not None)
    for gp in live_gs(sched):
        if gp.atomicstatus == GRUNNABLE:
            need(
                gp.id in places or any(callable(i) for mp in sched.allm for i in mp.inbox),
                f"{gp!r} is nowhere",
            )
        elif gp.atomicstatus == GRUNNING:
            need(running[gp.id] == 1, f"{gp!r} runs on {running[gp.id]} M's")
    need(all(n == 1 for n in running.values()), "a goroutine runs on two M's")
    for pp in sched.allp:
        need(pp.global_hint == bool(sched.globq), f"{pp} is told of a global queue: {pp.global_hint}")
        first = min((entry[0] for entry in pp.timers.heap if entry[2] is not None), default=0)
        need(pp.when == first, f"the first timer of {pp} is at {first}, it says {pp.when}")


def check_work(sched: Sched) -> None:
    """Rule 4."""
    if not sched.pidle:
        return
    for mp in sched.allm:
        started = [g for g in (*mp.lq, *mp.gq, mp.next) if g is not None]
        need(
            not started or mp.p is not None or mp.insyscall or mp.curg is not None,
            f"{mp} needs a P for {started}, and {sched.pidle} are idle",
        )
    if not sched.caps.eager_wakep:
        return
    fresh = [*sched.globq, *(gp for pp in sched.allp for gp in (*pp.ring, *pp.runnext))]
    need(not fresh, f"{fresh} could run, and {sched.pidle} are idle")


def check_channels(sched: Sched) -> None:
    """Rule 5."""
    for gp in live_gs(sched):
        wait = gp.waiting
        if wait is None or gp.atomicstatus == GDEAD:
            continue
        for sg in getattr(wait, "sudogs", None) or ([wait] if hasattr(wait, "c") else []):
            ch = sg.c
            if not hasattr(ch, "recvq"):
                continue
            if ch.recvq.first is not None:
                need(not len(ch.buf), f"{ch!r} has items, and a receiver waits")
                both = ch.sendq.first is not None and ch.sendq.first.g is not ch.recvq.first.g
                need(not both, f"a sender and a receiver wait for {ch!r}")
            if ch.sendq.first is not None:
                need(len(ch.buf) >= ch.cap, f"{ch!r} has room, and a sender waits")
