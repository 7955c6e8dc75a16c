"""The run queues: runnext, local, global (Go: runqput, runqget, globrunq*).

`structs.py` says which queue holds what. The rules kept here:

* "local" means the P's ring merged by ticket with the M's `lq`; it is full at 256, and then the oldest 128
  plus the newcomer go to the global side, in order.
* "global" means the shared global queue merged by ticket with the M's `gq`.
* Each entry gets a new ticket from the P whenever it is queued, so every queue is sorted by ticket. A fresh G that
  is queued while `lq` is empty, on a P that has had one M only, needs none: it has 0, and is older than all that will
  come into `lq`.
* `ring`, `runnext` and the global queue hold only G's that any M may run.

Only the M that holds the P calls these functions. Every removal from a shared cell is one atomic pop whose failure
is expected: a thief may have been quicker (`steal.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..current import tls
from ..trace.events import GlobqLen, Overflow
from .policy import GLOBAL_BATCH, OVERFLOW, RING, global_batch
from .turns import begin_turns, end_turns

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched
    from .structs import M, P

__all__ = [
    "drop_fresh",
    "get_local",
    "pick",
    "pick_started",
    "put",
    "put_global_locked",
    "put_next",
    "put_global_started",
]


def put(mp: M, pp: P, gp: G) -> None:
    """Queue `gp` at the local tail (Go: runqput with next=false)."""
    if mp.grant:
        end_turns(mp)
    q = pp.ring if gp.home is None else mp.lq
    if len(pp.ring) + len(mp.lq) >= RING:
        overflow(mp, pp, gp)
        return
    ticket = pp.ticket
    gp.ticket = ticket
    pp.ticket = ticket + 1
    q.append(gp)


def put_next(mp: M, pp: P, gp: G) -> None:
    """Make `gp` the next to run; the one it displaces goes to the local tail (Go: runqput with next=true)."""
    if mp.grant:
        end_turns(mp)
    old = mp.next
    mp.next = (
        None if gp.home is None else gp
    )  # at once: a signal handler in a call below may make another one next
    if old is not None:
        put(mp, pp, old)
    elif pp.runnext:
        displace(mp, pp)
    if gp.home is None:
        pp.runnext.append(gp)


def displace(mp: M, pp: P) -> None:
    """A fresh G that is next to run goes to the local tail."""
    try:
        old = pp.runnext.pop()
    except IndexError:  # a thief was quicker
        return
    put(mp, pp, old)


def pick(mp: M, pp: P) -> G | None:
    """The next G without looking beyond this M, its P and the global queue (Go: findRunnable, steps 6, 8, 9)."""
    gp: G | None
    if mp.grant:
        end_turns(mp)
    tick = pp.schedtick
    fair = calm = False  # this slice looks at the global side first; it is the first after one that did
    if tick >= pp.fair_at:
        ahead = -tick % pp.fair_tick
        if mp.fifo:
            pp.fair_at = tick + ahead
            calm = ahead > 0
        fair = not ahead
    if fair and (mp.gq or pp.global_hint):
        gp = get_global(mp, pp)
        if gp is not None:
            pp.schedtick = tick + 1
            return gp
    gp = mp.next
    if gp is not None:
        mp.next = None
        pp.nexttick += 1
        return gp
    if pp.runnext:
        try:
            gp = pp.runnext.pop()
            pp.nexttick += 1
            return gp
        except IndexError:
            pass
    if pp.ring or mp.lq:
        gp = mp.get_local(pp)
    if gp is None and (mp.gq or pp.global_hint):
        gp = get_global_batch(mp, pp)
    if gp is not None:
        pp.schedtick = tick + 1
        if calm and gp.listed is not None:
            begin_turns(mp, pp)
    return gp


def pick_started(mp: M, pp: P) -> G | None:
    """As `pick`, leaving the fresh G's alone: for an M that a G has locked."""
    gp = mp.next
    if gp is not None:
        mp.next = None
        pp.nexttick += 1
        return gp
    queue = mp.lq or mp.gq
    if not queue:
        return None
    pp.schedtick += 1
    return queue.popleft()


def get_local(mp: Any, pp: P) -> G | None:
    """The older of the heads of ring and lq (Go: runqget without runnext)."""
    ring, lq = pp.ring, mp.lq
    if ring:
        try:
            if not lq or ring[0].ticket < lq[0].ticket:
                gp: G = ring.popleft()
                return gp
        except IndexError:
            pass
    return lq.popleft() if lq else None


def get_global(mp: M, pp: P) -> G | None:
    """One from the head of the global side (Go: globrunqget)."""
    if not pp.global_hint:
        return mp.gq.popleft() if mp.gq else None
    with mp.sched.lock:
        taken = take_global_locked(mp, 1)
    return taken[0] if taken else None


def take_global_locked(mp: M, n: int) -> list[G]:
    """At most `n` from the head of the global side. With sched.lock held."""
    sched, gq = mp.sched, mp.gq
    globq = sched.globq
    shared = len(globq)
    if gq:
        taken = []
        for _ in range(n):
            if globq and (not gq or globq[0].ticket < gq[0].ticket):
                taken.append(globq.popleft())
            elif gq:
                taken.append(gq.popleft())
    else:
        taken = [globq.popleft() for _ in range(min(n, shared))]
    if len(globq) < shared:
        if mp.rec is not None:
            for left in range(shared - 1, len(globq) - 1, -1):
                mp.rec.simple(mp, GlobqLen, left, -1)
            mp.rec.take_global()
        if not globq:
            set_global_hint_locked(sched, False)
    return taken


def get_global_batch(mp: M, pp: P) -> G | None:
    """The head of the global side to run, and a fair share of what follows into the local queue."""
    if pp.global_hint:
        with mp.sched.lock:
            return get_global_batch_locked(mp, pp)
    gq = mp.gq
    n = len(gq)  # 0 if another M was quicker, and has just said so
    if (
        0 < n <= GLOBAL_BATCH and pp.procs == 1
    ):  # all of them; their tickets are lower than any that come later
        mp.gq, mp.lq = mp.lq, gq
        return gq.popleft()
    return put_batch(mp, pp, [gq.popleft() for _ in range(global_batch(n, pp.procs))])


def get_global_batch_locked(mp: M, pp: P) -> G | None:
    """Go: globrunqgetbatch. With sched.lock held."""
    sched = mp.sched
    n = global_batch(len(sched.globq) + len(mp.gq), sched.gomaxprocs)
    return put_batch(mp, pp, take_global_locked(mp, n))


def put_batch(mp: M, pp: P, taken: list[G]) -> G | None:
    """The first of these is to run, the others go to the local tail."""
    ring, lq, ticket = pp.ring, mp.lq, pp.ticket
    pp.ticket = ticket + len(taken)  # first: a `__del__` may queue something meanwhile
    for gp in taken[1:]:
        gp.ticket = ticket
        ticket += 1
        (ring if gp.home is None else lq).append(gp)
    return taken[0] if taken else None


def overflow(mp: M, pp: P, gp: G) -> None:
    """The oldest half of a full local queue and `gp` go to the global side (Go: runqputslow)."""
    if mp.sched.lock._is_owned():  # in a signal handler or `__del__`: the queue is too long for a while
        gp.ticket = pp.ticket
        pp.ticket += 1
        (pp.ring if gp.home is None else mp.lq).append(gp)
        return
    batch = [*oldest(mp, pp, OVERFLOW), gp]
    with mp.sched.lock:
        ticket = pp.ticket
        pp.ticket = ticket + len(batch)
        for g in batch:
            g.ticket = ticket
            ticket += 1
        mp.gq.extend(g for g in batch if g.home is not None)
        if mp.rec is not None:
            mp.rec.simple(mp, Overflow, len(batch), -1)
        put_global_locked(mp.sched, [g for g in batch if g.home is None])


def oldest(mp: M, pp: P, n: int) -> list[G]:
    """Up to `n` from the head of the local queue, as `get_local` gives them."""
    if mp.lq or not mp.fifo:  # else it is a ring alone
        return [gp for _ in range(n) if (gp := mp.get_local(pp)) is not None]
    out: list[G] = []
    try:
        for _ in range(n):
            out.append(pp.ring.popleft())
    except IndexError:  # thieves were quicker
        pass
    return out


def put_global_started(mp: M, gp: G) -> None:
    """Queue a G of this M at the global tail (Go: globrunqput). Needs no P."""
    pp = mp.p
    if pp is None:
        gp.ticket = mp.ticket
        mp.ticket += 1
    else:
        gp.ticket = pp.ticket
        pp.ticket += 1
    mp.gq.append(gp)


def put_global_locked(sched: Sched, gps: Iterable[G]) -> None:
    """Append fresh G's, which have their tickets, to the global queue. With sched.lock held."""
    sched.globq.extend(gps)
    if sched.new_rec is not None and tls.m.rec is not None:
        tls.m.rec.bare(GlobqLen, len(sched.globq))
    if sched.globq:
        set_global_hint_locked(sched, True)


def set_global_hint_locked(sched: Sched, hint: bool) -> None:
    for pp in sched.allp:
        pp.global_hint = hint


def drain_p(pp: P) -> list[G]:
    """Empty a P: runnext first, then the ring in order (Go: runqdrain)."""
    out: list[G] = []
    for cell, take in ((pp.runnext, pp.runnext.pop), (pp.ring, pp.ring.popleft)):
        while cell:
            try:
                out.append(take())
            except IndexError:
                break
    return out


def drop_fresh(sched: Sched) -> list[G]:
    """Empty every shared queue, at the end of a run."""
    with sched.lock:
        out = list(sched.globq)
        sched.globq.clear()
        set_global_hint_locked(sched, False)
        for pp in sched.allp:
            out.extend(drain_p(pp))
    if sched.new_rec is not None and tls.m.rec is not None:
        tls.m.rec.drop(out)
    return out


assert GLOBAL_BATCH <= RING
