"""What is known of CPU's: how much of their P's time M's had one.

`CpuTime` says now and then how much CPU time an M has used. Between two such looks the M had P's for so long, and
what it used is spread over that evenly: `on_cpu` is a piece of a P's time and the part of it that had a CPU. Within a
piece the CPU is drawn first and the rest last; which came first in truth, nobody knows.

The rest is a G that waits for the GIL, sleeps in a C library, or has lost its CPU to another process. A thread begins
with no CPU time, so the MStart of an M that another one has started is a look too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import events as ev
from .lanes import IDLE, Ints, Rows, kept, spans_p, table

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["cpu_times", "on_cpu"]


@kept
def cpu_times(trace: Trace) -> Rows:
    """Between two looks at the CPU time of an M: m, t0, t1, cpu (used), held (how long it had a P), begin, end."""
    look = np.flatnonzero(trace.kind == ev.CpuTime)
    if not len(look):
        return table("m t0 t1 cpu held begin end", *[np.zeros(0, np.int64)] * 7)
    born = np.flatnonzero((trace.kind == ev.MStart) & (trace.a >= 0))
    rows = np.concatenate([born, look])
    m = np.concatenate([trace.m[born], trace.a[look]])
    used = np.concatenate([np.zeros(len(born), np.int64), trace.b[look]])
    order = np.lexsort((rows, m))
    rows, m, used, t = rows[order], m[order], used[order], trace.ts[rows[order]]
    lost = np.cumsum(trace.kind == ev.Dropped)[rows]
    ok = (m[1:] == m[:-1]) & (lost[1:] == lost[:-1]) & (t[1:] > t[:-1])
    m, t0, t1, begin, end = m[1:][ok], t[:-1][ok], t[1:][ok], rows[:-1][ok], rows[1:][ok]
    held = had_p(trace, m, t1) - had_p(trace, m, t0)
    cpu = np.clip(np.diff(used)[ok], 0, t1 - t0)
    return table("m t0 t1 cpu held begin end", m, t0, t1, cpu, held, begin, end)


def had_p(trace: Trace, m: Ints, t: Ints) -> Ints:
    """How long each of these M's had had a P by then, but for a number that is the same for all times of an M."""
    spans = holding(trace)
    if not len(spans):
        return np.zeros(len(m), np.int64)
    origin = min(int(spans["t0"].min()), int(t.min(initial=spans["t0"].min())))
    width = max(int(spans["t1"].max()), int(t.max(initial=0))) - origin + 1
    before = np.cumsum(spans["t1"] - spans["t0"]) - (spans["t1"] - spans["t0"])
    at = np.searchsorted(spans["m"] * width + spans["t0"] - origin, m * width + t - origin, "right") - 1
    last = np.maximum(at, 0)
    own = (at >= 0) & (spans["m"][last] == m)
    inside = np.clip(t - spans["t0"][last], 0, (spans["t1"] - spans["t0"])[last])
    first = np.minimum(np.searchsorted(spans["m"], m), len(spans) - 1)
    out: Ints = np.where(own, before[last] + inside, before[first])
    return out


def holding(trace: Trace) -> Rows:
    """Where M's had P's: the spans of P's that are not idle, by M and time."""
    spans = spans_p(trace)
    spans = spans[(spans["state"] != IDLE) & (spans["m"] >= 0)]
    found: Rows = spans[np.lexsort((spans["t0"], spans["m"]))]
    return found


@kept
def on_cpu(trace: Trace) -> Rows:
    """Pieces of P's time: p, m, g, state (`PSTATES`), t0, cpu (till when it had one), t1; the rest is not known."""
    looks, spans = cpu_times(trace), holding(trace)
    if not len(looks) or not len(spans):
        return table("p m g state t0 cpu t1", *[np.zeros(0, np.int64)] * 7)
    origin = min(int(spans["t0"].min()), int(looks["t0"].min()))
    width = max(int(spans["t1"].max()), int(looks["t1"].max())) - origin + 1

    def key(m: Ints, t: Ints) -> Ints:
        return m * width + t - origin

    # Of each span, the first look that ends after it has begun, and the last one that begins before it has ended.
    first = np.searchsorted(key(looks["m"], looks["t1"]), key(spans["m"], spans["t0"]), "right")
    last = np.searchsorted(key(looks["m"], looks["t0"]), key(spans["m"], spans["t1"]), "left")
    count = np.maximum(last - first, 0)
    span = np.repeat(np.arange(len(spans)), count)
    look = np.repeat(first, count) + np.arange(len(span)) - np.repeat(np.cumsum(count) - count, count)
    t0 = np.maximum(spans["t0"][span], looks["t0"][look])
    t1 = np.minimum(spans["t1"][span], looks["t1"][look])
    held, cpu = looks["held"][look], looks["cpu"][look]
    share = np.minimum(cpu / np.maximum(held, 1), 1.0)
    until = t0 + np.rint((t1 - t0) * share).astype(np.int64)
    of = spans[span]
    keep = t1 > t0
    found: Rows = table("p m g state t0 cpu t1", of["lane"], of["m"], of["g"], of["state"], t0, until, t1)[
        keep
    ]
    return found
