"""How long each queue of a simulation must be: the part of `validate.py` that adds up what goes in and out.

In a simulation every row stands where it happened, and no time passes between what an M decides and what it writes.
So the lengths follow from the other rows:

* A G that nobody is bound to (every G where stacks move, a fresh one where they do not) waits in the P's ring or
  runnext. It comes by GoCreate, GoUnblock, GoStop or GoSyscallEndBlocked, to the P that the row names, and leaves it by
  GoStart. If the M's next row is a GlobqLen without a P, it went to the global queue instead.
* A G that is bound to its M waits there. One that another M made ready may still be in the inbox, so of these lengths
  two bounds are known.
* Steal moves n G's, Overflow what the GlobqLen after it says, and a GlobqLen with a P one, from the global queue.
  A P that retires leaves its G's to the global queue.
* Between choosing a G and its GoStart time may pass, and others may look: so it leaves when its M last wrote before.

Each change is a step (P or M, when, how much); sums over the sorted steps answer all questions. There is no loop.

Left out: what follows a GoDrop (the run is over and the queues are emptied without a word), and traces that begin in
the middle. Which of two places, ring or runnext, a G is in cannot be told: `RunqLen` counts both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from . import events as ev
from .lanes import neighbour, pick, text

if TYPE_CHECKING:
    from .order import Order
    from .validate import Check

__all__ = ["check_lengths"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MAIN: Final = 1  # this G starts without having been queued
SOURCES: Final = (ev.GoCreate, ev.GoUnblock, ev.GoStop, ev.GoSyscallEndBlocked)


class Steps:
    """Changes of numbers, each of which belongs to a key; afterwards, the value of any key at any time.

    Times are twice the row, and one more for what holds after it.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[Ints, Ints, Ints, Ints]] = []

    def add(self, key: Ints, when: Ints, step: int | Ints, row: Ints) -> None:
        self.parts.append((key, when, np.broadcast_to(np.asarray(step), key.shape), row))

    def settle(self) -> None:
        key, when, step, row = (np.concatenate(columns) for columns in zip(*self.parts, strict=True))
        keep = key >= 0
        key, when, step, row = key[keep], when[keep], step[keep], row[keep]
        self.width = int(when.max(initial=0)) + 2
        joined = key * self.width + when
        order = np.lexsort((-step, joined))  # at one time what comes in comes first
        self.joined, self.row, self.key = joined[order], row[order], key[order]
        total = np.cumsum(step[order])
        first = np.searchsorted(self.key, self.key)
        self.total = total - np.where(first > 0, total[first - 1], 0)

    def at(self, key: Ints, when: Ints) -> Ints:
        """The sum of a key's steps before `when`."""
        if not len(self.joined):
            return np.zeros(len(key), np.int64)
        place = np.searchsorted(self.joined, key * self.width + np.minimum(when, self.width - 1)) - 1
        found = np.maximum(place, 0)
        out: Ints = np.where((place >= 0) & (self.key[found] == key), self.total[found], 0)
        return out


class Queues:
    """The queues of a simulation, as its rows say that they must be."""

    def __init__(self, check: Check, order: Order) -> None:
        self.check, self.order, self.trace = check, order, check.trace
        trace = check.trace
        self.moving = trace.metadata.get("world") == "sim-moving"
        self.lost = np.flatnonzero(trace.kind == ev.GoDrop)
        self.end = int(self.lost[0]) if len(self.lost) else len(trace)
        self.start = self.where(ev.GoStart)
        self.home = self.homes()
        self.global_queue()
        self.sources()
        self.steps()

    def where(self, *kinds: int) -> Ints:
        rows = self.check.where(*kinds)
        return rows[rows < self.end]

    def homes(self) -> Ints:
        """Where stacks are pinned, the M that each G is bound to from its first start on."""
        g, m = self.trace.g[self.start], self.trace.m[self.start]
        size = max(
            int(self.trace.g.max(initial=0)), int(self.trace.a[self.where(ev.GoCreate)].max(initial=0))
        )
        home = np.full(size + 2, -1, np.int64)  # the last is for G's that do not exist
        self.born = np.full(size + 2, np.iinfo(np.int64).max)
        home[g[::-1]] = m[::-1]
        self.born[g[::-1]] = self.start[::-1]
        return home

    def bound(self, g: Ints, rows: Ints) -> Ints:
        """The M that these G's are bound to at these rows, -1 if to none."""
        if self.moving:
            return np.full(len(g), -1, np.int64)
        who = np.where((g >= 0) & (g < len(self.home)), g, -1)
        out: Ints = np.where(self.born[who] < rows, self.home[who], -1)
        return out

    def global_queue(self) -> None:
        """What each GlobqLen changes; all of it follows from the rows before, the retired P's excepted."""
        trace = self.trace
        self.told = rows = self.where(ev.GlobqLen)
        self.change = np.diff(trace.a[rows], prepend=0)
        self.puts = rows[trace.p[rows] < 0]
        self.gets = rows[trace.p[rows] >= 0]

    def sources(self) -> None:
        """Which rows make a G runnable, which G, and where it goes: to a P, an M, or the global queue."""
        trace = self.trace
        rows = self.where(*SOURCES)
        named = np.isin(trace.kind[rows], (ev.GoCreate, ev.GoUnblock))
        g = np.where(named, trace.a[rows], trace.g[rows])
        keep = (g != MAIN) | (trace.kind[rows] != ev.GoCreate)
        self.source, self.ready = rows[keep], g[keep]
        self.to_m = self.bound(self.ready, self.source)
        after = self.order.after[self.source]
        self.to_global = (self.to_m < 0) & np.isin(after, self.puts)
        world = (
            trace.m[self.source] < 0
        )  # an arrival, and the global queue right after it if the ring is full
        self.to_global |= world & np.isin(self.source + 1, self.puts)

    def steps(self) -> None:
        trace, order = self.trace, self.order
        self.fresh, self.bounds, self.inbox = Steps(), Steps(), Steps()
        rows, to_m = self.source, self.to_m
        free = (to_m < 0) & ~self.to_global
        self.fresh.add(trace.p[rows[free]], 2 * rows[free] + 1, 1, rows[free])
        bound = to_m >= 0
        self.bounds.add(to_m[bound], 2 * rows[bound] + 1, 1, rows[bound])
        letter = bound & (to_m != trace.m[rows])
        self.inbox.add(to_m[letter], 2 * rows[letter] + 1, 1, rows[letter])

        start, g = self.start, trace.g[self.start]
        came = neighbour(self.ready, rows, g, start)
        known = came >= 0
        start, g, came = start[known], g[known], came[known]  # main's first start is of no queue
        home = self.bound(g, start)
        when = 2 * np.maximum(order.before[start], rows[came]) + 1
        free = home < 0
        self.fresh.add(trace.p[start[free]], when[free], -1, start[free])
        self.bounds.add(home[~free], when[~free], -1, start[~free])
        posted = ~free & letter[came]
        self.inbox.add(home[posted], when[posted], -1, start[posted])

        steal = self.where(ev.Steal)
        self.fresh.add(trace.a[steal], 2 * steal + 1, -trace.b[steal], steal)
        self.fresh.add(trace.p[steal], 2 * steal + 1, trace.b[steal], steal)
        self.fresh.add(trace.p[self.gets], 2 * self.gets + 1, 1, self.gets)
        over = self.where(ev.Overflow)
        self.over = over[np.isin(order.after[over], self.puts)]
        moved = self.change[np.searchsorted(self.told, order.after[self.over])]
        self.fresh.add(trace.p[self.over], 2 * self.over + 1, -moved, self.over)
        retired = self.where(ev.ProcRetire)
        for steps in (self.fresh, self.bounds, self.inbox):
            steps.settle()
        self.left = np.zeros(len(retired), np.int64)
        for i, row in enumerate(retired.tolist()):  # each depends on those before; P's retire seldom
            p = trace.a[row : row + 1]
            self.left[i] = left = int(self.fresh.at(p, np.array([2 * row]))[0])
            if not left:
                continue
            self.fresh.add(p, np.array([2 * row + 1]), -left, retired[i : i + 1])
            after = (
                int(self.told[np.searchsorted(self.told, row)]) if row < self.told[-1:].max(initial=0) else -1
            )
            late = self.over[order.after[self.over] == after]  # that GlobqLen grew by these G's too
            self.fresh.add(trace.p[late], 2 * late + 1, left, late)
            self.fresh.settle()
        self.retired = retired


def check_lengths(check: Check, order: Order) -> None:
    """Every length that is told, and that nothing is taken from where nothing is."""
    queues = Queues(check, order)
    globq(check, queues)
    runqs(check, queues)
    thieves(check, queues)


def globq(check: Check, queues: Queues) -> None:
    trace, order, told = check.trace, queues.order, queues.told
    inherited = np.searchsorted(queues.retired, told)
    total = np.concatenate([[0], np.cumsum(queues.left)])[inherited]
    change = queues.change - np.diff(total, prepend=0)
    taken = trace.p[told] >= 0
    check.fault(told, taken & (change != -1), "who takes from the global queue takes one G at a time")
    overflow = np.isin(told, order.after[queues.over])
    n = np.zeros(len(told), np.int64)
    rows = queues.over
    n[np.searchsorted(told, order.after[rows])] = trace.a[rows]
    bad = overflow & ((change != n) if queues.moving else (change < 0) | (change > n))
    check.fault(told, bad, "the global queue did not grow by what overflowed")
    one = np.zeros(len(told), bool)
    rows = queues.source[queues.to_global]
    world = trace.m[rows] < 0
    one[np.searchsorted(told, np.where(world, rows + 1, order.after[rows]))] = True
    check.fault(
        told, ~taken & one & (change != 1), "the global queue did not grow by the one G that went there"
    )
    check.fault(told, ~taken & ~one & ~overflow & (change != 0), "nobody has put a G into the global queue")
    over = queues.where(ev.Overflow)
    check.fault(over, ~np.isin(order.after[over], queues.puts), "what overflows goes to the global queue")


def runqs(check: Check, queues: Queues) -> None:
    """RunqLen, and GoStart without one: then the last that was told still holds."""
    trace, order, fresh = check.trace, queues.order, queues.fresh
    homeless = (queues.to_m < 0) & ~queues.to_global & (trace.p[queues.source] < 0)
    check.fault(queues.source, homeless, "a G that is made runnable without a P goes to the global queue")
    below = fresh.total < 0
    check.fault(fresh.row, below, lambda i: "it takes from a queue what is not there")
    below = queues.bounds.total < 0
    check.fault(queues.bounds.row, below, "it takes from a queue what is not there")

    rows = queues.where(ev.RunqLen)
    must = fresh.at(trace.p[rows], 2 * rows)
    check.fault(
        rows, trace.a[rows] != must, lambda i: f"by what went in and out there are {at(rows, must, i)} G's"
    )
    turns = queues.where(ev.ProcStart, ev.ProcStop, ev.ProcSteal)
    whose = np.where(trace.kind[turns] == ev.ProcSteal, trace.a[turns], trace.p[turns])
    last = neighbour(whose, turns, trace.p[rows], rows)
    held = pick(trace.kind[turns], last) == ev.ProcStart
    begun = turns[trace.kind[turns] == ev.ProcStart]
    holder = pick(trace.m[begun], neighbour(trace.p[begun], begun, trace.p[rows], rows))
    most = queues.bounds.at(holder, 2 * rows)
    least = np.where(held, most - queues.inbox.at(holder, 2 * rows), 0)
    bad = (trace.b[rows] > most) | (trace.b[rows] < least)
    check.fault(
        rows,
        bad,
        lambda i: (
            f"by what went in and out its M has {at(rows, least, i)} to {at(rows, most, i)} started G's"
        ),
    )
    create = queues.where(ev.GoCreate)
    create = create[(trace.p[create] >= 0) & (trace.m[create] >= 0) & (trace.a[create] != MAIN)]
    steal = queues.where(ev.StealBefore)
    for made, what in ((create, "GoCreate"), (steal, "StealBefore")):
        row = order.after[made]
        for _ in range(2):  # what overflowed first
            over = (row >= 0) & np.isin(trace.kind[row], (ev.Overflow, ev.GlobqLen))
            row = np.where(over, order.after[row], row)
        told = (row >= 0) & (trace.kind[row] == ev.RunqLen)
        check.fault(made, ~told & (row >= 0), f"{what} is followed by a RunqLen")
    start = queues.start
    silent = start[order.after[start] >= 0]
    silent = silent[trace.kind[order.after[silent]] != ev.RunqLen]
    direct = trace.a[silent] == text(trace, "direct")
    silent = silent[~direct]
    last = neighbour(trace.p[rows], rows, trace.p[silent], silent)
    starts = queues.where(ev.ProcStart)
    anew = pick(starts, neighbour(trace.m[starts], starts, trace.m[silent], silent)) > pick(rows, last)
    check.fault(silent, anew, "the first G that an M starts on a P is followed by a RunqLen")
    silent, last = silent[~anew], last[~anew]
    p, m, when = trace.p[silent], trace.m[silent], 2 * silent + 1
    a, b = pick(trace.a[rows], last), pick(trace.b[rows], last)
    total = queues.bounds.at(m, when)
    bad = (a != fresh.at(p, when)) | (b > total) | (b < total - queues.inbox.at(m, when))
    check.fault(silent, bad, "the queue has another length now, and no RunqLen says so")


def at(rows: Ints, values: Ints, i: int) -> int:
    return int(values[np.searchsorted(rows, i)])


def thieves(check: Check, queues: Queues) -> None:
    trace, order = check.trace, queues.order
    steal = queues.where(ev.Steal)
    p, m = trace.p[steal], trace.m[steal]
    since = 2 * np.maximum(order.before[steal], 0) + 2
    own = queues.fresh.at(p, since) + queues.bounds.at(m, 2 * steal) - queues.inbox.at(m, 2 * steal)
    check.fault(steal, own > 0, lambda i: f"P {trace.p[i]} has G's of its own and need not steal")
    said = queues.where(ev.StealBefore)
    said = said[order.before[said] >= 0]
    steal = order.before[said]
    had = queues.fresh.at(trace.a[steal], 2 * steal)
    ring = trace.a[said]
    runnext = trace.b[said] == text(trace, "runnext")
    bad = np.where(runnext, had < 1, (had < ring) | (had > ring + 1))
    bad &= trace.kind[steal] == ev.Steal
    check.fault(said, bad, "the victim had another number of G's")
