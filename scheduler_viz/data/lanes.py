"""Lanes made fit for drawing: without gaps at the start, one state at a time, cut to a window.

Columns are a dict of arrays of ns and numbers, one element for each span: `lane`, `t0`, `t1`, `state` (an index of
`STATE_NAMES`), `begin` and `end` (rows of the trace; the last is -1 if it had not ended), and what else a figure
needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mpg import status as st
from mpg.trace import derive
from mpg.trace import events as ev
from mpg.trace.lanes import text

from ..base import Window
from ..style import STATES

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["CODE", "STATE_NAMES", "STOPS", "cut", "merged", "straight", "unstarted", "why", "with_p"]

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

#: `state` is an index of this.
STATE_NAMES: Final = tuple(STATES)
#: `stop`, why a run ended, is an index of this; "" if it did not, or something else did.
STOPS: Final = ("", "preempt", "yield", "block", "syscall", "end")
CODE: Final = {name: i for i, name in enumerate(STATE_NAMES)}


def unstarted(trace: Trace) -> dict[str, Ints]:
    """Idle spans of P's, from the ProcsChange that made them to their first event."""
    rows = np.flatnonzero(trace.kind == ev.ProcsChange)
    if trace.metadata.get("partial") or not len(rows):
        return {"lane": np.zeros(0, np.int64)}
    most = np.maximum.accumulate(trace.a[rows])
    lane = np.arange(int(most[-1]))
    t0 = trace.ts[rows[np.searchsorted(most, lane, "right")]]
    t1 = np.full(len(lane), int(trace.ts.max()))
    spans = derive.spans_p(trace)
    first, begin = np.unique(spans["lane"], return_index=True)
    known = first < len(lane)
    t1[first[known]] = spans["t0"][begin[known]]
    keep = t1 > t0
    return {
        "lane": lane[keep],
        "t0": t0[keep],
        "t1": t1[keep],
        "state": np.full(int(keep.sum()), CODE["idle"]),
    }


def why(trace: Trace, end: Ints) -> Ints:
    """Why the runs that ended with these rows did."""
    if not len(trace):
        return np.zeros(0, np.int64)
    code = {name: i for i, name in enumerate(STOPS)}
    table = np.zeros(256, np.int64)
    table[ev.GoBlock], table[ev.GoEnd] = code["block"], code["end"]
    table[ev.GoSyscallBegin], table[ev.GoStop] = code["syscall"], code["preempt"]
    out: Ints = table[trace.kind[end] & 255]
    gosched = (trace.kind[end] == ev.GoStop) & (trace.a[end] == text(trace, "runtime.Gosched"))
    out[gosched] = code["yield"]
    out[end < 0] = 0
    return out


def with_p(trace: Trace, columns: dict[str, Ints]) -> dict[str, Ints]:
    """Cut spans of M's where the M gets or loses its P, and set `p` to what it holds."""
    kind = trace.kind
    change = np.flatnonzero(np.isin(kind, (ev.ProcStart, ev.ProcStop, ev.ProcSteal, ev.ProcStatus)))
    change = change[(kind[change] != ev.ProcStatus) | (trace.b[change] == st.PRUNNING)]
    got = np.select(
        [kind[change] == ev.ProcStart, kind[change] == ev.ProcStatus], [trace.p[change], trace.a[change]], -1
    )
    who = np.where(kind[change] == ev.ProcSteal, trace.b[change], trace.m[change])
    n = len(columns["lane"])
    lane, row = np.concatenate([columns["lane"], who]), np.concatenate([columns["begin"], change])
    span = np.concatenate([np.arange(n), np.full(len(change), -1)])
    p = np.concatenate([np.full(n, -2), got])
    order = np.lexsort((span < 0, row, lane))
    lane, row, span, p = lane[order], row[order], span[order], p[order]
    span, p = filled(lane, span, -1), filled(lane, p, -2)
    known = span >= 0
    row, span, p = row[known], span[known], p[known]
    begin = columns["begin"][span]
    own = np.where(trace.m[begin] == columns["lane"][span], columns["p"][span], -1)
    p = np.where(p == -2, own, p)  # it had its P before the trace began
    inside = (columns["end"][span] < 0) | (row < columns["end"][span])
    row, span, p, begin = row[inside], span[inside], p[inside], begin[inside]
    whole = (columns["t0"][span] == columns["t1"][span]) & (row == begin)
    out = {name: values[span] for name, values in columns.items()}
    out["p"], out["begin"] = p, row
    out["t0"] = np.clip(trace.ts[row], out["t0"], out["t1"])
    cut = np.flatnonzero(span[1:] == span[:-1])
    out["t1"][cut] = out["t0"][cut + 1]
    keep = (out["t1"] > out["t0"]) | whole
    return {name: values[keep] for name, values in out.items()}


def filled(lane: Ints, values: Ints, nothing: int) -> Ints:
    """Each `nothing` is what stands before it in its lane, if anything does; sorted by lane."""
    start = np.concatenate([[True], lane[1:] != lane[:-1]])[: len(lane)]
    source = np.maximum.accumulate(np.where(start | (values != nothing), np.arange(len(lane)), 0))
    out: Ints = values[source]
    return out


def straight(columns: dict[str, Ints]) -> dict[str, Ints]:
    """Sorted by lane and row, and no span begins before the one before it has ended."""
    order = np.lexsort((columns["begin"], columns["lane"]))
    columns = {name: values[order] for name, values in columns.items()}
    lane, t0, t1 = columns["lane"], columns["t0"], columns["t1"]
    if len(lane):
        low = int(t0.min())
        width = int(t1.max()) - low + 1
        place = np.cumsum(np.concatenate([[0], np.diff(lane) != 0]))
        latest = np.maximum.accumulate(place * width + t1 - low) - place * width + low
        before = np.concatenate([[low], latest[:-1]])
        same = np.concatenate([[False], place[1:] == place[:-1]])
        columns["t0"] = np.where(same, np.maximum(t0, before), t0)
        columns["t1"] = np.maximum(columns["t0"], t1)
    return columns


def merged(columns: dict[str, Ints], same: Sequence[str]) -> dict[str, Ints]:
    """Neighbours that touch and agree in these columns are one span; runs stay apart."""
    again = columns["state"][1:] != CODE["running"]
    for name in ("lane", *same):
        again = again & (columns[name][1:] == columns[name][:-1])
    again &= columns["t0"][1:] == columns["t1"][:-1]
    first = np.flatnonzero(np.concatenate([[True], ~again])[: len(columns["lane"])])
    out = {name: values[first] for name, values in columns.items()}
    last = np.append(first[1:], len(columns["lane"]))[: len(first)] - 1
    for name in ("t1", "end"):
        out[name] = columns[name][last]
    return out


def cut(columns: dict[str, Any], at: Window, names: str) -> Rows:
    """What lies in the window, in seconds; the first of `names` is the lane, and a `stop` outside is none."""
    inside = (columns["t0"] <= at.t1) & (columns["t1"] >= at.t0)
    inside &= (columns["t1"] > at.t0) | (columns["t0"] >= at.t0)  # what ended as the window began is over
    inside &= (columns["t0"] < at.t1) | (columns["t1"] <= at.t1)
    lane, *others = names.split()
    small = {"state", "stop"}
    out = np.empty(
        int(inside.sum()),
        [
            (lane, np.int64),
            ("t0", float),
            ("t1", float),
            *((name, "i1" if name in small else np.int64) for name in others),
        ],
    )
    values = {name: column[inside] for name, column in columns.items()}
    out[lane] = values["lane"]
    out["t0"] = at.seconds(np.maximum(values["t0"], at.t0))
    out["t1"] = at.seconds(np.minimum(values["t1"], at.t1))
    for name in others:
        out[name] = values[name]
    if "stop" in others:
        out["stop"][values["t1"] > at.t1] = 0
    return out
