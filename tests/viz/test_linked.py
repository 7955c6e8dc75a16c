"""One G followed over its P's and M's."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from viz.conftest import STORY, check_layout

import scheduler_viz as viz
from mpg.trace import Trace
from scheduler_viz import data
from scheduler_viz.data.timelines import STATE_NAMES


def ns(values):
    return [round(value * 1e9) for value in np.asarray(values).tolist()]


def path(ax):
    (line,) = [line for line in ax.lines if line.get_gid() == "path"]
    return list(zip(ns(line.get_xdata()), line.get_ydata().tolist(), strict=True))


def lanes(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def note(ax):
    (text,) = [text.get_text() for text in ax.texts if text.get_gid() == "note"]
    return text


def test_data(story):
    rows = data.linked(story, 1)
    assert ns(rows["t0"]) == [10, 70, 80, 90]
    assert ns(rows["t1"]) == [50, 80, 90, 98]
    assert rows["p"].tolist() == [0, 0, 0, -1]
    assert rows["m"].tolist() == [0, 0, 0, 0]
    assert [STATE_NAMES[code] for code in rows["state"]] == ["running", "running", "syscall", "syscall"]


def test_data_of_a_g_that_moved(story):
    rows = data.linked(story, 3)
    assert list(zip(ns(rows["t0"]), ns(rows["t1"]), rows["p"].tolist(), rows["m"].tolist(), strict=True)) == [
        (50, 70, 0, 0),
        (97, 100, 0, 2),
    ]


def test_the_line_goes_where_the_g_went(story):
    fig = viz.linked(story, 3)
    upper, middle, lower = fig.axes
    assert path(upper) == [(50, 0), (70, 0), (97, 0), (100, 0)]
    assert path(middle) == [(50, 0), (70, 0), (97, 1), (100, 1)]
    assert (lanes(upper), lanes(middle), lanes(lower)) == (["P0"], ["M0", "M2"], ["other G3"])
    check_layout(fig)


def test_from_birth_to_end(story):
    fig = viz.linked(story, 2)
    assert [ns(ax.get_xlim()) for ax in fig.axes] == [[20, 99]] * 3
    fig = viz.linked(story, 2, t0=40e-9)
    assert [ns(ax.get_xlim()) for ax in fig.axes] == [[40, 100]] * 3


def test_one_axis_of_time(story):
    fig = viz.linked(story, 1)
    fig.axes[2].set_xlim(0, 45e-9)
    assert [ns(ax.get_xlim()) for ax in fig.axes] == [[0, 45]] * 3
    check_layout(fig)  # the legend has followed: there is no call in this part


def test_a_g_that_never_ran():
    trace = Trace.from_text("0 P0 M0 - ProcStart\n0 P0 M0 - GoCreate G1\n9 P0 M0 - ProcStop")
    fig = viz.linked(trace, 1)
    assert [text.get_text() for ax in fig.axes[:2] for text in ax.texts] == [
        "G1 was on no P",
        "G1 was on no M",
    ]
    check_layout(fig)


@pytest.mark.parametrize("options", [{"g": 4}, {"g": 3, "t1": 24e-9}, {"g": -1}])
def test_a_g_that_does_not_occur(story, options):
    with pytest.raises(ValueError, match="does not occur"):
        viz.linked(story, **options)
    assert plt.get_fignums() == []


def test_readable_among_many(crowd):
    moved = data.g_timeline(crowd, top=200)
    places = {g: len(set(moved["p"][moved["g"] == g].tolist()) - {-1}) for g in set(moved["g"].tolist())}
    g = max(places, key=lambda g: (places[g], g))
    assert places[g] > 1
    fig = viz.linked(crowd, g)
    assert f"the lanes are {places[g]} of {crowd.metadata['procs']} P's" in note(fig.axes[2])
    assert fig.axes[0].get_ylim() == (places[g] - 0.5, -0.5)
    check_layout(fig)


def test_a_build_with_a_gil_claims_no_cpu():
    fig = viz.linked(Trace.from_text(f"gil true\n{STORY}"), 1)
    (legend,) = fig.legends
    assert "has a P (one GIL)" in [text.get_text() for text in legend.get_texts()]
    check_layout(fig)


def test_a_thicket_is_not_drawn():
    """1,000 stays: more than the picture has room for; of a part there are few."""
    lines = ["0 P0 M0 - ProcStart", "0 P1 M1 - ProcStart", "0 P0 M0 - GoCreate G1"]
    for i in range(1000):
        p, t = i % 2, 10 * i
        lines += [f'{t} P{p} M{p} G1 GoStart "local"', f'{t + 5} P{p} M{p} G1 GoStop "preempted"']
    fig = viz.linked(Trace.from_text("\n".join(lines)), 1)
    upper, middle, lower = fig.axes
    assert not [line for ax in (upper, middle) for line in ax.lines if line.get_gid() == "path"]
    assert "zoom in for" in note(lower)
    assert "1,000 stays on P's, 1,000 stays on M's" in note(lower)
    upper.set_xlim(101e-9, 123e-9)
    want = [(90, 1), (95, 1), (100, 0), (105, 0), (110, 1), (115, 1), (120, 0), (125, 0), (130, 1), (135, 1)]
    assert path(upper) == path(middle) == want  # one stay more on each side, so that the line goes on there
    assert "zoom in for" not in note(lower)
    check_layout(fig)
