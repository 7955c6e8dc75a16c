"""Who was in which state, when: the spans that the timelines draw.

* A row is a span: its P, M or G, t0 and t1 in seconds from the trace's start, and `state`, an index of `STATE_NAMES`.
  What reaches out of the window is cut off at its edge.
* A lane is in one state at a time. Clocks of two real M's may differ by a few us; a span that begins before the one
  before it has ended begins where that one ends.
* A P that exists (ProcsChange) and has not been started is idle. In a partial trace nothing is known of it.
* "running" means that a P was given to the G. Whether the thread had a CPU, or on a build with a GIL the GIL, is in
  `data/cpu.py`.

States of P's: running, syscall (its G is in a call in place), spinning, system (its M schedules), idle. Of M's the
same; idle is parked. Of G's: running, runnable, syscall, netpoll (waits for I/O) and blocked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mpg import status as st
from mpg.trace import derive
from mpg.trace import events as ev
from mpg.trace.lanes import HELD, IDLE, RUNNING, SPINNING, SYSCALL, text

from ..arguments import BadOption, g_numbers, is_int, whole
from ..base import Window, window
from .lanes import CODE, STATE_NAMES, STOPS, cut, merged, straight, unstarted, why, with_p

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = [
    "CODE",
    "STATE_NAMES",
    "STOPS",
    "all_gs",
    "g_names",
    "g_timeline",
    "handoff_lines",
    "linked",
    "m_timeline",
    "p_timeline",
    "slowest",
    "steal_marks",
]

Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.void]

#: More lanes of G's than this nobody can read.
MOST_GS: Final = 200

OF_LANE: Final = {
    IDLE: CODE["idle"],
    HELD: CODE["system"],
    RUNNING: CODE["running"],
    SYSCALL: CODE["syscall"],
    SPINNING: CODE["spinning"],
}
LANE_TABLE: Final = np.array([OF_LANE.get(state, -1) for state in range(max(OF_LANE) + 1)])
G_TABLE: Final = np.array(
    [-1, CODE["runnable"], CODE["running"], CODE["syscall"], CODE["blocked"], -1, -1], np.int64
)


def p_timeline(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """Spans of P's: p, t0, t1, state, g (-1: none), m, stop (an index of `STOPS`), by P and time.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    at = window(trace, t0, t1)
    spans = derive.spans_p(trace)
    columns = {name: spans[name] for name in ("lane", "t0", "t1", "state", "g", "m", "begin", "end")}
    columns["state"] = LANE_TABLE[columns["state"]]
    idle = unstarted(trace)
    columns = {
        name: np.concatenate([idle.get(name, np.full(len(idle["lane"]), -1)), values])
        for name, values in columns.items()
    }
    columns = straight(columns)
    columns = merged(columns, ("state", "g", "m"))
    running = columns["state"] == CODE["running"]
    columns["stop"] = np.where(running, why(trace, columns["end"]), 0)
    return cut(columns, at, "p g m state stop")


def m_timeline(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """Spans of M's: m, t0, t1, state, g, p (-1: it has none), by M and time. When its P changes, a span begins anew.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    at = window(trace, t0, t1)
    spans = derive.spans_m(trace)
    columns = {name: spans[name].copy() for name in ("lane", "t0", "t1", "state", "g", "p", "begin", "end")}
    columns["state"] = LANE_TABLE[columns["state"]]
    columns = merged(straight(with_p(trace, columns)), ("state", "g", "p"))
    return cut(columns, at, "m g p state")


def g_timeline(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    top: int = 20,
    gs: Iterable[int] | None = None,
) -> Rows:
    """Spans of some G's: g, t0, t1, state, p (-1: none), m; G after G in the order of `slowest`, or of `gs`.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window, top below 1, a G that does not occur, more than 200 of them.
    """
    at = window(trace, t0, t1)
    whole("top", top, "a number of G's, at least 1")
    chosen = slowest(trace, t0=t0, t1=t1, top=top) if gs is None else g_numbers("gs", gs)
    rows = spans_of(trace, at)
    check_gs("top" if gs is None else "gs", chosen, rows)
    if not chosen:
        return rows[:0]
    order = np.argsort(chosen)
    place = np.searchsorted(np.array(chosen)[order], rows["g"])
    mine = order[np.minimum(place, len(chosen) - 1)]
    keep = np.array(chosen)[mine] == rows["g"]
    found: Rows = rows[keep][np.argsort(mine[keep], kind="stable")]
    return found


def check_gs(option: str, chosen: Sequence[int], rows: Rows) -> None:
    if len(chosen) > MOST_GS:
        raise BadOption(option, f"asks for {len(chosen)} lanes of G's: nobody can read more than {MOST_GS}")
    strangers = np.setdiff1d(chosen, rows["g"])
    if len(strangers):
        raise BadOption(option, f"names G {strangers[0]}, which does not occur in this part of the trace")


def slowest(trace: Trace, *, t0: float | None = None, t1: float | None = None, top: int = 20) -> list[int]:
    """The G's that waited longest: could run and did not, all their waits added. At a tie the older one first.

    Time blocked does not count: a G that waits for a request is not late.
    """
    rows = spans_of(trace, window(trace, t0, t1))
    gs, place = np.unique(rows["g"], return_inverse=True)
    ready = rows["state"] == CODE["runnable"]
    waited = np.bincount(place[ready], (rows["t1"] - rows["t0"])[ready], len(gs))
    order = np.lexsort((gs, -np.rint(waited * 1e9)))
    found: list[int] = gs[order[:top]].tolist()
    return found


def all_gs(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> int:
    """How many G's were alive at some time."""
    return len(np.unique(spans_of(trace, window(trace, t0, t1))["g"]))


def linked(trace: Trace, g: int, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """Where one G was: t0, t1, state, p, m, for each time that it ran or was in a call; -1 for a P it did not have.

    Without t0 and t1 its whole life. A call on a spare M is on that M, if the trace says which.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window, a G that does not occur in it.
    """
    at = window(trace, t0, t1)
    if not is_int(g):
        raise BadOption("g", f"is the number of a G, not {g!r}")
    rows = spans_of(trace, at)
    check_gs("g", [g], rows)
    m = m_timeline(trace, t0=t0, t1=t1)
    on_m = m[(m["g"] == g) & np.isin(m["state"], (CODE["running"], CODE["syscall"]))]
    out = np.empty(
        len(on_m), [("t0", float), ("t1", float), ("state", "i1"), ("p", np.int64), ("m", np.int64)]
    )
    for name in out.dtype.names or ():
        out[name] = on_m[name]
    found: Rows = out[np.argsort(out["t0"], kind="stable")]
    if len(found):  # a spare M may begin with the call before the G's own M has noted that the G has left
        found["t0"][1:] = np.maximum(found["t0"][1:], np.maximum.accumulate(found["t1"])[:-1])
        found["t1"] = np.maximum(found["t0"], found["t1"])
    return found


def steal_marks(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """Steals: t, thief, victim, n."""
    return moments(derive.steals(trace), window(trace, t0, t1), "thief victim n")


def handoff_lines(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """Hand-offs of a P: t, p, m_from, m_to (-1: nobody had to take it)."""
    return moments(derive.handoffs(trace), window(trace, t0, t1), "p m_from m_to")


def g_names(trace: Trace) -> dict[int, str]:
    """What each G runs: the last part of the name that it was created with, printable and at most 32 letters."""
    rows = trace.kind == ev.GoCreate
    short: dict[int, str] = {}
    for index in np.unique(trace.b[rows]).tolist():
        word = trace.string(index).rpartition(".")[2]
        short[index] = "".join(letter if letter.isprintable() else "?" for letter in word)[:32]
    return {g: short[index] for g, index in zip(trace.a[rows].tolist(), trace.b[rows].tolist(), strict=True)}


def moments(rows: Rows, at: Window, names: str) -> Rows:
    """Those inside the window, with their time in seconds."""
    rows = rows[(rows["t"] >= at.t0) & (rows["t"] <= at.t1)]
    out = np.empty(len(rows), [("t", float), *((name, np.int64) for name in names.split())])
    out["t"] = at.seconds(rows["t"])
    for name in names.split():
        out[name] = rows[name]
    return out


def spans_of(trace: Trace, at: Window) -> Rows:
    """The spans of every G; p and m are those it ran on, or blocked."""
    spans = derive.spans_g(trace)
    columns = {name: spans[name] for name in ("lane", "t0", "t1", "p", "m", "begin")}
    state = G_TABLE[np.clip(spans["state"], 0, len(G_TABLE) - 1)]
    begin = spans["begin"]
    polled = (trace.kind[begin] == ev.GoBlock) & (trace.a[begin] == text(trace, st.IO_WAIT))
    columns["state"] = np.where(polled & (state == CODE["blocked"]), CODE["netpoll"], state)
    moved = (trace.kind[begin] == ev.GoSyscallBegin) & (trace.a[begin] == text(trace, st.OFFLOADED))
    has_p = np.isin(state, (CODE["running"], CODE["syscall"])) & ~moved
    for name in ("p", "m"):
        columns[name] = np.where(has_p, columns[name], -1)
    keep = state >= 0
    return cut(straight({name: values[keep] for name, values in columns.items()}), at, "g p m state")
