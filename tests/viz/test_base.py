"""Windows of time, what a world records, and the small things that every figure has."""

import pickle

import matplotlib.pyplot as plt
import pytest
from viz.conftest import check_layout

import scheduler_viz
from mpg.trace import Trace
from scheduler_viz import base, data
from scheduler_viz.base import NotRecorded, Window, window

EMPTY = Trace.from_text("")
TEN = Trace.from_text("1us P0 M0 - ProcStart\n11us P0 M0 - ProcStop")


@pytest.mark.parametrize(
    ("t0", "t1", "want"),
    [
        (None, None, (1000, 11000)),
        (0, None, (1000, 11000)),
        (2e-6, 5e-6, (3000, 6000)),
        (None, 1.0, (1000, 11000)),
        (0.0, 1e300, (1000, 11000)),
        (None, 10**400, (1000, 11000)),
        (10e-6, None, (11000, 11000)),
    ],
)
def test_window(t0, t1, want):
    assert window(TEN, t0, t1) == Window(*want, 1000)


@pytest.mark.parametrize(
    ("t0", "t1", "words"),
    [
        (-1, None, "t0 is in seconds from the trace's start, not -1"),
        (None, -1e-9, "t1 is in seconds from the trace's start, not -1e-09"),
        (float("nan"), None, "t0 is in seconds from the trace's start, not nan"),
        (None, float("inf"), "t1 is in seconds from the trace's start, not inf"),
        ("1", None, "t0 is in seconds from the trace's start, not '1'"),
        (5e-6, 2e-6, "t1 is 2e-06 s, not after the begin at 5e-06 s"),
        (2e-6, 2e-6, "t1 is 2e-06 s, not after the begin at 2e-06 s"),
        (11e-6, None, "t0 is 1.1e-05 s, after the trace's end at 1e-05 s"),
        (11e-6, 12e-6, "t0 is 1.1e-05 s, after the trace's end at 1e-05 s"),
        (1e300, None, "t0 is 1e+300 s, after the trace's end at 1e-05 s"),
    ],
)
def test_bad_windows(t0, t1, words):
    with pytest.raises(ValueError) as caught:
        window(TEN, t0, t1)
    assert str(caught.value) == words


def test_window_of_an_empty_trace():
    assert window(EMPTY) == (0, 0, 0)
    assert window(EMPTY).seconds([]).tolist() == []


def test_seconds_count_from_the_first_event():
    assert window(TEN).seconds([1000, 2000]).tolist() == [0, 1e-6]


def test_the_first_event_in_time_need_not_be_the_first_row():
    trace = Trace.from_text("5 P0 M0 - ProcStart\n3 P1 M1 - ProcStart\n9 P0 M0 - ProcStop")
    assert window(trace) == (3, 9, 3)


def test_need():
    go = Trace.from_text('world "go"')
    base.need(go, "p_timeline", "GoStart", "ProcSteal")
    with pytest.raises(NotRecorded, match="steal_matrix needs Steal events") as caught:
        base.need(go, "steal_matrix", "GoStart", "Steal")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.figure, again.event, again.world, str(again)) == (
        "steal_matrix",
        "Steal",
        "go",
        str(caught.value),
    )
    base.need(Trace.from_text('world "host"'), "steal_matrix", "Steal")
    base.need(EMPTY, "steal_matrix", "Steal")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('world "host"\ngil true', True),
        ('world "host"\ngil false', False),
        ('world "sim-pinned"\ngil true', True),
        ('world "go"\ngil true', False),
        ("", False),
    ],
)
def test_one_gil(text, want):
    assert base.one_gil(Trace.from_text(text)) is want


def test_axes():
    ax = base.axes(None, (5, 3))
    assert tuple(ax.figure.get_size_inches()) == (5, 3)
    assert base.axes(ax) is ax
    assert len(plt.get_fignums()) == 1


def test_empty():
    ax = base.empty(base.axes(None), "no handoffs in this trace")
    assert [text.get_text() for text in ax.texts] == ["no handoffs in this trace"]
    check_layout(ax.figure)


def test_a_second_note_takes_the_place_of_the_first():
    ax = base.axes(None)
    base.note(ax, "one")
    base.note(ax, "two")
    assert [text.get_text() for text in ax.texts] == ["two"]


@pytest.mark.parametrize(
    ("span_ns", "unit", "last"),
    [
        (5 * 10**9, "s", "5"),
        (10**9, "ms", "1000"),
        (3000, "us", "3.0"),
        (1500, "ns", "1500"),
        (1, "ns", "1.0"),
    ],
)
def test_unit_of_time(span_ns, unit, last):
    ax = base.axes(None)
    base.time_axis(ax, Window(100, 100 + span_ns, 100))
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == f"time since the trace began ({unit})"
    assert ax.get_xlim() == (0, span_ns / 1e9)
    assert ax.get_xticklabels()[-1].get_text() == last


def test_unit_of_time_follows_the_zoom():
    ax = base.axes(None)
    base.time_axis(ax, Window(0, 5 * 10**9, 0))
    ax.set_xlim(1, 1.00001)
    ax.figure.canvas.draw()
    assert ax.get_xlabel().endswith("(us)")
    shown = [text.get_text() for text in ax.get_xticklabels()]
    assert shown == ["1000000", "1000002", "1000004", "1000006", "1000008", "1000010"]
    check_layout(ax.figure)


def test_legend_lists_what_is_there_in_the_table_order():
    ax = base.axes(None)
    base.legend(ax, ["idle", "running"], ["stolen", "preempt"], {"idle": "parked"}, {"runs $x_1": "#0000FF"})
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["running", "parked", "runs $x_1", "preempted", "is robbed"]
    ax.figure.canvas.draw()  # a name is no formula
    base.legend(ax, [])
    assert ax.get_legend() is None


@pytest.mark.parametrize("name", scheduler_viz.__all__)
def test_every_name_is_there(name):
    found = getattr(scheduler_viz, name)
    assert callable(found) or found is data
    assert name in dir(scheduler_viz)


def test_a_module_never_hides_the_figure_of_its_name():
    import scheduler_viz.linked
    import scheduler_viz.p_timeline

    assert callable(scheduler_viz.p_timeline)
    assert callable(scheduler_viz.linked)


@pytest.mark.parametrize("package", [scheduler_viz, data])
def test_other_names_are_none(package):
    with pytest.raises(AttributeError, match="no attribute"):
        package.q_timeline
