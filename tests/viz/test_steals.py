"""Steals by pair and by time, against cases worked out by hand."""

import numpy as np
import pytest
from viz.conftest import check_layout

import scheduler_viz as viz
from mpg.trace import Trace
from scheduler_viz import NotRecorded, data

FOUR = """
world "host"
0   -  M0 -  ProcsChange 3
0   P0 M0 -  ProcStart
10  P1 M1 -  Steal P0 2
20  P1 M1 -  Steal P0 4
30  P2 M2 -  Steal P1 1
40  P2 M2 -  Steal P0 1
100 P0 M0 -  ProcStop
"""
NONE = 'world "host"\n0 P0 M0 - ProcStart\n9 P0 M0 - ProcStop'
NS = 1e-9


@pytest.fixture
def four():
    return Trace.from_text(FOUR)


def test_matrix(four):
    rows = data.steal_matrix(four)
    assert rows.dtype.names == ("thief", "victim", "steals", "stolen")
    assert rows.tolist() == [(1, 0, 2, 6), (2, 0, 1, 1), (2, 1, 1, 1)]


def test_matrix_of_a_window(four):
    assert data.steal_matrix(four, t0=15 * NS, t1=30 * NS).tolist() == [(1, 0, 1, 4), (2, 1, 1, 1)]
    assert len(data.steal_matrix(four, t0=50 * NS)) == 0


def test_rate(four):
    rows = data.steal_rate(four, bins=4)
    assert rows["t0"].tolist() == pytest.approx([0, 25 * NS, 50 * NS, 75 * NS])
    assert rows["t1"].tolist() == pytest.approx([25 * NS, 50 * NS, 75 * NS, 100 * NS])
    assert rows["steals"].tolist() == [2, 2, 0, 0]
    assert rows["stolen"].tolist() == [6, 2, 0, 0]
    assert rows["mean"][:2].tolist() == [3, 1]
    assert np.isnan(rows["mean"][2:]).all()


def test_an_edge_belongs_to_the_bin_that_it_begins_and_the_last_one_to_the_last_bin(four):
    assert data.steal_rate(four, bins=10)["steals"].tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert data.steal_rate(four, t1=40 * NS, bins=4)["steals"].tolist() == [0, 1, 1, 2]


def test_no_more_bins_than_ns(four):
    rows = data.steal_rate(four, t0=9 * NS, t1=12 * NS)
    assert rows["steals"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("bins", [0, -1, 2.5, "9"])
def test_bad_bins(four, bins):
    with pytest.raises(ValueError, match="bins is a number"):
        data.steal_rate(four, bins=bins)


@pytest.mark.parametrize("name", ["steal_matrix", "steal_rate"])
def test_go_has_no_steals(name):
    trace = Trace.from_text('world "go"\n0 P0 M0 - ProcStart')
    for function in (getattr(data, name), getattr(viz, name)):
        with pytest.raises(NotRecorded, match="Steal") as caught:
            function(trace)
        assert (caught.value.figure, caught.value.event, caught.value.world) == (name, "Steal", "go")


@pytest.mark.parametrize("name", ["steal_matrix", "steal_rate"])
@pytest.mark.parametrize("text", ["", NONE])
def test_nothing_stolen(name, text):
    ax = getattr(viz, name)(Trace.from_text(text))
    assert [text.get_text() for text in ax.texts] == ["no steals in this trace"]
    check_layout(ax.figure)


def test_nothing_stolen_here(four):
    ax = viz.steal_rate(four, t0=50 * NS)
    assert [text.get_text() for text in ax.texts] == ["no steals in this part of the trace"]


def counts(ax):
    return sorted(
        (round(x), round(y), text.get_text())
        for text in ax.texts
        if text.get_gid() == "count"
        for x, y in [text.get_position()]
    )


def test_matrix_is_drawn_with_counts_and_totals(four):
    ax = viz.steal_matrix(four)
    upper, right = ax.figure.axes[1:3]
    assert counts(ax) == [(0, 1, "2"), (0, 2, "1"), (1, 2, "1")]
    assert upper.patches[0].get_data().values.tolist() == [3, 1, 0]
    assert right.patches[0].get_data().values.tolist() == [0, 2, 2]
    assert counts(viz.steal_matrix(four, count="stolen")) == [(0, 1, "6"), (0, 2, "1"), (1, 2, "1")]


def test_counts_that_do_not_fit_are_not_written():
    steals = "\n".join(f"{i} P{i} M{i} - Steal P0 1" for i in range(1, 100))
    ax = viz.steal_matrix(Trace.from_text(f"0 - M0 - ProcsChange 100\n{steals}"))
    assert counts(ax) == []


def test_many_ps_share_cells_and_no_steal_is_lost():
    steals = "\n".join(f"{i} P{i} M{i} - Steal P{1023 - i} 1" for i in range(500))
    ax = viz.steal_matrix(Trace.from_text(f"0 - M0 - ProcsChange 1024\n{steals}"))
    cells = ax.images[0].get_array()
    assert cells.shape == (128, 128)
    assert cells.filled(0).sum() == 500
    assert cells[0, 127] == 8
    assert any("8 by 8" in text.get_text() for text in ax.texts)


def test_what_may_be_counted(four):
    with pytest.raises(ValueError, match="stolen"):
        viz.steal_matrix(four, count="gs")


def test_rate_is_drawn(four):
    ax = viz.steal_rate(four, bins=4)
    lower, upper = ax.patches[0].get_data(), ax.figure.axes[1].collections[0].get_segments()
    assert lower.values.tolist() == [2, 2, 0, 0]
    assert [float(segment[0][1]) for segment in upper] == [3, 1]
