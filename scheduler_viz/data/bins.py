"""Time in each state per bin, exactly: what a picture shows when a pixel holds more than one span.

The spans of one state are sorted by lane and begin, and their durations summed up. The time spent in that state before
any moment is then one binary search, and what lies between two edges is a difference: no loop over spans, and nothing
is sampled, so a rare state colours its pixel by its share however short it was.

Rejected: drawing a span in the pixel where it begins (a rare state vanishes behind the next span), an array with a
cell for each ns or event (as large as the trace), a pyramid of resolutions (it saves a second where nobody pans).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["regroup", "time_in_state"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def time_in_state(row: Ints, t0: Ints, t1: Ints, edges: Ints, rows: int) -> Floats:
    """How long each of `rows` lanes was in spans of one state, between each two edges.

    Args:
        row, t0, t1: the spans: lane number from 0, begin and end in ns. Spans of one lane do not overlap.
        edges: rising times in ns.

    Returns:
        ns, of shape (rows, len(edges) - 1).
    """
    out = np.zeros((rows, len(edges) - 1))
    lanes = np.unique(row)
    if not len(lanes):
        return out
    origin = min(int(edges[0]), int(t0.min()))
    width = max(int(edges[-1]), int(t1.max())) - origin + 1
    order = np.lexsort((t0, row))
    row, begin, end = np.searchsorted(lanes, row[order]), t0[order] - origin, t1[order] - origin
    before = np.concatenate([[0], np.cumsum(end - begin)])
    place = np.arange(len(lanes))[:, None] * width + (edges - origin)[None, :]
    count = np.searchsorted(row * width + begin, place.ravel(), "right").reshape(place.shape)
    last = np.maximum(count - 1, 0)  # the span that began last; what of it lies after the edge does not count
    own = (count > 0) & (row[last] == np.arange(len(lanes))[:, None])
    late = np.where(own, np.maximum(end[last] - (edges - origin)[None, :], 0), 0)
    out[lanes] = np.diff(before[count] - late, axis=1)
    return out


def regroup(values: Floats, rows: int) -> Floats:
    """The lanes of (lanes, ...) merged into fewer rows of equal height; a lane on a border is divided in proportion."""
    lanes = len(values)
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    edges = np.linspace(0, lanes, rows + 1)
    whole = np.minimum(edges.astype(np.int64), lanes - 1)
    part = (edges - whole).reshape(-1, *([1] * (values.ndim - 1)))
    out: Floats = np.diff(sums[whole] + part * (sums[whole + 1] - sums[whole]), axis=0)
    return out
