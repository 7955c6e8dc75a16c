"""Timers: one heap per P, ordered by (when, seq) (Go: time.go).

A timer lives in the heap of the P that added it. The M that holds a P runs its due timers at each
`find_runnable`; a thief runs those of others in its last steal round. `stop` is lazy: it marks the entry, and
the heap is swept when more than a quarter of it is dead. Callbacks run on g0, hold no lock, must not block. Adding and
stopping in a signal handler or `__del__` raises if it has interrupted one of these functions, instead of waiting for
itself.

Left out: Go's 4-ary heap and its lazy `modified` entries. heapq by (when, seq) is C, and a reset is a stop
and a new entry.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from ..locks import acquire_slow
from .mlife import wake_netpoller
from .turns import end_turns

if TYPE_CHECKING:
    from ..port import Lock
    from .structs import M, P

__all__ = ["RTimer", "Timers", "add_timer", "check_timers", "move_timers", "stop_timer"]


class RTimer:
    """A runtime timer: calls `f(mp, arg, when)` once it is due, on the M that finds it due (Go: timer)."""

    __slots__ = ("arg", "entry", "f", "heap", "when")

    def __init__(self, f: Callable[[M, Any, int], None], arg: Any) -> None:
        self.f = f
        self.arg = arg
        self.when = 0  # 0 while not armed; guarded by heap.lock
        self.entry: Any = None
        self.heap: Timers | None = None

    def cancel(self, gp: Any) -> bool:
        """The claim of a sleep: whoever disarms the timer may wake the G."""
        return stop_timer(self)


class Timers:
    """The heap of one P. Entries are [when, seq, timer]; timer None means stopped."""

    __slots__ = ("dead", "heap", "lock", "p", "seq")

    def __init__(self, pp: P, lock: Lock) -> None:
        self.p = pp
        self.lock = lock
        self.heap: list[list[Any]] = []
        self.seq = 0
        self.dead = 0

    def settle_locked(self) -> None:
        """Drop dead entries where they cost something and publish the first deadline."""
        heap = self.heap
        if self.dead > 16 and self.dead * 4 > len(heap):
            heap[:] = [e for e in heap if e[2] is not None]
            heapify(heap)
            self.dead = 0
        while heap and heap[0][2] is None:
            heappop(heap)
            self.dead -= 1
        self.p.when = heap[0][0] if heap else 0


def add_timer(mp: M, t: RTimer, when: int) -> None:
    """Arm `t`, which is not armed, on the P of `mp`, which is the caller's M."""
    pp = mp.p
    assert pp is not None
    if mp.grant:
        end_turns(mp)
    ts = pp.timers
    if not ts.lock.acquire(False):
        acquire_slow(ts.lock)
    try:
        t.heap = ts
        t.when = when
        ts.seq += 1
        t.entry = [when, ts.seq, t]
        heappush(ts.heap, t.entry)
        first = not pp.when or when < pp.when
        if first:
            pp.when = when
    finally:
        ts.lock.release()
    if first and (mp.sched.caps.eager_wakep or not mp.sched.caps.poller_per_m):
        wake_netpoller(mp.sched, when)


def stop_timer(t: RTimer) -> bool:
    """Disarm `t`. True if that kept it from firing. Any M may call it."""
    while True:
        ts = t.heap
        if ts is None:
            return False
        if not ts.lock.acquire(False):
            acquire_slow(ts.lock)
        try:
            if t.heap is not ts:  # moved with its P's death
                continue
            if not t.when:
                return False
            t.when = 0
            t.entry[2] = None
            t.entry = None
            ts.dead += 1
            ts.settle_locked()
            return True
        finally:
            ts.lock.release()


def check_timers(mp: M, pp: P) -> bool:
    """Run the due timers of `pp`. True if any ran (Go: timers.check)."""
    when = pp.when
    if not when:
        return False
    now = mp.now()
    if now < when:
        return False
    ts = pp.timers
    ran = False
    while True:
        with ts.lock:
            ts.settle_locked()
            heap = ts.heap
            if not heap or heap[0][0] > now:
                return ran
            when, _, t = heappop(heap)
            t.when = 0
            t.entry = None
            ts.settle_locked()
        ran = True
        if mp.rec is not None:
            mp.rec.fired(mp, pp, now - when)
        t.f(mp, t.arg, when)


def move_timers(src: P, dst: P) -> None:
    """Hand the timers of a P that dies to another (Go: p.destroy)."""
    first, second = (src, dst) if src.id < dst.id else (dst, src)
    a, b = src.timers, dst.timers  # locals: `locks.held_below` finds their locks
    with first.timers.lock, second.timers.lock:
        for when, _, t in sorted(e for e in a.heap if e[2] is not None):
            b.seq += 1
            t.entry = [when, b.seq, t]
            t.heap = b
            heappush(b.heap, t.entry)
        a.heap.clear()
        a.dead = 0
        a.settle_locked()
        b.settle_locked()
