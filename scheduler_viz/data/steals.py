"""Who stole from whom, and when.

* A steal is a `Steal` event: one that succeeded. Neither Go nor mpg records attempts that found nothing.
* Only pairs that occur are rows: with 1,024 P's a full matrix would have a million, nearly all zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mpg.trace import derive

from ..base import need, window
from .steps import bin_edges, bin_of

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["steal_matrix", "steal_rate"]

Rows = npt.NDArray[np.void]


def steal_matrix(trace: Trace, *, t0: float | None = None, t1: float | None = None) -> Rows:
    """For each pair of P's that occurs: thief, victim, steals, stolen (how many G's), by thief and victim.

    Raises:
        NotRecorded: the trace's world has no Steal events.
        TypeError: `trace` is no Trace.
        ValueError: a bad window.
    """
    need(trace, "steal_matrix", "Steal")
    at = window(trace, t0, t1)
    rows = derive.steals(trace)
    rows = rows[(rows["t"] >= at.t0) & (rows["t"] <= at.t1)]
    both = np.stack([rows["thief"], rows["victim"]], axis=1)
    pairs, place = np.unique(both, axis=0, return_inverse=True)
    out = np.empty(len(pairs), [(name, np.int64) for name in ("thief", "victim", "steals", "stolen")])
    out["thief"], out["victim"] = pairs[:, 0], pairs[:, 1]
    out["steals"] = np.bincount(place.ravel(), minlength=len(pairs))
    out["stolen"] = np.bincount(place.ravel(), rows["n"], len(pairs))
    return out


def steal_rate(trace: Trace, *, t0: float | None = None, t1: float | None = None, bins: int = 100) -> Rows:
    """For each bin of time: t0, t1, steals, stolen (how many G's), mean (G's per steal, nan without a steal).

    Without time there are no bins, and no rows.

    Raises:
        NotRecorded: the trace's world has no Steal events.
        TypeError: `trace` is no Trace.
        ValueError: a bad window, bins not from 1 to 10,000.
    """
    need(trace, "steal_rate", "Steal")
    at = window(trace, t0, t1)
    edges = bin_edges(at, bins)
    rows = derive.steals(trace)
    rows = rows[(rows["t"] >= at.t0) & (rows["t"] <= at.t1)]
    names = [("t0", float), ("t1", float), ("steals", np.int64), ("stolen", np.int64), ("mean", float)]
    out = np.zeros(len(edges) - 1, names)
    if len(out):
        place = bin_of(rows["t"], edges)
        out["t0"], out["t1"] = at.seconds(edges[:-1]), at.seconds(edges[1:])
        out["steals"] = np.bincount(place, minlength=len(out))
        out["stolen"] = np.bincount(place, rows["n"], len(out))
        out["mean"] = np.where(out["steals"], out["stolen"] / np.maximum(out["steals"], 1), np.nan)
    return out
