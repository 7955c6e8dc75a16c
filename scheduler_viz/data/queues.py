"""How long queues were, and how many G's, M's and P's were in which state.

* Lengths are those recorded (`RunqLen`, `GlobqLen`), so a world without them has no heat map: who waits where cannot be
  told from who waits. A queue that has not been named yet is empty, in a partial trace unknown.
* A P's length has two parts: fresh G's, which other P's can steal, and started ones, which where stacks are pinned
  cannot leave their M.
* Counts come from the spans of the timelines, so they agree with them at every moment.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mpg.trace import derive
from mpg.trace import events as ev

from ..arguments import choice
from ..base import need, window
from .steps import bin_edges, bin_of, count_ps, rising, step_bins, to_ns
from .timelines import CODE, m_timeline, p_timeline, spans_of

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["COUNTERS", "PARTS", "counters", "runqueue_heatmap"]

Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]

#: Which part of a P's queue `runqueue_heatmap` shows: the column of `derive.queue_lengths`.
PARTS: Final = {"all": "n", "fresh": "fresh", "started": "started"}
#: The columns of `counters`, after t.
COUNTERS: Final = ("running", "runnable", "waiting", "syscalls", "ms", "spinning", "idle_ps")


def runqueue_heatmap(
    trace: Trace, *, t0: float | None = None, t1: float | None = None, bins: int = 200, part: str = "all"
) -> Rows:
    """For each queue and bin: p (-1: the global queue), t0, t1, mean, max, overflows; the global queue first.

    `mean` is time-weighted and exact, `max` counts lengths that lasted no time too, `overflows` is how often half of a
    full queue was moved to the global one.

    Raises:
        NotRecorded: the trace's world has no RunqLen events.
        TypeError: `trace` is no Trace.
        ValueError: a bad window, bins not from 1 to 10,000, a part that is not "all", "fresh" or "started".
    """
    need(trace, "runqueue_heatmap", "RunqLen", "GlobqLen")
    choice("part", part, *PARTS)
    at = window(trace, t0, t1)
    edges = bin_edges(at, bins)
    rows = derive.queue_lengths(trace)
    width, lanes = len(edges) - 1, count_ps(trace) + 1
    names = [("p", np.int64), ("t0", float), ("t1", float), ("mean", float), ("max", float)]
    out = np.zeros((lanes, width) if len(rows) else (0, width), [*names, ("overflows", np.int64)])
    if not out.size:
        return out.ravel()
    lane, t = rows["p"] + 1, rising(rows["p"], rows["t"])
    out["mean"], out["max"] = step_bins(lane, t, rows[PARTS[part]], edges, lanes)
    if trace.metadata.get("partial"):
        first = np.full(lanes, int(edges[-1]))
        np.minimum.at(first, lane, t)
        unknown = edges[None, :-1] < first[:, None]
        out["mean"][unknown] = out["max"][unknown] = np.nan
    out["p"] = np.arange(lanes)[:, None] - 1
    out["t0"], out["t1"] = at.seconds(edges[:-1]), at.seconds(edges[1:])
    full = (trace.kind == ev.Overflow) & (trace.ts >= at.t0) & (trace.ts <= at.t1) & (trace.p >= 0)
    np.add.at(out["overflows"], (trace.p[full] + 1, bin_of(trace.ts[full], edges)), 1)
    return out.ravel()


def counters(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """How many there are, from each change to the next: t, running, runnable, waiting, syscalls, ms, spinning, idle_ps.

    The first four count G's; `ms` is all M's that have begun and not ended, `spinning` those that look for work,
    `idle_ps` the P's without an M. -1 is what the trace's world does not record. Without time there are no rows.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    at = window(trace, t0, t1)
    gs = spans_of(trace, at)
    ps = p_timeline(trace, t0=t0, t1=t1)
    ms = m_timeline(trace, t0=t0, t1=t1)
    state = gs["state"]
    waits = (state == CODE["blocked"]) | (state == CODE["netpoll"])
    parts = {
        "running": gs[state == CODE["running"]],
        "runnable": gs[state == CODE["runnable"]],
        "waiting": gs[waits],
        "syscalls": gs[state == CODE["syscall"]],
        "ms": ms,
        "spinning": ms[ms["state"] == CODE["spinning"]],
        "idle_ps": ps[ps["state"] == CODE["idle"]],
    }
    changes = [(to_ns(rows["t0"], at), to_ns(rows["t1"], at)) for rows in parts.values()]
    inside = [(start[start < at.t1], end[end < at.t1]) for start, end in changes]  # at the end nothing lasts
    times = np.unique(np.concatenate([np.array([at.t0][: at.t1 > at.t0], np.int64), *chain(*inside)]))
    out = np.zeros(len(times), [("t", float), *((name, np.int64) for name in COUNTERS)])
    out["t"] = at.seconds(times)
    for name, (start, end) in zip(parts, inside, strict=True):
        step = np.bincount(np.searchsorted(times, start), minlength=len(times))
        out[name] = np.cumsum(step - np.bincount(np.searchsorted(times, end), minlength=len(times)))
    for name in missing(trace):
        out[name] = -1
    changed = np.ones(len(out), bool)
    changed[1:] = np.any([np.diff(out[name]) != 0 for name in COUNTERS], axis=0)
    return out[changed]


def missing(trace: Trace) -> list[str]:
    """The counters that the trace's world does not record."""
    world = trace.metadata.get("world")
    events = {"ms": "MStart", "spinning": "SpinStart"}
    return [
        name for name, event in events.items() if world is not None and world not in ev.NAMES[event].worlds
    ]
