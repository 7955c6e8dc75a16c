"""How long G's waited for a P after they could run, and P's for an M after a call or a stop.

* A latency belongs to the window in which it ended: when the G ran. G's that never ran have none.
* Bins are powers of two of a ns, and 0 has its own: in a simulation without costs many G's run at once.
* Percentiles are of the latencies themselves, never of the bins, and the same as those of `Trace.summary`.
* A hand-off begins with the call whose P was taken, or if there was none with the moment where the P was taken or
  given up. It ends with the first G that ran before the P was lost again; what did not happen until then is nan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mpg.trace import derive
from mpg.trace import events as ev
from mpg.trace.lanes import neighbour

from ..base import need, window

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["handoff_anatomy", "latency_histogram", "latency_marks"]

Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]


def latency_histogram(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """For each bin and cause that occurs: low, high (s; low <= latency < high), cause, n; by bin and cause.

    `cause` is an index of `mpg.trace.derive.CAUSES`. The bin of latencies that are 0 is low = 0, high = 1 ns; all
    others go from 2**k ns to 2**(k + 1) ns.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    rows = ended(trace, t0, t1)
    octave = np.where(rows["ns"] > 0, np.frexp(rows["ns"].astype(np.float64))[1], 0)
    pairs, place = np.unique(octave * len(derive.CAUSES) + rows["cause"], return_inverse=True)
    octaves, causes = np.divmod(pairs, len(derive.CAUSES))
    out = np.empty(len(pairs), [("low", float), ("high", float), ("cause", "i1"), ("n", np.int64)])
    out["low"] = np.where(octaves > 0, np.ldexp(0.5, octaves) / 1e9, 0.0)
    out["high"] = np.ldexp(1.0, octaves) / 1e9
    out["cause"] = causes
    out["n"] = np.bincount(place, minlength=len(pairs))
    return out


def latency_marks(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> dict[str, float]:
    """The latencies in seconds that 50, 90 and 99 % do not exceed, and the longest: p50, p90, p99, max; empty if none.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    ns = ended(trace, t0, t1)["ns"]
    if not len(ns):
        return {}
    values = np.percentile(ns, [50, 90, 99, 100]) / 1e9
    return dict(zip(("p50", "p90", "p99", "max"), values.tolist(), strict=True))


def ended(trace: Trace, t0: float | None, t1: float | None) -> Rows:
    """The latencies that ended in the window."""
    at = window(trace, t0, t1)
    rows = derive.latencies(trace)
    found: Rows = rows[(rows["t1"] >= at.t0) & (rows["t1"] <= at.t1)]
    return found


def handoff_anatomy(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """For each hand-off, the longest last: p, m_from, m_to (-1: none), t, called, retake, start, run.

    `t` is when the P was handed on, in seconds from the trace's start. `called` says if the P was taken from a call.
    The other three are seconds from where the hand-off begins: the P was taken (0 without a call), an M started it, a G
    ran on it. They do not fall: where clocks disagree by a few us, a step took no time.

    Raises:
        NotRecorded: the trace's world has no Handoff events.
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    need(trace, "handoff_anatomy", "Handoff")
    at = window(trace, t0, t1)
    rows = derive.handoffs(trace)
    rows = rows[(rows["t"] >= at.t0) & (rows["t"] <= at.t1)]
    started, ran = until_lost(trace, rows)
    retake = np.where(rows["taken"] >= 0, rows["taken"], rows["t"])
    begin = np.where(rows["called"] >= 0, rows["called"], retake)
    out = np.empty(
        len(rows),
        [
            *((name, np.int64) for name in ("p", "m_from", "m_to")),
            ("t", float),
            ("called", bool),
            *((name, float) for name in ("retake", "start", "run")),
        ],
    )
    for name in ("p", "m_from", "m_to"):
        out[name] = rows[name]
    out["t"], out["called"] = at.seconds(rows["t"]), rows["called"] >= 0
    latest = np.maximum(retake - begin, 0)
    out["retake"] = latest / 1e9
    for name, known in (("start", started), ("run", ran)):
        latest = np.where(
            known, np.maximum(rows[{"start": "started", "run": "ran"}[name]] - begin, latest), latest
        )
        out[name] = np.where(known, latest / 1e9, np.nan)
    whole = np.fmax(np.fmax(out["retake"], out["start"]), out["run"])
    found: Rows = out[np.lexsort((out["t"], whole))]
    return found


def until_lost(trace: Trace, rows: Rows) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which hand-offs were taken up by the M they were meant for, and led to a run before it lost the P."""
    p, none = rows["p"], len(trace)
    start = following(trace, (ev.ProcStart,), p, rows["row"])
    taken = start < np.minimum(none, following(trace, (ev.Handoff,), p, rows["row"]))
    started = taken & (np.append(trace.m, -2)[start] == rows["m_to"])
    lost = following(trace, (ev.ProcStop, ev.ProcSteal), p, start)
    return started, started & (following(trace, (ev.GoStart,), p, start) < lost)


def following(trace: Trace, kinds: tuple[int, ...], p: Ints, after: Ints) -> Ints:
    """For each P the first row of these kinds after a row, len(trace) if there is none."""
    rows = np.flatnonzero(np.isin(trace.kind, kinds))
    named = np.isin(trace.kind[rows], (ev.ProcSteal, ev.Handoff))
    found = neighbour(np.where(named, trace.a[rows], trace.p[rows]), rows, p, after, after=True)
    out: Ints = np.where(found >= 0, np.append(rows, 0)[found], len(trace))
    return out
