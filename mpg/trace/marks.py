"""What exports draw from a trace: one clock, the function of each G, both ends of a hand-off, how much is missing.

* An export needs times that never fall, since spans of a lane must not overlap. Rows are in causal order and the
  clocks of two M's differ by a little, so a time before that of an earlier row is raised to it: cause goes before
  clock. Times count from the trace's first event.
* Of a span only its rows are used, `begin` and `end`; its times are read from that one clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import events as ev
from .derive import handoffs
from .lanes import Ints, Rows, neighbour, pick, table

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["changeovers", "clock", "dropped", "functions", "until"]


def clock(trace: Trace) -> Ints:
    """When each row happened, in ns from the first; never falling."""
    if not len(trace):
        return trace.ts
    found: Ints = np.maximum.accumulate(trace.ts) - trace.ts[0]
    return found


def until(when: Ints, spans: Rows) -> Ints:
    """When each of these spans ended, by the clock `when`; the last event's time if it did not."""
    end = spans["end"]
    found: Ints = np.where(end >= 0, when[end], when[-1:].max(initial=0))
    return found


def dropped(trace: Trace) -> int:
    """How many events the recorder had no room for."""
    return int(np.maximum(trace.a[trace.kind == ev.Dropped], 0).sum())


def functions(trace: Trace) -> tuple[Ints, Ints]:
    """Every G of the trace in order, and the number of its function's name (-1 if nobody said it)."""
    named = np.flatnonzero((trace.kind == ev.GoCreate) | (trace.kind == ev.GoName))
    told = np.flatnonzero(trace.kind == ev.GoStatus)
    ids = np.unique(np.concatenate([trace.g[trace.g >= 0], trace.a[named], trace.a[told]]))
    ids = ids[ids >= 0]
    names = np.full(len(ids), -1, np.int64)
    # Of a G that is named twice the first naming counts: it comes last here.
    named = named[(trace.a[named] >= 0) & (trace.b[named] >= 0)][::-1]
    names[np.searchsorted(ids, trace.a[named])] = trace.b[named]
    return ids, names


def changeovers(trace: Trace) -> Rows:
    """Every hand-off with its two ends: p, m_from, m_to, row, and the row of m_to's ProcStart, `started`.

    `m_from` is -1 if the P was idle before, `started` if m_to got no P or another one took this one.
    """
    found = handoffs(trace)
    starts = np.flatnonzero(trace.kind == ev.ProcStart)
    first = neighbour(trace.p[starts], starts, found["p"], found["row"], after=True)
    ours = (first >= 0) & (found["m_to"] >= 0) & (pick(trace.m[starts], first) == found["m_to"])
    started = np.where(ours, pick(starts, first), -1)
    return table(
        "p m_from m_to row started", found["p"], found["m_from"], found["m_to"], found["row"], started
    )
