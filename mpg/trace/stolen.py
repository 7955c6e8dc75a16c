"""Which G's were stolen, by which Steal: not only the one that the thief ran at once.

A Steal says how many G's it moved and not which. But a thief has nothing of its own, and of what it took it runs the
youngest at once and queues the others. So a G that waited for its P on another P's queue, and was started from the
queue of this one, came with the last Steal of this P, if that was after the G was made runnable; unless the P has
fetched a batch from the global queue since, which it also does only when it has nothing of its own.

* Where stacks are pinned only fresh G's are stolen: a started one goes home, wherever its waker was.
* Of a G that was stolen twice the second thief is named; one that came back to where it was made was not stolen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import status as st
from . import events as ev
from .lanes import Rows, kept, neighbour, pick, spans_g, table, text

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["stolen"]


@kept
def stolen(trace: Trace) -> Rows:
    """Every G that was stolen before it ran: g, p (where it was made runnable), thief, victim, n, begin, end, steal.

    `n` G's were taken with it; `begin` and `end` are the rows that made it runnable and started it, `steal` that of the
    Steal (-1, as victim and n, if it is not in the trace).
    """
    kind = trace.kind
    spans = spans_g(trace)
    spans = spans[(spans["state"] == st.GRUNNABLE) & (spans["end"] >= 0)]
    begin, end = spans["begin"], spans["end"]
    here = kind[end] == ev.GoStart
    said = here & (trace.a[end] == text(trace, "stolen"))
    queue = trace.a[end]
    moved = here & np.isin(queue, (-1, text(trace, "local"), text(trace, "runnext")))
    moved &= (trace.p[begin] >= 0) & (trace.p[begin] != trace.p[end])
    if trace.metadata.get("world") != "sim-moving":
        moved &= kind[begin] == ev.GoCreate
    steals = np.flatnonzero(kind == ev.Steal)
    steal = pick(steals, neighbour(trace.p[steals], steals, trace.p[end], end))
    steal = np.where(steal > begin, steal, -1)
    batches = batched(trace)
    batch = pick(batches, neighbour(trace.p[batches], batches, trace.p[end], end))
    keep = said | (moved & (steal >= 0) & (batch < steal))
    begin, end, steal = begin[keep], end[keep], steal[keep]
    found = steal >= 0
    return table(
        "g p thief victim n begin end steal",
        *(spans["lane"][keep], trace.p[begin], trace.p[end]),
        *(np.where(found, trace.a[steal], -1), np.where(found, trace.b[steal], -1), begin, end, steal),
    )


def batched(trace: Trace) -> np.ndarray:
    """The rows in which a P takes a further G from the global queue, and so queues it."""
    gets = (trace.kind == ev.GlobqLen) & (trace.p >= 0)
    rows = np.flatnonzero((gets | (trace.kind == ev.GoStart)) & (trace.m >= 0))
    order = np.argsort(trace.m[rows], kind="stable")
    rows = rows[order]
    again = np.zeros(len(rows), bool)
    again[1:] = gets[rows[1:]] & gets[rows[:-1]] & (trace.m[rows[1:]] == trace.m[rows[:-1]])
    return np.sort(rows[again])
