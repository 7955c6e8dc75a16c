"""What a trace means, as structured arrays: waits, queue lengths, steals, hand-offs, latencies, tasks, lost time.

* Times are the trace's own, in ns; -1 is none. `begin`, `end` and `row` are rows of the trace; `end` is -1 for what
  was still so when the trace ended, and its `t1` is then the time of the last event.
* Nothing is sampled and nothing loops over events: a million take about a second. Results are kept in
  `trace.derived` and cannot be written to.
* The spans of G's, P's and M's come from `lanes.py`, stolen G's from `stolen.py` and tasks from `tasks.py`; they are
  offered here too.

Rejected: rebuilding the queues from creations and starts where lengths were recorded (a G that is ready says
nothing about where it waits), and a table library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from .. import status as st
from . import events as ev
from .cpu import cpu_times, on_cpu
from .lanes import (
    MSTATES,
    PSTATES,
    RUNNING,
    SYSCALL,
    Ints,
    Rows,
    kept,
    neighbour,
    pick,
    spans_g,
    spans_m,
    spans_p,
    table,
    text,
)
from .stolen import stolen
from .tasks import task_gs, tasks

if TYPE_CHECKING:
    from .trace import Trace

__all__ = [
    "CAUSES",
    "MSTATES",
    "PSTATES",
    "Overload",
    "cpu_times",
    "handoffs",
    "idle_while_overloaded",
    "latencies",
    "on_cpu",
    "queue_lengths",
    "spans_g",
    "spans_m",
    "spans_p",
    "steals",
    "stolen",
    "task_gs",
    "tasks",
    "waits",
]

#: What made a G runnable; "stolen" if it was fetched from another P meanwhile.
CAUSES: Final = ("new", "wake", "netpoll", "timer", "gosched", "preempted", "syscall", "stolen")


class Overload(NamedTuple):
    """How long P's were idle while others had G's waiting, in ns (SchedViz).

    With I idle P's, O queues that are not empty and W waiting G's, each instant adds 1 to `wall` if I and O, min(I, O)
    to `per_p` and min(I, W) to `per_g`. `steps` has one row per change: t, idle, overloaded, waiting.
    """

    wall: int
    per_p: int
    per_g: int
    steps: Rows


@kept
def waits(trace: Trace) -> Rows:
    """Every wait: g, t0, t1, reason, object, waker (a G, or -1), how, begin, end. Texts as numbers."""
    spans = spans_g(trace)
    spans = spans[(spans["state"] == st.GWAITING)]
    begin, end = spans["begin"], spans["end"]
    ended = end >= 0
    blocked = trace.kind[begin] == ev.GoBlock
    woken = ended & (trace.kind[end] == ev.GoUnblock)
    return table(
        "g t0 t1 reason object waker how begin end",
        *(spans["lane"], spans["t0"], spans["t1"]),
        *(np.where(blocked, trace.a[begin], -1), np.where(blocked, trace.b[begin], -1)),
        *(np.where(woken, trace.g[end], -1), np.where(woken, trace.b[end], -1), begin, end),
    )


@kept
def queue_lengths(trace: Trace) -> Rows:
    """Lengths as they changed: t, p (-1: the global queue), fresh, started, n (both), row."""
    rows = np.flatnonzero((trace.kind == ev.RunqLen) | (trace.kind == ev.GlobqLen))
    local = trace.kind[rows] == ev.RunqLen
    fresh, started = trace.a[rows], np.where(local, np.maximum(trace.b[rows], 0), 0)
    return table(
        "t p fresh started n row",
        trace.ts[rows],
        np.where(local, trace.p[rows], -1),
        fresh,
        started,
        fresh + started,
        rows,
    )


@kept
def steals(trace: Trace) -> Rows:
    """Every steal: t, thief, victim, n, m, before (the victim's length, -1 if not said), row."""
    rows = np.flatnonzero(trace.kind == ev.Steal)
    said = np.flatnonzero(trace.kind == ev.StealBefore)
    found = neighbour(trace.m[said], said, trace.m[rows], rows, after=True)
    next_own = neighbour(trace.m[rows], rows, trace.m[rows], rows, after=True)
    before = np.full(len(rows), -1, np.int64)
    ok = found >= 0
    if len(said):
        ok &= (next_own < 0) | (said[found] < rows[next_own])
        before[ok] = trace.a[said[found[ok]]]
    return table(
        "t thief victim n m before row",
        trace.ts[rows],
        trace.p[rows],
        trace.a[rows],
        trace.b[rows],
        trace.m[rows],
        before,
        rows,
    )


@kept
def handoffs(trace: Trace) -> Rows:
    """Every hand-off of a P: p, m_from, m_to, called, taken, t, started, ran, row.

    Five times in their order: a G began its call (-1 if the P was not taken from a call), the P was taken, it was
    handed on, an M started it, a G ran on it.
    """
    kind, ts = trace.kind, trace.ts
    rows = np.flatnonzero(kind == ev.Handoff)
    p, at = trace.a[rows], rows
    lost = np.flatnonzero((kind == ev.ProcSteal) | (kind == ev.ProcStop))
    stolen = kind[lost] == ev.ProcSteal
    found = neighbour(np.where(stolen, trace.a[lost], trace.p[lost]), lost, p, at)
    loser = np.where(stolen, trace.b[lost], trace.m[lost])
    m_from = pick(loser, found)
    calls = np.flatnonzero(kind == ev.GoSyscallBegin)
    called = neighbour(trace.m[calls], calls, m_from, pick(lost, found))
    starts, runs = np.flatnonzero(kind == ev.ProcStart), np.flatnonzero(kind == ev.GoStart)
    started = neighbour(trace.p[starts], starts, p, at, after=True)
    ran = neighbour(trace.p[runs], runs, p, at, after=True)
    return table(
        "p m_from m_to called taken t started ran row",
        *(p, m_from, trace.b[rows], pick(ts[calls], np.where(pick(stolen, found) == 1, called, -1))),
        *(pick(ts[lost], found), ts[rows], pick(ts[starts], started), pick(ts[runs], ran), rows),
    )


@kept
def latencies(trace: Trace) -> Rows:
    """Every time from runnable to running: g, t0, t1, ns, cause (an index of CAUSES), p it ran on, begin, end."""
    spans = spans_g(trace)
    spans = spans[(spans["state"] == st.GRUNNABLE) & (spans["end"] >= 0)]
    spans = spans[trace.kind[spans["end"]] == ev.GoStart]
    begin, end = spans["begin"], spans["end"]
    kind, a, b = trace.kind[begin], trace.a[begin], trace.b[begin]
    code = {name: i for i, name in enumerate(CAUSES)}
    cause = np.full(len(spans), code["wake"])
    cause[kind == ev.GoCreate] = code["new"]
    for how in ("netpoll", "timer"):
        cause[(kind == ev.GoUnblock) & (b == text(trace, how))] = code[how]
    stop = kind == ev.GoStop
    cause[stop] = np.where(a[stop] == text(trace, "runtime.Gosched"), code["gosched"], code["preempted"])
    cause[kind == ev.GoSyscallEndBlocked] = code["syscall"]
    cause[(kind == ev.GoUnblock) & (b == text(trace, st.OFFLOADED))] = code["syscall"]
    cause[np.isin(end, stolen(trace)["end"])] = code["stolen"]
    ns = spans["t1"] - spans["t0"]
    return table(
        "g t0 t1 ns cause p begin end",
        spans["lane"],
        spans["t0"],
        spans["t1"],
        ns,
        cause,
        trace.p[end],
        begin,
        end,
    )


def idle_while_overloaded(trace: Trace, ncpus: int | None = None) -> Overload:
    """How much was lost by P's that were idle although G's waited elsewhere.

    A P is idle when no G runs on it or holds it in a call, so one that looks for work counts. The number of P's is
    `ncpus`, or what ProcsChange says, or metadata "procs". The global queue is a queue like that of a P. Without
    recorded lengths a runnable G counts for the P that made it so.

    Raises:
        ValueError: the trace is what `filter` has left: that no G runs on a P says nothing there.
    """
    if trace.metadata.get("partial"):
        raise ValueError("idle while overloaded needs a whole trace, not a filtered one")
    busy = spans_p(trace)
    busy = busy[(busy["state"] == RUNNING) | (busy["state"] == SYSCALL)]
    change = np.flatnonzero(trace.kind == ev.ProcsChange)
    if ncpus is None and change.size:
        procs_t, procs = trace.ts[change], np.diff(trace.a[change], prepend=0)
        procs_t[0] = trace.ts[0]  # what came before the first is not known
    else:
        seen = len(np.unique(spans_p(trace)["lane"]))
        count = trace.metadata.get("procs", seen) if ncpus is None else ncpus
        procs_t, procs = trace.ts[:1].copy(), np.full(len(trace.ts[:1]), count)
    queue_t, queue, length = lengths(trace)
    order = np.argsort(queue, kind="stable")
    queue_t, queue, length = queue_t[order], queue[order], length[order]
    before = np.zeros(len(length), np.int64)
    same = np.flatnonzero(queue[1:] == queue[:-1]) + 1
    before[same] = length[same - 1]
    still = np.zeros
    t = np.concatenate([procs_t, busy["t0"], busy["t1"], queue_t])
    n, q, k = len(procs_t), len(queue_t), len(busy)
    idle = np.concatenate([procs, np.full(k, -1), np.ones(k, np.int64), still(q, np.int64)])
    places = np.concatenate([still(n + 2 * k, np.int64), (length > 0) * 1 - (before > 0) * 1])
    waiting = np.concatenate([still(n + 2 * k, np.int64), length - before])
    order = np.argsort(t, kind="stable")
    t = t[order]
    idle, places, waiting = (np.cumsum(values[order]) for values in (idle, places, waiting))
    final = np.ones(len(t), bool)  # what holds after the last change of each moment
    final[:-1] = t[1:] != t[:-1]
    t, idle, places, waiting = t[final], np.maximum(idle[final], 0), places[final], waiting[final]
    dt = np.diff(t, append=trace.ts[-1:])[: len(t)]
    return Overload(
        int(dt[(idle > 0) & (places > 0)].sum()),
        int((dt * np.minimum(idle, places)).sum()),
        int((dt * np.minimum(idle, waiting)).sum()),
        table("t idle overloaded waiting", t, idle, places, waiting),
    )


def lengths(trace: Trace) -> tuple[Ints, Ints, Ints]:
    """Time, queue and length of every change of a queue, in order of time within each queue."""
    found = queue_lengths(trace)
    if len(found):
        return found["t"], found["p"], found["n"]
    spans = spans_g(trace)
    spans = spans[spans["state"] == st.GRUNNABLE]
    t = np.concatenate([spans["t0"], spans["t1"]])
    queue = np.concatenate([spans["p"], spans["p"]])
    step = np.concatenate([np.ones(len(spans), np.int64), np.full(len(spans), -1)])
    order = np.lexsort((t, queue))
    t, queue, total = (
        t[order],
        queue[order],
        np.cumsum(step[order]),
    )  # each queue ends empty: no need to restart
    final = np.ones(len(t), bool)
    final[:-1] = (t[1:] != t[:-1]) | (queue[1:] != queue[:-1])
    return t[final], queue[final], total[final]
