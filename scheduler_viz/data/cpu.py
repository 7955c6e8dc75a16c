"""CPU times of M's, where a trace has them (`CpuTime`, on the host): what part of a P's time had a CPU.

A piece of a P's time lies between two looks at its M's clock, some ms apart; `mpg.trace.cpu` says how its CPU time is
spread over it. Before the first look and after the last nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mpg.trace import derive
from mpg.trace.lanes import RUNNING

from ..base import window

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["cpu_busy", "without_cpu"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.void]

LONG: Final = 1_000_000  #: ns of a slice between two looks, below which nothing is said about it
LEAST: Final = 0.05  #: of such a part without CPU: less is within what clocks and switches take


def without_cpu(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """The parts of long slices for which their M's had no CPU: p, t0, t1 in seconds, g, m.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    at = window(trace, t0, t1)
    pieces = derive.on_cpu(trace)
    long = pieces["t1"] - pieces["t0"]
    none = pieces["t1"] - pieces["cpu"]
    pieces = pieces[(pieces["state"] == RUNNING) & (long >= LONG) & (none >= LEAST * long)]
    begin, end = np.clip(pieces["cpu"], at.t0, at.t1), np.clip(pieces["t1"], at.t0, at.t1)
    order = np.lexsort((begin, pieces["p"]))
    order = order[(end > begin)[order]]
    out = np.empty(len(order), [("p", int), ("t0", float), ("t1", float), ("g", int), ("m", int)])
    out["t0"], out["t1"] = at.seconds(begin[order]), at.seconds(end[order])
    for name in ("p", "g", "m"):
        out[name] = pieces[name][order]
    return out


def cpu_busy(trace: Trace, edges: Ints, ps: Ints, *, by: str) -> tuple[Floats, Floats]:
    """ns with CPU, and ns of which that is known, for each bin of `edges`, or with by="p" for each of `ps`.

    Within a piece its CPU time is spread evenly.
    """
    pieces = derive.on_cpu(trace)
    pieces = pieces[np.isin(pieces["p"], ps)]
    t0, t1 = (np.clip(pieces[name], edges[0], edges[-1]) for name in ("t0", "t1"))
    share = (pieces["cpu"] - pieces["t0"]) / np.maximum(pieces["t1"] - pieces["t0"], 1)
    if by == "p":
        lane = np.searchsorted(ps, pieces["p"])
        known = (t1 - t0).astype(float)
        used, total = (np.bincount(lane, ns, len(ps)).astype(np.float64) for ns in (share * known, known))
        return used, total
    return spread(t0, t1, share, edges), spread(t0, t1, np.ones(len(share)), edges)


def spread(t0: Ints, t1: Ints, rate: Floats, edges: Ints) -> Floats:
    """Between each two edges, the sum of what has this rate from t0 to t1."""
    if not len(t0):
        return np.zeros(len(edges) - 1)
    t, step = np.concatenate([t0, t1]), np.concatenate([rate, -rate])
    order = np.argsort(t, kind="stable")
    t, total = t[order], np.cumsum(step[order])
    area = np.concatenate([[0.0], np.cumsum(total[:-1] * np.diff(t))])
    return np.diff(np.interp(edges, t, area))
