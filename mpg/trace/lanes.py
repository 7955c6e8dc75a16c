"""Lanes: what each G, P and M was doing, from when to when.

A lane is one G, P or M. Each change of its state lasts until the next one, or until the trace's last event (`end` is
then -1). Lanes of P's and M's leave out states that lasted no time, except that a G ran.

Nothing here loops over events: changes are collected kind by kind, sorted by lane and cut by numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .events import KINDS

if TYPE_CHECKING:
    from .trace import Trace

__all__ = [
    "MSTATES",
    "PSTATES",
    "Ints",
    "Rows",
    "kept",
    "neighbour",
    "pick",
    "spans_g",
    "spans_m",
    "spans_p",
    "table",
    "text",
]

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

IDLE: Final = 0
HELD: Final = 1
RUNNING: Final = 2
SYSCALL: Final = 3
SPINNING: Final = 4
GONE: Final = 5
#: A P that is held runs no G: its M schedules.
PSTATES: Final = {IDLE: "idle", HELD: "held", RUNNING: "running", SYSCALL: "syscall", SPINNING: "spinning"}
MSTATES: Final = {IDLE: "parked", HELD: "awake", RUNNING: "running", SYSCALL: "syscall", SPINNING: "spinning"}


def kept(function: Callable[[Trace], Rows]) -> Callable[[Trace], Rows]:
    """Work it out once for each trace."""

    @wraps(function)
    def once(trace: Trace) -> Rows:
        name = function.__name__
        if name not in trace.derived:
            out = function(trace)
            out.setflags(write=False)
            trace.derived[name] = out
        found: Rows = trace.derived[name]
        return found

    return once


def table(names: str, *columns: Any) -> Rows:
    labels = names.split()
    out = np.empty(len(columns[0]), [(name, np.int64) for name in labels])
    for name, values in zip(labels, columns, strict=True):
        out[name] = values
    return out


class Lanes:
    """Changes of state, collected kind by kind and then cut into spans."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.parts: list[tuple[Ints, Ints, Ints, Ints]] = []

    def rows(self, *kinds: int) -> Ints:
        if len(kinds) == 1:
            return np.flatnonzero(self.trace.kind == kinds[0])
        wanted = np.zeros(256, bool)
        wanted[list(kinds)] = True
        return np.flatnonzero(wanted[self.trace.kind & 255])

    def add(self, rows: Ints, lane: Ints, state: int | Ints, g: int | Ints = -1) -> None:
        """From these rows on, the lane of each is in this state."""
        full = np.broadcast_to
        part = (rows, lane[rows], full(np.asarray(state), rows.shape), full(np.asarray(g), rows.shape))
        keep = part[1] >= 0
        self.parts.append((part[0][keep], part[1][keep], part[2][keep], part[3][keep]))

    def spans(self) -> Rows:
        rows, lane, state, g = (np.concatenate(columns) for columns in zip(*self.parts, strict=True))
        order = by(lane, rows)
        rows, lane, state, g = rows[order], lane[order], state[order], g[order]
        again = np.zeros(len(rows), bool)
        again[1:] = (lane[1:] == lane[:-1]) & (state[1:] == state[:-1]) & (g[1:] == g[:-1])
        again &= state != RUNNING
        rows, lane, state, g = rows[~again], lane[~again], state[~again], g[~again]
        t0, t1, end = until_next(self.trace, lane, rows)
        keep = (state != GONE) & ((t1 > t0) | (state == RUNNING))
        trace = self.trace
        out: Rows = table(
            "lane t0 t1 state g p m begin end",
            lane,
            t0,
            t1,
            state,
            g,
            trace.p[rows],
            trace.m[rows],
            rows,
            end,
        )
        found: Rows = out[keep]
        return found


def by(key: Ints, rows: Ints) -> Ints:
    """The order by key and then by row; equal rows stay as they were added."""
    order = np.argsort(rows, kind="stable")
    found: Ints = order[np.argsort(key[order], kind="stable")]
    return found


def until_next(trace: Trace, lane: Ints, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """When each sorted change began and ended, and the row that ended it."""
    t0 = trace.ts[rows]
    last = int(trace.ts[-1]) if len(trace) else 0
    t1, end = np.full(len(rows), last, np.int64), np.full(len(rows), -1, np.int64)
    same = np.flatnonzero(lane[1:] == lane[:-1])
    t1[same], end[same] = t0[same + 1], rows[same + 1]
    return t0, np.maximum(t0, t1), end


def neighbour(keys: Ints, rows: Ints, wanted: Ints, at: Ints, *, after: bool = False) -> Ints:
    """For each (wanted, at): the position in `rows` of the last one before `at`, or first after it, of that key."""
    if not len(rows):
        return np.full(len(wanted), -1, np.int64)
    order = by(keys, rows)
    width = int(max(rows.max(), at.max(initial=0))) + 2
    joined = keys[order] * width + rows[order]
    place = np.searchsorted(joined, wanted * width + at, "right" if after else "left") - (0 if after else 1)
    inside = (place >= 0) & (place < len(rows))
    found = order[np.where(inside, place, 0)]
    out: Ints = np.where(inside & (keys[found] == wanted), found, -1)
    return out


def pick(values: npt.NDArray[Any], found: Ints) -> Ints:
    """values[found], and -1 where nothing was found."""
    if not len(values):
        return np.full(len(found), -1, np.int64)
    out: Ints = np.where(found >= 0, values[found].astype(np.int64), -1)
    return out


def text(trace: Trace, word: str) -> int:
    """The number of a text, -2 if the trace does not have it."""
    return trace.strings.index(word) if word in trace.strings else -2


def came_home(trace: Trace, rows: Ints) -> npt.NDArray[np.bool_]:
    """Which of these GoSyscallEndBlocked may end a call on a spare M: the owner has long been doing something else."""
    told = (trace.kind == ev.GoStatus) & (trace.b == st.GSYSCALL)
    begun = np.flatnonzero((trace.kind == ev.GoSyscallBegin) | told)
    if not len(begun):
        return np.ones(len(rows), bool)
    subject = np.where(told[begun], trace.a[begun], trace.g[begun])
    moved = np.where(told[begun], trace.m[begun] < 0, trace.a[begun] == text(trace, st.OFFLOADED))
    begin = neighbour(subject, begun, trace.g[rows], rows)
    out: npt.NDArray[np.bool_] = (begin < 0) | moved[begin]
    return out


@kept
def spans_g(trace: Trace) -> Rows:
    """Every G's states (`status.GSTATUS`): lane (the G), t0, t1, state, p and m at its begin, begin, end."""
    who, after = {"g": trace.g, "a": trace.a}, np.full(256, -1)
    subject = np.full(len(trace), -1, np.int64)
    for event in KINDS.values():
        if event.g is not None:
            rows = np.flatnonzero(trace.kind == event.code)
            subject[rows] = who[event.g.who][rows]
            after[event.code] = -1 if event.g.after is None else event.g.after
    rows = np.flatnonzero(subject >= 0)
    kind = trace.kind[rows]
    state = np.where(kind == ev.GoStatus, trace.b[rows], after[kind & 255])
    order = by(subject[rows], rows)
    rows, state = rows[order], state[order]
    lane = subject[rows]
    again = np.zeros(len(rows), bool)  # a generation repeats the state
    again[1:] = (lane[1:] == lane[:-1]) & (state[1:] == state[:-1]) & (trace.kind[rows][1:] == ev.GoStatus)
    rows, state, lane = rows[~again], state[~again], lane[~again]
    t0, t1, end = until_next(trace, lane, rows)
    out = table(
        "lane t0 t1 state p m begin end", lane, t0, t1, state, trace.p[rows], trace.m[rows], rows, end
    )
    found: Rows = out[state != st.GDEAD]
    return found


def running(lanes: Lanes, lane: Ints) -> None:
    """What P's and M's have in common: a G runs here, or leaves."""
    trace = lanes.trace
    lanes.add(rows := lanes.rows(ev.GoStart, ev.GoSyscallEnd), lane, RUNNING, trace.g[rows])
    lanes.add(lanes.rows(ev.GoBlock, ev.GoStop, ev.GoEnd), lane, HELD)
    rows = lanes.rows(ev.GoSyscallBegin)
    moved = trace.a[rows] == text(trace, st.OFFLOADED)
    lanes.add(rows[moved], lane, HELD)
    lanes.add(rows[~moved], lane, SYSCALL, trace.g[rows[~moved]])
    rows = lanes.rows(ev.GoStatus)
    for status, state in ((st.GRUNNING, RUNNING), (st.GSYSCALL, SYSCALL)):
        these = rows[trace.b[rows] == status]
        lanes.add(these, lane, state, trace.a[these])


@kept
def spans_p(trace: Trace) -> Rows:
    """Every P's states (`PSTATES`): lane (the P), t0, t1, state, g, p, m, begin, end."""
    lanes = Lanes(trace)
    spin = lanes.rows(ev.SpinStart, ev.SpinStop)
    start = lanes.rows(ev.ProcStart)
    last = neighbour(trace.m[spin], spin, trace.m[start], start)
    spins = (
        (last >= 0) & (trace.kind[spin[last]] == ev.SpinStart) if len(spin) else np.zeros(len(start), bool)
    )
    lanes.add(start, trace.p, np.where(spins, SPINNING, HELD))
    rows = lanes.rows(ev.ProcStatus)
    lanes.add(rows, trace.a, np.where(trace.b[rows] == st.PRUNNING, HELD, IDLE))
    lanes.add(lanes.rows(ev.ProcStop), trace.p, IDLE)
    lanes.add(lanes.rows(ev.ProcSteal), trace.a, IDLE)
    lanes.add(lanes.rows(ev.ProcRetire), trace.a, GONE)
    lanes.add(spin, trace.p, np.where(trace.kind[spin] == ev.SpinStart, SPINNING, HELD))
    running(lanes, trace.p)
    return lanes.spans()


@kept
def spans_m(trace: Trace) -> Rows:
    """Every M's states (`MSTATES`): lane (the M), t0, t1, state, g, p, m, begin, end."""
    lanes = Lanes(trace)
    order = np.argsort(trace.m, kind="stable")
    woke = (trace.kind[order][:-1] == ev.MPark) & (trace.m[order][:-1] == trace.m[order][1:])
    lanes.add(np.sort(order[1:][woke]), trace.m, HELD)
    lanes.add(lanes.rows(ev.MStart, ev.SpinStop), trace.m, HELD)
    lanes.add(lanes.rows(ev.MPark, ev.OffloadEnd), trace.m, IDLE)
    lanes.add(lanes.rows(ev.MExit), trace.m, GONE)
    lanes.add(lanes.rows(ev.SpinStart), trace.m, SPINNING)
    rows = lanes.rows(ev.MStatus)
    state = np.array([IDLE, HELD, SPINNING, GONE])[np.clip(trace.b[rows], 0, 3)]
    lanes.add(rows, trace.a, state)
    lanes.add(rows := lanes.rows(ev.Offload), trace.m, SYSCALL, trace.g[rows])
    rows = lanes.rows(ev.GoSyscallEndBlocked)
    lanes.add(rows[~came_home(trace, rows)], trace.m, HELD)
    running(lanes, trace.m)
    return lanes.spans()
