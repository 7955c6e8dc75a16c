"""Queue lengths and counters, against cases worked out by hand and a slow count of every ns."""

from itertools import pairwise

import numpy as np
import pytest
from viz.conftest import busy, check_layout

import scheduler_viz as viz
from mpg.trace import Trace, derive
from scheduler_viz import NotRecorded, data
from scheduler_viz.data.steps import bin_edges, step_bins

QUEUES = """
world "host"
0  -  M0 -  ProcsChange 2
0  P0 M0 -  ProcStart
0  P0 M0 -  RunqLen 4 0
5  P0 M0 -  RunqLen 1 2
15 -  M0 -  GlobqLen 10
15 P0 M0 -  RunqLen 0 0
16 P1 M1 -  RunqLen 7 0
16 P1 M1 -  RunqLen 0 0
18 P0 M0 -  Overflow 128
20 P0 M0 -  ProcStop
"""
NS = 1e-9


@pytest.fixture
def queues():
    return Trace.from_text(QUEUES)


def test_heatmap(queues):
    rows = data.runqueue_heatmap(queues, bins=2)
    assert rows.dtype.names == ("p", "t0", "t1", "mean", "max", "overflows")
    assert rows["p"].tolist() == [-1, -1, 0, 0, 1, 1]
    assert rows["t0"].tolist() == pytest.approx([0, 10 * NS] * 3)
    assert rows["t1"].tolist() == pytest.approx([10 * NS, 20 * NS] * 3)
    assert rows["mean"].tolist() == [0, 5, 3.5, 1.5, 0, 0]
    assert rows["max"].tolist() == [0, 10, 4, 3, 0, 7]
    assert rows["overflows"].tolist() == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(("part", "mean"), [("fresh", [2.5, 0.5]), ("started", [1, 1])])
def test_parts_of_a_queue(queues, part, mean):
    rows = data.runqueue_heatmap(queues, bins=2, part=part)
    assert rows["mean"][rows["p"] == 0].tolist() == mean


def test_heatmap_of_a_window(queues):
    rows = data.runqueue_heatmap(queues, t0=4 * NS, t1=8 * NS, bins=1)
    assert rows["mean"].tolist() == [0, 3.25, 0]


def test_a_clock_that_runs_behind(queues):
    text = "0 P0 M0 - RunqLen 2 0\n10 P0 M0 - RunqLen 0 0\n8 P0 M1 - RunqLen 1 0\n20 P0 M0 - RunqLen 0 0"
    rows = data.runqueue_heatmap(Trace.from_text(text), bins=2)
    assert rows["mean"][rows["p"] == 0].tolist() == [2, 1]


def test_before_its_first_length_a_queue_is_empty_and_in_a_partial_trace_unknown(queues):
    part = queues.filter(t0=5)
    rows = data.runqueue_heatmap(part, bins=3)
    assert np.isnan(rows["mean"]).tolist() == [True, True, False, False, False, False, True, True, True]
    assert rows["mean"][3:6].tolist() == [3, 3, 0]
    ax = viz.runqueue_heatmap(part, bins=3)
    assert any("grey: not known" in text.get_text() for text in ax.texts)
    check_layout(ax.figure)


def test_the_mean_of_all_bins_is_the_area_under_the_steps():
    trace = busy(4, 10)
    steps = derive.queue_lengths(trace)
    last = int(trace.ts[-1])
    for bins in (1, 7, 300):
        rows = data.runqueue_heatmap(trace, bins=bins)
        for p in range(-1, 4):
            own = steps[steps["p"] == p]
            area = float((own["n"] * np.diff(own["t"], append=last)).sum())
            mine = rows[rows["p"] == p]
            assert (mine["mean"] * (mine["t1"] - mine["t0"])).sum() * 1e9 == pytest.approx(area)
            assert mine["max"].max() == own["n"].max(initial=0)


@pytest.mark.parametrize("seed", range(5))
def test_step_bins_against_a_count_of_every_ns(seed):
    rng = np.random.default_rng(seed)
    lane, t, value = rng.integers(0, 3, 40), np.sort(rng.integers(0, 60, 40)), rng.integers(0, 9, 40)
    lane[lane == 1] = 0  # one without changes
    every = np.zeros((3, 61))
    for row, begin, height in zip(lane, t, value, strict=True):
        every[row, begin:] = height
    edges = np.array([5, 6, 11, 30, 58])
    mean, high = step_bins(lane, t, value, edges, 3)
    for i, (left, right) in enumerate(pairwise(edges)):
        assert mean[:, i] == pytest.approx(every[:, left:right].mean(axis=1))
        last = right + (right == edges[-1])
        for row in range(3):
            inside = value[(lane == row) & (t >= left) & (t < last)].tolist()
            assert high[row, i] == max([*inside, every[row, left]])


def test_edges_are_whole_and_all_different():
    at = viz.base.Window(10, 10 + 10**18, 0)
    edges = bin_edges(at, 7)
    assert (edges[0], edges[-1], len(edges)) == (10, 10 + 10**18, 8)
    assert np.ptp(np.diff(edges)) <= 1
    assert bin_edges(viz.base.Window(3, 6, 0), 100).tolist() == [3, 4, 5, 6]
    assert bin_edges(viz.base.Window(3, 3, 0), 100).tolist() == [3]


def test_lengths_are_not_gos():
    trace = Trace.from_text('world "go"\n0 P0 M0 - ProcStart')
    for function in (data.runqueue_heatmap, viz.runqueue_heatmap):
        with pytest.raises(NotRecorded, match="RunqLen"):
            function(trace)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no time passes in this trace"),
        ("0 P0 M0 - ProcStart", "no time passes in this trace"),
        ("0 P0 M0 - ProcStart\n9 P0 M0 - ProcStop", "no queue lengths in this trace"),
    ],
)
def test_no_lengths(text, words):
    ax = viz.runqueue_heatmap(Trace.from_text(text))
    assert [one.get_text() for one in ax.texts] == [words]


def test_a_part_that_is_none(queues):
    with pytest.raises(ValueError, match="fresh"):
        viz.runqueue_heatmap(queues, part="half")


def test_heatmap_is_drawn(queues):
    ax = viz.runqueue_heatmap(queues, bins=2)
    upper = ax.figure.axes[1]
    assert ax.images[0].get_array().filled(0).tolist() == [[3.5, 1.5], [0, 0]]
    assert upper.images[0].get_array().filled(0).tolist() == [[0, 5]]
    assert [line.get_xydata().tolist() for line in ax.lines] == [[[pytest.approx(15 * NS), 0]]] * 2
    assert any("1 overflow of a full queue (x)" in text.get_text() for text in ax.texts)


def test_many_ps_share_rows():
    """A row is the mean of its P's, so what all rows show is what all queues held."""
    lengths = "\n".join(f"0 P{p} M0 - RunqLen {p} 0" for p in range(1000))
    ax = viz.runqueue_heatmap(Trace.from_text(f"0 - M0 - ProcsChange 1000\n{lengths}\n9 P0 M0 - ProcStop"))
    rows = ax.images[0].get_array()[:, 0].filled(0)
    size = -(-1000 // len(rows))
    assert size > 1
    assert rows[1] == pytest.approx(np.arange(size, 2 * size).mean())
    assert any(f"the mean of {size} P's" in text.get_text() for text in ax.texts)


def test_counters(story):
    rows = data.counters(story)
    assert rows.dtype.names == ("t", *data.queues.COUNTERS)
    found = [(round(t * 1e9), *rest) for t, *rest in rows.tolist()]
    assert found == [
        # t, running, runnable, waiting, in calls, M's, spinning, idle P's
        (0, 0, 1, 0, 0, 1, 0, 1),
        (10, 1, 0, 0, 0, 1, 0, 1),
        (20, 1, 1, 0, 0, 1, 0, 1),
        (25, 1, 2, 0, 0, 1, 0, 1),
        (30, 1, 2, 0, 0, 2, 0, 1),
        (31, 1, 2, 0, 0, 2, 1, 1),
        (32, 1, 2, 0, 0, 2, 1, 0),
        (41, 1, 2, 0, 0, 2, 0, 0),
        (42, 2, 1, 0, 0, 2, 0, 0),
        (50, 2, 0, 1, 0, 2, 0, 0),
        (60, 2, 1, 0, 0, 2, 0, 0),
        (80, 1, 1, 0, 1, 2, 0, 0),
        (90, 1, 1, 0, 1, 2, 0, 1),
        (93, 1, 1, 0, 1, 3, 0, 1),
        (95, 1, 1, 0, 1, 3, 0, 0),
        (97, 2, 0, 0, 1, 3, 0, 0),
        (98, 2, 1, 0, 0, 3, 0, 0),
        (99, 1, 1, 0, 0, 3, 0, 1),
    ]


def test_counters_of_a_window_begin_with_what_was_so(story):
    rows = data.counters(story, t0=52 * NS, t1=85 * NS)
    assert [(round(t * 1e9), *rest) for t, *rest in rows.tolist()] == [
        (52, 2, 0, 1, 0, 2, 0, 0),
        (60, 2, 1, 0, 0, 2, 0, 0),
        (80, 1, 1, 0, 1, 2, 0, 0),
    ]


def test_counters_that_go_does_not_record():
    text = (
        'world "go"\n0 - M0 - ProcsChange 1\n0 P0 M0 - ProcStart\n5 P0 M0 - GoCreate G1\n9 P0 M0 G1 GoStart'
    )
    trace = Trace.from_text(text)
    assert data.counters(trace).tolist() == [(0, 0, 0, 0, 0, -1, -1, 0), (5 * NS, 0, 1, 0, 0, -1, -1, 0)]
    ax = viz.counters(trace)
    assert [line.get_label() for line in ax.lines] == ["idle P's"]
    assert any("not recorded: M's, spinning M's" in text.get_text() for text in ax.texts)


@pytest.mark.parametrize("text", ["", "7 P0 M0 - ProcStart"])
def test_no_time(text):
    trace = Trace.from_text(text)
    assert len(data.counters(trace)) == 0
    assert [text.get_text() for text in viz.counters(trace).texts] == ["no time passes in this trace"]


def test_counters_are_drawn(story):
    ax = viz.counters(story)
    upper = ax.figure.axes[1]
    lines = {line.get_label(): line for line in (*upper.lines, *ax.lines)}
    assert set(lines) == {"running", "runnable", "waiting", "in calls", "M's", "spinning M's", "idle P's"}
    rows = data.counters(story)
    assert lines["running"].get_ydata().tolist() == [*rows["running"].tolist(), 1]
    assert lines["running"].get_drawstyle() == "steps-post"
    assert lines["running"].get_xdata()[-1] == pytest.approx(100 * NS)


def test_more_steps_than_can_be_seen_are_a_line_in_a_band(monkeypatch):
    trace = busy(4, 10)
    exact = viz.counters(trace)
    monkeypatch.setattr(viz.queues, "MOST_STEPS", 10)
    ax = viz.counters(trace)
    for line, mean, band in zip(exact.lines, ax.lines, ax.collections, strict=True):
        t, y = line.get_data()
        bins, means = mean.get_data()
        assert (means[:-1] * np.diff(bins)).sum() == pytest.approx((y[:-1] * np.diff(t)).sum())
        edge = band.get_paths()[0].vertices[:, 1]
        assert (edge.min(), edge.max()) == (y.min(), y.max())
