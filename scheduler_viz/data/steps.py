"""Step functions per bin, exactly: queue lengths and counts that hold from one change to the next.

The integral of a step function up to any moment is a cumulative sum and one binary search, so the mean of a bin is a
difference at its two edges divided by its width. Nothing is sampled: a queue that was long for a microsecond raises the
mean of its bin by what that microsecond is worth, and the maximum says how long it was.

Edges are whole ns, so that a bin is never empty by rounding; two bins may differ by 1 ns.

Rejected: the value at the middle of a bin (sampling), and a matrix of every change by every lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpg.trace import events as ev

from ..arguments import check_bins
from ..base import Window

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["bin_edges", "bin_of", "count_ps", "rising", "step_bins", "to_ns"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def bin_edges(at: Window, bins: int) -> Ints:
    """bins + 1 times in ns from one end of the window to the other; fewer if it has fewer ns, one if it has none.

    Raises:
        BadOption: bins is no number from 1 to MOST_BINS.
    """
    check_bins(bins)
    span = at.t1 - at.t0
    bins = min(int(bins), span)  # numpy's small ints have no room for what follows
    if bins < 1:
        return np.array([at.t0], np.int64)
    i = np.arange(bins + 1)
    edges: Ints = at.t0 + span // bins * i + span % bins * i // bins
    return edges


def bin_of(t: Ints, edges: Ints) -> Ints:
    """The bin of each time: from its left edge up to its right one, which belongs to the last bin alone."""
    found: Ints = np.minimum(np.searchsorted(edges, t, "right") - 1, len(edges) - 2)
    return found


def rising(lane: Ints, t: Ints) -> Ints:
    """Times that never fall within a lane. Rows are in causal order; clocks of two M's may differ by a few us."""
    if not len(t):
        return t
    order = np.argsort(lane, kind="stable")
    place = np.cumsum(np.concatenate([[0], np.diff(lane[order]) != 0]))
    low = int(t.min())
    width = int(t.max()) - low + 1
    out = np.empty_like(t)
    out[order] = np.maximum.accumulate(place * width + t[order] - low) - place * width + low
    return out


def step_bins(lane: Ints, t: Ints, value: npt.NDArray[Any], edges: Ints, lanes: int) -> tuple[Floats, Floats]:
    """Time-weighted mean and maximum of `lanes` step functions in each bin.

    Args:
        lane, t, value: the changes: from t on the function `lane`, from 0, has this value, and 0 before its first.
            Changes of one lane at one time are in order; all but the last of them count for the maximum alone.
        edges: rising times in ns, at least two.

    Returns:
        two arrays of shape (lanes, len(edges) - 1).
    """
    shape = (lanes, len(edges) - 1)
    mean, high = np.zeros(shape), np.zeros(shape)
    known = np.unique(lane)
    if not len(known):
        return mean, high
    order = np.lexsort((t, lane))
    row, t, value = np.searchsorted(known, lane[order]), t[order], value[order].astype(np.float64)
    low = min(int(t.min()), int(edges[0]))
    width = max(int(t.max()), int(edges[-1])) - low + 2
    key = row * width + t - low
    lasts = np.zeros(len(t))
    lasts[:-1] = np.where(row[1:] == row[:-1], np.diff(t), 0)
    area = np.concatenate([[0.0], np.cumsum(value * lasts)])
    place = np.arange(len(known))[:, None] * width + (edges - low)[None, :]
    here = np.searchsorted(key, place.ravel(), "right").reshape(place.shape) - 1
    own = (here >= 0) & (row[here] == np.arange(len(known))[:, None])
    now = np.where(own, value[here], 0.0)
    until = area[here + ~own] + np.where(own, now * (edges[None, :] - t[here]), 0.0)
    mean[known] = np.diff(until, axis=1) / np.diff(edges)
    begin = np.searchsorted(key, place[:, :-1].ravel(), "left")
    end = np.searchsorted(key, (place[:, 1:] + (np.arange(shape[1]) == shape[1] - 1)).ravel(), "left")
    some = np.flatnonzero(begin < end)
    peak = now[:, :-1].copy()
    if len(some):
        pairs = np.stack([begin[some], end[some]], axis=1).ravel()
        tops = np.maximum.reduceat(np.append(value, -np.inf), pairs)[::2]
        peak.ravel()[some] = np.maximum(peak.ravel()[some], tops)
    high[known] = peak
    return mean, high


def count_ps(trace: Trace) -> int:
    """One more than the highest number of a P: those that exist, were named, or are announced by the metadata."""
    announced = trace.metadata.get("procs")
    return max(
        announced if isinstance(announced, int) else 0,
        int(trace.p.max(initial=-1)) + 1,
        int(trace.a[trace.kind == ev.ProcsChange].max(initial=0)),
    )


def to_ns(seconds: npt.NDArray[Any], at: Window) -> Ints:
    """Seconds from the trace's start as the trace's own ns; exact for a hundred days."""
    return np.rint(seconds * 1e9).astype(np.int64) + at.origin
