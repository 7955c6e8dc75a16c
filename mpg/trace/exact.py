"""What holds exactly in a simulation: the part of `validate.py` that needs every row to stand where it happened.

There one M acts at a time and virtual time passes only where an M works, sleeps, or starts what it has chosen. So:

1. M's: each begins with MStart, by an M that has begun, and ends with MExit, if the run has ended. Without a P, and
   outside of a call, time passes for an M only after MPark. What has parked writes nothing until it is woken or its
   deadline has come, or the run is over; only what has parked is woken.
2. Hand-offs: the P has just been given up, and the next to have it is that M. An M that is woken with a P gets it; one
   that gives up a P and then wakes an M with it hands it off.
3. What is made ready on g0 is the work of a timer, and a sleep that is over had a timer of its own.
4. A GoStart says where its G was found, and that is so: after a Steal, with a G from the global queue, after a call.
5. An M begins to look for work only if those that do are less than the policy's share of the busy P's (Go: half), or
   to make up for a P that was not to be had. P's that may be on their way to an M count as busy.
6. Lengths of queues: `replay.py`.

All of this is left out of traces that begin in the middle. The sleeps of sysmon and of spare M's are not
recorded, nor their ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .lanes import came_home, neighbour, pick, text
from .order import Order, last_row
from .replay import check_lengths

if TYPE_CHECKING:
    from .validate import Check

__all__ = ["check_exact"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BESIDE: Final = (
    ev.MWake,
    ev.GlobqLen,
    ev.Overflow,
    ev.RunqLen,
    ev.SpinStop,
    ev.StealBefore,
)  # while a G is got
#: What an M does that the end of the run has woken.
LAST: Final = (ev.ProcStart, ev.ProcStop, ev.SpinStart, ev.SpinStop, ev.GoDrop, ev.MExit)


def check_exact(check: Check) -> None:
    trace = check.trace
    if not check.exact or not len(trace):
        return
    order = Order(check)
    if not len(order.rows):
        return
    apart = np.union1d(sysmons(check, order), trace.m[check.where(ev.Offload)])
    check_ms(check, order, apart)
    check_sleep(check, order, apart)
    check_handoffs(check, order)
    check_timers(check, order)
    check_starts(check, order)
    check_spinning(check, order)
    check_lengths(check, order)


def sysmons(check: Check, order: Order) -> Ints:
    """The M of sysmon, if there is one: it is made right after M 0."""
    policy = check.trace.metadata.get("policy")
    if isinstance(policy, dict) and "sysmon" in policy:
        return np.array([1] if policy["sysmon"] else [], np.int64)
    had = np.unique(check.trace.m[check.where(ev.ProcStart)])
    return np.setdiff1d(np.unique(order.m), had)


def check_ms(check: Check, order: Order, apart: Ints) -> None:
    """Rule 1, beginnings and ends."""
    trace = check.trace
    rows = order.rows[trace.kind[order.rows] != ev.ProcsChange]
    m = trace.m[rows]
    first = np.ones(len(rows), bool)
    first[1:] = m[1:] != m[:-1]
    check.fault(rows[first], trace.kind[rows[first]] != ev.MStart, "an M begins with MStart")
    begun = check.where(ev.MStart)
    by = trace.a[begun]
    known = neighbour(trace.m[begun], begun, by, begun) >= 0
    check.fault(begun, (by >= 0) & ~known, lambda i: f"there is no M {trace.a[i]} that could have started it")
    last = np.ones(len(rows), bool)
    last[:-1] = first[1:]
    if trace.metadata.get("unfinished"):
        return
    numbers = np.unique(trace.m[begun])
    gap = ~np.isin(trace.m[begun] - 1, numbers) & (trace.m[begun] > 0)
    check.fault(begun, gap, lambda i: f"there is no M {trace.m[i] - 1}, and they are numbered in turn")
    bad = ~np.isin(trace.m[rows[last]], apart) & (trace.kind[rows[last]] != ev.MExit)
    check.fault(rows[last], bad, "the run is over, and this M has no MExit")


def check_sleep(check: Check, order: Order, apart: Ints) -> None:
    """Rule 1, sleeping and waking."""
    trace, ts, kind = check.trace, check.trace.ts, check.trace.kind
    wake = check.where(ev.MWake)
    woken = trace.a[wake]
    ms = np.unique(trace.m[check.where(ev.MStart)])
    check.fault(wake, ~np.isin(woken, ms), lambda i: f"there is no M {trace.a[i]}")
    park = check.where(ev.MPark)
    last = last_row(order, woken, wake)
    again = neighbour(woken, wake, woken, wake)
    twice = (again >= 0) & (wake[again] > last)
    asleep = (last >= 0) & (kind[last] == ev.MPark) & ~twice
    check.fault(wake, ~asleep & ~np.isin(woken, apart), lambda i: f"M {trace.a[i]} is not asleep")

    after = order.after[park]
    park, after = park[after >= 0], after[after >= 0]
    found = neighbour(woken, wake, trace.m[park], park, after=True)
    called = (found >= 0) & (wake[found] < after) if len(wake) else np.zeros(len(park), bool)
    until = trace.a[park]
    due = (until >= 0) & (ts[after] >= until)
    living = order.previous(~check.among(*LAST))  # at the last row of each M: what it did last besides ending
    exits = check.where(ev.MExit)
    end = neighbour(trace.m[exits], exits, trace.m[park], park, after=True)
    over = (end >= 0) & (living[exits[end]] <= park) if len(exits) else np.zeros(len(park), bool)
    check.fault(after, ~called & ~due & ~over, lambda i: f"M {trace.m[i]} sleeps, and nobody has woken it")

    rows = order.rows[1:][order.same]
    before = order.before[rows]
    calls = np.isin(kind[before], (ev.MPark, ev.GoSyscallBegin, ev.MStart))
    held = order.holds[rows] >= 0
    bad = (ts[rows] > ts[before]) & ~held & ~calls & ~np.isin(trace.m[rows], apart)
    check.fault(rows, bad, lambda i: f"time has passed, and M {trace.m[i]} has no P and has not parked")


def check_handoffs(check: Check, order: Order) -> None:
    """Rule 2."""
    trace, kind = check.trace, check.trace.kind
    rows, starts = check.where(ev.Handoff), check.where(ev.ProcStart)
    lost = check.where(ev.ProcStop, ev.ProcSteal)
    whose = np.where(kind[lost] == ev.ProcSteal, trace.a[lost], trace.p[lost])
    p, to = trace.a[rows], trace.b[rows]
    gave = neighbour(whose, lost, p, rows)
    just = (gave >= 0) & (order.before[rows] == lost[gave]) if len(lost) else np.zeros(len(rows), bool)
    check.fault(rows, ~just, lambda i: f"P {trace.a[i]} was not just given up by M {trace.m[i]}")
    got = neighbour(trace.p[starts], starts, p, rows, after=True)
    bad = (got >= 0) & (trace.m[starts[got]] != to) if len(starts) else np.zeros(len(rows), bool)
    check.fault(rows, bad, lambda i: f"the next M that has P {trace.a[i]} is another")
    of = neighbour(trace.m[starts], starts, to, rows, after=True)
    over = not trace.metadata.get("unfinished")  # then whoever gets a P has got it
    check.fault(
        rows, (of != got) | ((of < 0) & over), lambda i: f"M {trace.b[i]} does not get P {trace.a[i]}"
    )

    wake = check.where(ev.MWake)
    wake = wake[trace.b[wake] >= 0]
    of = neighbour(trace.m[starts], starts, trace.a[wake], wake, after=True)
    bad = np.where(of < 0, over, pick(trace.p[starts], of) != trace.b[wake])
    check.fault(wake, bad, lambda i: f"M {trace.a[i]} is woken with P {trace.b[i]} and does not get it")
    unsaid(check, order, wake, starts, lost)


def unsaid(check: Check, order: Order, wake: Ints, starts: Ints, lost: Ints) -> None:
    """Who gives up a P and at once starts or wakes an M with it hands it off.

    Except that where stacks are pinned, an M that is woken may have waited for a P; and that a timer may be the reason
    to wake a spinning M, if there were other idle P's.
    """
    trace, kind = check.trace, check.trace.kind
    begun = check.where(ev.MStart)
    got = neighbour(trace.m[starts], starts, trace.m[begun], begun, after=True)
    begun, got = begun[got >= 0], starts[got[got >= 0]]
    rows, by, p = begun, trace.a[begun], trace.p[got]
    spins = kind[order.before[got]] == ev.SpinStart
    plain = spins | (order.before[got] == begun)
    plain &= kind[np.maximum(order.after[got], 0)] != ev.TimerFire
    rows, by, p, spins = rows[plain], by[plain], p[plain], spins[plain]
    if trace.metadata.get("world") == "sim-moving":
        then = order.after[last_row(order, trace.a[wake], wake)]
        spinning = kind[np.maximum(then, 0)] == ev.SpinStart
        parts = ((rows, wake), (by, trace.m[wake]), (p, trace.b[wake]), (spins, spinning))
        rows, by, p, spins = (np.concatenate(pair) for pair in parts)
    last = last_row(order, by, rows)
    whose = np.where(kind[lost] == ev.ProcSteal, trace.a[lost], trace.p[lost])
    loss = pick(lost, neighbour(whose, lost, p, rows))
    handed = check.where(ev.Handoff)
    said = pick(handed, neighbour(trace.a[handed], handed, p, rows)) > loss
    taken = (
        (loss >= 0) & (kind[loss] == ev.ProcSteal) & (trace.m[loss] == by)
    )  # it may have taken others since
    last = np.where(taken & ~said & ~spins, loss, last)
    gone = ((kind[last] == ev.ProcStop) & (trace.p[last] == p)) | (
        (kind[last] == ev.ProcSteal) & (trace.a[last] == p)
    )
    running = np.searchsorted(starts, last, "right") - np.searchsorted(lost, last, "right")
    changes = check.where(ev.ProcsChange)
    at = np.searchsorted(changes, last, "right") - 1
    procs = pick(trace.a[changes], at)
    bad = gone & (last >= 0) & ~(spins & (procs - running > 1))
    check.fault(rows, bad, "a P was handed off to this M, and no Handoff says so")


def check_timers(check: Check, order: Order) -> None:
    """Rule 3."""
    trace, kind = check.trace, check.trace.kind
    rows = check.where(ev.GoUnblock)
    rows = rows[trace.b[rows] == text(trace, "timer")]
    fired = order.previous(kind == ev.TimerFire)[rows]
    other = order.previous(check.among(ev.GoStart, ev.ProcStart, ev.MPark, ev.MStart))[rows]
    check.fault(rows, fired <= other, "no timer has fired")
    blocks = check.where(ev.GoBlock)
    began = neighbour(trace.g[blocks], blocks, trace.a[rows], rows)
    sleeps = (began >= 0) & (trace.a[blocks[began]] == text(trace, st.SLEEP)) if len(blocks) else began < -1
    beside = order.previous(~check.among(*BESIDE))[rows]
    check.fault(rows, sleeps & (beside != fired), "no timer of its own has fired")
    p = np.isin(trace.a[check.where(ev.TimerFire)], np.unique(trace.p[check.where(ev.ProcStart)]))
    check.fault(check.where(ev.TimerFire), ~p, lambda i: f"there is no P {trace.a[i]}")


def check_starts(check: Check, order: Order) -> None:
    """Rule 4."""
    trace, kind = check.trace, check.trace.kind
    rows = check.where(ev.GoStart)
    check.fault(rows, trace.a[rows] < 0, "it says where the G was found")
    steals = check.where(ev.Steal)
    source = order.previous(~check.among(*BESIDE))
    stolen = trace.a[rows] == text(trace, "stolen")
    bad = stolen & (kind[np.maximum(source[rows], 0)] != ev.Steal)
    check.fault(rows, bad, "nothing was stolen")
    began = np.zeros(len(trace) + 1, bool)
    began[source[rows[stolen]]] = True
    others = np.flatnonzero(~check.among(*BESIDE))
    later = neighbour(trace.m[others], others, trace.m[steals], steals, after=True) >= 0
    check.fault(steals, ~began[steals] & later, "a thief runs one of the G's that it has stolen")
    gets = (kind == ev.GlobqLen) & (trace.p >= 0)
    globally = trace.a[rows] == text(trace, "global")
    got = order.previous(gets)[rows]
    started = order.previous(kind == ev.GoStart)[rows]
    check.fault(rows, globally & (got < started), "nothing was taken from the global queue")
    direct = trace.a[rows] == text(trace, "direct")
    back = order.before[rows]
    bad = direct & ((kind[back] != ev.GoSyscallEndBlocked) | (trace.g[back] != trace.g[rows]))
    check.fault(rows, bad, "it does not come back from a call")
    ends = check.where(ev.GoSyscallEndBlocked)
    ends = ends[(trace.p[ends] >= 0) & ~came_home(trace, ends)]
    next_row = order.after[ends]
    bad = (next_row >= 0) & (kind[next_row] != ev.GoStart)
    check.fault(ends, bad, "with a P, it goes on at once")


def check_spinning(check: Check, order: Order) -> None:
    """Rule 5."""
    trace, kind = check.trace, check.trace.kind
    policy = trace.metadata.get("policy") or {}
    share = policy.get("spinning", 0.5) if isinstance(policy, dict) else 0.5
    spin = check.where(ev.SpinStart, ev.SpinStop)
    if not len(spin):
        return
    on = kind[spin] == ev.SpinStart
    before = np.cumsum(np.where(on, 1, -1)) - np.where(on, 1, -1)
    asks = on & (trace.p[spin] >= 0)
    changes = check.where(ev.ProcsChange)
    if not len(changes):
        return
    procs = trace.a[changes][np.maximum(np.searchsorted(changes, spin) - 1, 0)]
    idle = surely_idle(check, order, int(trace.a[changes[0]]))
    busy = procs - idle[spin]
    # A P that was wanted and not to be had lets one more M look: it was wanted by one that had just given up.
    places = np.arange(len(spin))
    gave_up = np.maximum.accumulate(np.where(~on & (trace.p[spin] < 0), places, -1))
    asked = np.concatenate([[-1], np.maximum.accumulate(np.where(asks, places, -1))[:-1]])
    bad = asks & (before >= share * busy) & (gave_up <= asked)
    check.fault(
        spin,
        bad,
        lambda i: (
            f"{before[np.searchsorted(spin, i)]} M's look for work, and that is enough for the busy P's"
        ),
    )


def surely_idle(check: Check, order: Order, procs: int) -> Ints:
    """At each row, how many P's are idle and on their way to nobody."""
    trace, kind = check.trace, check.trace.kind
    lost = check.where(ev.ProcStop, ev.ProcSteal)
    whose = np.where(kind[lost] == ev.ProcSteal, trace.a[lost], trace.p[lost])
    lost, whose = np.concatenate([np.zeros(procs, np.int64), lost]), np.concatenate([np.arange(procs), whose])
    ends = check.where(ev.ProcStart, ev.ProcRetire)
    end_p = np.where(kind[ends] == ev.ProcRetire, trace.a[ends], trace.p[ends])
    found = neighbour(end_p, ends, whose, lost, after=True)
    never = found < 0
    end = ends[np.maximum(found, 0)] if len(ends) else np.zeros(len(lost), np.int64)
    # The M that gets it may have been on its way since it last wrote something.
    deciding = order.previous(~check.among(ev.MStart, ev.SpinStart))
    until = np.where(kind[end] == ev.ProcStart, deciding[end], end)
    until = np.where(never, len(trace), until)
    keep = until > lost
    steps = np.zeros(len(trace) + 1, np.int64)
    np.add.at(steps, lost[keep] + 1, 1)
    np.add.at(steps, np.minimum(until[keep], len(trace)), -1)
    total: Ints = np.cumsum(steps)[: len(trace)]
    return total
