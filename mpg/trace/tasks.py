"""Tasks of the program (`mpg.trace.task`): when each began and ended, and which G's belong to it.

* A task belongs to the G that began it, to those created in it and to their children; a task within a task has its
  own G's, and those do not count for the outer one.
* Children say so themselves: they write `GoTask` when they are made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import events as ev
from .lanes import Rows, kept, neighbour, pick, table

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["task_gs", "tasks"]


@kept
def tasks(trace: Trace) -> Rows:
    """Every task: task, name, t0, t1, g, gs, begin, end.

    `g` is the G that began it and `gs` how many belong to it. `t0` and `begin` are -1 if that is not in the trace;
    `end` is -1 if the task had not ended, and `t1` then the time of the last event. The name is a number, as all texts.
    """
    began, ended = np.flatnonzero(trace.kind == ev.TaskBegin), np.flatnonzero(trace.kind == ev.TaskEnd)
    began, ended = began[trace.b[began] >= 0], ended[trace.b[ended] >= 0]
    numbers = np.unique(np.concatenate([trace.b[began], trace.b[ended]]))
    whole = np.full(len(numbers), len(trace))
    begin = pick(began, neighbour(trace.b[began], began, numbers, whole))
    end = pick(ended, neighbour(trace.b[ended], ended, numbers, whole))
    said = np.where(begin >= 0, begin, end)
    members = task_gs(trace)["task"]
    return table(
        "task name t0 t1 g gs begin end",
        *(numbers, trace.a[said], np.where(begin >= 0, trace.ts[begin], -1)),
        np.where(end >= 0, trace.ts[end], trace.ts[-1:].max(initial=0)),
        trace.g[said],
        np.searchsorted(members, numbers, "right") - np.searchsorted(members, numbers),
        *(begin, end),
    )


@kept
def task_gs(trace: Trace) -> Rows:
    """Which G's belong to which task: task, g; by task."""
    made = np.flatnonzero(trace.kind == ev.GoTask)
    own = np.flatnonzero(np.isin(trace.kind, (ev.TaskBegin, ev.TaskEnd)) & (trace.b >= 0) & (trace.g >= 0))
    pairs = np.stack(
        [np.concatenate([trace.b[made], trace.b[own]]), np.concatenate([trace.a[made], trace.g[own]])], axis=1
    )
    pairs = np.unique(pairs, axis=0) if len(pairs) else pairs
    return table("task g", pairs[:, 0], pairs[:, 1])
