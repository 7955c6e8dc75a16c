"""What the scheduler must keep to, at every step and in quiet moments.

At every step, wherever an M may be in the scheduler (`check_step`):

1. A P is at most one of: idle, held by one M, promised to one. Who holds it says so, and it says who holds it. The
   idle list and its count agree.
2. A G runs on at most one M, and is in at most one queue: a ring, a runnext, a queue of its M, the global queue, an
   inbox. Queues hold only runnable G's.
3. A G that waits stands in each of its wait queues once, or its timer is armed once, and each queue is well linked.
4. Of a channel, at least one of the wait queues is empty (but for a select with itself), a receiver waits only at
   an empty buffer and a sender only at a full one: checked for what the waiting G's wait for.
5. Locks are taken in their order (`LockOrder`).
6. An M that has turns runs a started G on a P of its own, with nothing fresh queued there (`sched/turns.py`).

What a lock guards is not looked at while somebody holds that lock.

Whenever no M is inside the scheduler, because every one sleeps or runs a G that computes (`check`), besides:

7. A P is exactly one of these; an M that runs a G has one, unless that G is in `blocking`. A G that is runnable is in
   a queue, one that runs is on an M that its carrier knows, one that waits can be found by whoever is to wake it.
8. The fields that count and hint agree with what they count; who has no P does not spin.
9. Where M's are woken eagerly, no P is idle while a G that any M may run is queued; nobody who needs a P waits for one
   while one is idle. (Not under a policy that lets M's look only sometimes or not everywhere.)

Rejected: all of it at every step. Between a P's leaving one list and entering the next it is nowhere, rightly.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ..errors import MpgError
from ..sched.finish import live_gs
from ..sched.policy import may_spin
from ..status import GDEAD, GRUNNABLE, GRUNNING, GWAITING, PIDLE, PRUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..sched.g import G
    from ..sched.schedt import Sched

__all__ = ["InvariantError", "LockOrder", "check", "check_step"]

#: Whose locks may be taken, in this order; of some kinds several, by their numbers.
RANKS: Final = ("a primitive", "the scheduler", "a P's timers", "an M")
SEVERAL: Final = (0, 2)


class InvariantError(MpgError, AssertionError):
    """The scheduler has broken one of its own rules: a bug in mpg."""


def check(sched: Sched) -> None:
    """Check every rule, in a moment in which no M is inside the scheduler.

    Raises:
        InvariantError: one does not hold.
    """
    apply(sched, (*STEP, quiet_procs, quiet_gs, quiet_work))


def check_step(sched: Sched) -> None:
    """Check what holds wherever M's are.

    Raises:
        InvariantError: a rule does not hold.
    """
    apply(sched, STEP)


def apply(sched: Sched, rules: Iterable[Callable[[Sched], None]]) -> None:
    from .cells import here

    port = here.port
    was_open = port is not None and port.open
    if port is not None:
        port.open = False
    try:
        for rule in rules:
            rule(sched)
    finally:
        if port is not None:
            port.open = was_open


def need(ok: object, text: str) -> None:
    if not ok:
        raise InvariantError(text)


# At every step.


def held(lock: Any) -> bool:
    """Is somebody inside of what this lock guards?"""
    return bool(getattr(lock, "held", False))


def step_procs(sched: Sched) -> None:
    """Rule 1."""
    holders: dict[Any, Any] = {}
    for mp in sched.allm:
        if mp.p is not None:
            need(mp.p not in holders, f"{mp.p} is held by {holders.get(mp.p)} and by {mp}")
            holders[mp.p] = mp
            need(
                mp.p.m is mp and mp.p.status == PRUNNING,
                f"{mp.p} is held by {mp} and says {mp.p.m}, status {mp.p.status}",
            )
    promised = [mp.nextp for mp in sched.allm if mp.nextp is not None]
    if held(sched.lock):
        return
    for pp in sched.pidle:
        need(pp not in holders, f"{pp} is idle and held by {holders.get(pp)}")
        need(pp.status == PIDLE, f"the status of {pp} is {pp.status}, and it is idle")
    for pp in promised:
        need(pp not in holders, f"{pp} is promised and held by {holders.get(pp)}")
    once = [*sched.pidle, *promised]
    need(len(set(once)) == len(once), f"idle or promised twice: {once}")
    need(sched.npidle == len(sched.pidle), f"{sched.npidle} P's are said to be idle, {len(sched.pidle)} are")


def queued(sched: Sched) -> list[G]:
    """Every G in a queue, as often as it is in one."""
    out: list[Any] = list(sched.globq)
    for pp in sched.allp:
        out += [*pp.ring, *pp.runnext]
    for mp in sched.allm:
        out += [*mp.lq, *mp.gq, *(g for g in (mp.next, mp.nextg) if g is not None)]
        out += [item for item in mp.inbox if hasattr(item, "atomicstatus")]
    return out


def step_queues(sched: Sched) -> None:
    """Rule 2."""
    every = queued(sched)
    if len({id(gp) for gp in every}) < len(every):
        twice = [gid for gid, n in Counter(gp.id for gp in every).items() if n > 1]
        raise InvariantError(f"goroutines {twice} are in two queues")
    letters = {id(item) for mp in sched.allm for item in mp.inbox}
    for gp in every:
        need(gp.atomicstatus == GRUNNABLE or id(gp) in letters, f"{gp!r} is queued")
    running = [mp.curg for mp in sched.allm if mp.curg is not None]
    need(len({id(gp) for gp in running}) == len(running), f"a goroutine runs on two M's: {running}")


def sudogs_of(gp: G) -> list[Any]:
    """Where a G stands in line."""
    wait = gp.waiting
    return getattr(wait, "sudogs", None) or ([wait] if hasattr(wait, "q") else [])


def guards(sg: Any) -> Any:
    return getattr(sg.c, "lock", None)


def step_waits(sched: Sched) -> None:
    """Rule 3."""
    for gp in live_gs(sched):
        wait = gp.waiting
        if wait is None or gp.atomicstatus == GDEAD:
            continue
        for sg in sudogs_of(gp):
            if sg.q is None or held(guards(sg)):
                continue
            found, last, at = 0, None, sg.q.first
            while at is not None:
                found += at is sg
                need(at.prev is last and at.q is sg.q, f"the queue in which {gp!r} waits is torn")
                last, at = at, at.next
            need(
                found == 1 and sg.q.last is last, f"{gp!r} stands {found} times in the queue that it waits in"
            )
        heap = getattr(wait, "heap", None)
        if heap is not None and not held(heap.lock) and wait.when:
            armed = sum(entry[2] is wait for entry in heap.heap)
            need(armed == 1, f"the timer of {gp!r} is armed {armed} times")


def step_channels(sched: Sched) -> None:
    """Rule 4."""
    for gp in live_gs(sched):
        if gp.atomicstatus == GDEAD:
            continue
        for sg in sudogs_of(gp):
            ch = sg.c
            if not hasattr(ch, "recvq") or held(ch.lock):
                continue
            if ch.recvq.first is not None:
                need(not len(ch.buf), f"{ch!r} has items, and a receiver waits")
                both = ch.sendq.first is not None and ch.sendq.first.g is not ch.recvq.first.g
                need(not both, f"a sender and a receiver wait for {ch!r}")
            if ch.sendq.first is not None:
                need(len(ch.buf) >= ch.cap, f"{ch!r} has room, and a sender waits")


def step_turns(sched: Sched) -> None:
    """Rule 6."""
    for mp in sched.allm:
        turns, pp, gp = mp.turns + mp.ends + mp.spawns, mp.p, mp.curg
        if not mp.grant:
            need(not turns, f"{mp} has {turns} turns, and nobody takes them")
            continue
        has = f"{mp} has {mp.turns} yields, {mp.ends} ends, {mp.spawns} spawns, and"
        need(turns >= 0 and pp is not None and not mp.insyscall, f"{has} its P is {pp}")
        need(gp is not None, f"{has} it runs none")
        if mp.grant > 0:
            need(gp is not None and gp.listed is not None, f"{has} it runs {gp!r}")
            need(pp is not None and pp.runqempty(), f"{has} a fresh G waits on {pp}")
        else:
            need(pp is not None and not (pp.runnext or mp.lq), f"{has} not only the ring has G's")


STEP: Final = (step_procs, step_queues, step_waits, step_channels, step_turns)


class LockOrder:
    """Rule 5, for one thread of control: what it holds."""

    __slots__ = ("held", "rank")

    def __init__(self, rank: Callable[[Any], int]) -> None:
        self.rank = rank
        self.held: list[Any] = []

    def took(self, lock: Any) -> None:
        """`lock` has been acquired: it comes after those that are held already."""
        if self.held:
            rank, last = self.rank(lock), max(map(self.rank, self.held))
            if rank < last or (rank == last and rank not in SEVERAL):
                raise InvariantError(f"the lock of {RANKS[rank]} is taken with that of {RANKS[last]} held")
        self.held.append(lock)

    def gave_back(self, lock: Any) -> None:
        if lock in self.held:
            self.held.remove(lock)


# When no M is inside the scheduler.


def quiet_procs(sched: Sched) -> None:
    """Rules 7 and 8, of P's."""
    holders = {mp.p: mp for mp in sched.allm if mp.p is not None}
    for pp in sched.allp:
        idle = pp in sched.pidle
        promised = any(mp.nextp is pp for mp in sched.allm)
        need(
            idle + (pp in holders) + promised == 1,
            f"{pp} is idle: {idle}, held by {holders.get(pp)}, promised: {promised}",
        )
        need(pp.status == (PRUNNING if pp in holders else PIDLE), f"the status of {pp} is {pp.status}")
        need(pp.global_hint == bool(sched.globq), f"{pp} is told of a global queue: {pp.global_hint}")
        first = min((entry[0] for entry in pp.timers.heap if entry[2] is not None), default=0)
        need(pp.when == first, f"the first timer of {pp} is at {first}, it says {pp.when}")
    for mp in sched.allm:
        need(mp.curg is None or mp.insyscall or mp.p is not None, f"{mp} runs {mp.curg!r} without a P")
        need(not mp.spinning or mp.p is not None or mp.nextp is not None, f"{mp} spins without a P")
    spinning = sum(mp.spinning for mp in sched.allm)
    need(sched.nmspinning == spinning, f"{sched.nmspinning} M's are said to spin, {spinning} do")


def quiet_gs(sched: Sched) -> None:
    """Rule 7, of G's."""
    places = {gp.id for gp in queued(sched)}
    letters = any(callable(item) for mp in sched.allm for item in mp.inbox)
    running = Counter(mp.curg.id for mp in sched.allm if mp.curg is not None)
    for mp in sched.allm:
        stack = None if mp.curg is None else mp.curg.stack
        known = stack is None or getattr(stack, "mpg_m", None) is mp
        need(known, f"the carrier of {mp.curg!r} does not know that it is on {mp}")
    for gp in live_gs(sched):
        if gp.atomicstatus == GRUNNABLE:
            need(gp.id in places or letters, f"{gp!r} is nowhere")
        elif gp.atomicstatus == GRUNNING:
            need(running[gp.id] == 1, f"{gp!r} runs on {running[gp.id]} M's")
        elif gp.atomicstatus == GWAITING and gp.id not in places and not letters:
            every = sudogs_of(gp)
            need(not every or any(sg.q is not None for sg in every), f"{gp!r} waits in no queue")
            need(getattr(gp.waiting, "when", 1), f"{gp!r} waits for a timer that is not armed")


def quiet_work(sched: Sched) -> None:
    """Rule 9."""
    if not sched.pidle:
        return
    for mp in sched.allm:
        started = [g for g in (*mp.lq, *mp.gq, mp.next) if g is not None]
        need(
            not started or mp.p is not None or mp.insyscall or mp.curg is not None,
            f"{mp} needs a P for {started}, and {sched.pidle} are idle",
        )
    if not sched.caps.eager_wakep or not getattr(sched.port, "looks_everywhere", True):
        return
    if not may_spin(0, sched.gomaxprocs, sched.npidle, sched.spin_share):
        return
    fresh = [*sched.globq, *(gp for pp in sched.allp for gp in (*pp.ring, *pp.runnext))]
    need(not fresh, f"{fresh} could run, and {sched.pidle} are idle")
