"""Time in state per bin: by hand, and against a loop."""

import numpy as np

from scheduler_viz import data
from scheduler_viz.data import bins
from scheduler_viz.data.timelines import STATE_NAMES


def test_time_in_state():
    row, t0, t1 = (np.array(values) for values in ([0, 0, 2], [0, 15, 5], [12, 35, 25]))
    found = bins.time_in_state(row, t0, t1, np.array([0, 10, 20, 30]), 3)
    assert found.tolist() == [[10, 7, 10], [0, 0, 0], [5, 10, 5]]


def test_time_in_state_is_exact(crowd):
    """Against a loop over spans, for some lanes."""
    rows = data.p_timeline(crowd)
    rows = rows[(rows["p"] < 3) & (rows["state"] == STATE_NAMES.index("running"))]
    t0, t1 = (np.rint(rows[name] * 1e9).astype(np.int64) for name in ("t0", "t1"))
    edges = np.linspace(t0.min() - 5, t1.max() + 5, 37).astype(np.int64)
    want = np.zeros((3, 36))
    for p, begin, end in zip(rows["p"], t0, t1, strict=True):
        want[p] += np.maximum(np.minimum(end, edges[1:]) - np.maximum(begin, edges[:-1]), 0)
    assert bins.time_in_state(rows["p"], t0, t1, edges, 3).tolist() == want.tolist()


def test_no_spans_no_time():
    none = np.zeros(0, np.int64)
    assert bins.time_in_state(none, none, none, np.array([0, 1]), 2).tolist() == [[0], [0]]


def test_regroup():
    values = np.array([[1.0], [2.0], [4.0]])
    assert bins.regroup(values, 3).tolist() == values.tolist()
    assert bins.regroup(values, 1).tolist() == [[7]]
    assert bins.regroup(values, 2).tolist() == [[2], [5]]
