"""Latencies and hand-offs, against cases worked out by hand."""

import numpy as np
import pytest
from viz.conftest import busy, check_layout

import scheduler_viz as viz
from mpg.trace import Trace, derive
from mpg.trace.derive import CAUSES
from scheduler_viz import NotRecorded, data
from scheduler_viz.data.latency import latency_marks
from scheduler_viz.panels import duration, log_ticks

NS = 1e-9


def rows_of(trace, **window):
    return [
        (round(low * 1e9), round(high * 1e9), CAUSES[cause], n)
        for low, high, cause, n in data.latency_histogram(trace, **window).tolist()
    ]


def test_histogram(story):
    """10 ns new and woken, 22 stolen, 25 new, 27 preempted."""
    assert rows_of(story) == [
        (8, 16, "new", 1),
        (8, 16, "wake", 1),
        (16, 32, "new", 1),
        (16, 32, "preempted", 1),
        (16, 32, "stolen", 1),
    ]


def test_a_latency_counts_where_it_ended(story):
    assert rows_of(story, t0=42 * NS, t1=50 * NS) == [(16, 32, "new", 1), (16, 32, "stolen", 1)]


def test_edges_of_bins():
    waits = [0, 1, 2, 3, 4, 1023, 1024]
    lines = [
        f"{i * 10000} P0 M0 - GoCreate G{i + 1}\n{i * 10000 + ns} P0 M0 G{i + 1} GoStart"
        for i, ns in enumerate(waits)
    ]
    assert rows_of(Trace.from_text("\n".join(lines))) == [
        (0, 1, "new", 1),
        (1, 2, "new", 1),
        (2, 4, "new", 2),
        (4, 8, "new", 1),
        (512, 1024, "new", 1),
        (1024, 2048, "new", 1),
    ]


def test_marks(story):
    """Of 10 10 22 25 27: between the ranks as numpy does, like Trace.summary."""
    marks = latency_marks(story)
    assert [value / NS for value in marks.values()] == pytest.approx([22, 26.2, 26.92, 27])
    assert list(marks) == ["p50", "p90", "p99", "max"]
    assert latency_marks(story, t0=43 * NS, t1=49 * NS) == {}


def test_every_latency_is_in_a_bin_of_its_size():
    trace = busy(4, 20)
    rows, found = data.latency_histogram(trace), derive.latencies(trace)
    assert rows["n"].sum() == len(found)
    for low, high, cause, n in rows.tolist():
        seconds = found["ns"] / 1e9
        assert ((found["cause"] == cause) & (seconds >= low) & (seconds < high)).sum() == n


def test_histogram_is_drawn(story):
    ax = viz.latency_histogram(story)
    bars = sorted((round(bar.get_x() * 1e9), bar.get_y(), bar.get_height()) for bar in ax.patches)
    assert bars == [(8, 0, 1), (8, 1, 1), (16, 0, 1), (16, 1, 1), (16, 2, 1)]
    assert [line.get_xdata()[0] / NS for line in ax.lines] == pytest.approx([22, 26.2, 26.92, 27])
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == [
        "new (2)",
        "woken (1)",
        "preempted (1)",
        "stolen (1)",
        "p50 22 ns",
        "p90 26.2 ns",
        "p99 26.9 ns",
        "max 27 ns",
    ]


def test_latencies_that_are_zero_have_a_bar():
    ax = viz.latency_histogram(Trace.from_text("0 P0 M0 - GoCreate G1\n0 P0 M0 G1 GoStart"))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0"]
    assert [bar.get_height() for bar in ax.patches] == [1]
    check_layout(ax.figure)


def test_no_latencies(story):
    words = [text.get_text() for text in viz.latency_histogram(Trace.from_text("")).texts]
    assert words == ["no G became runnable and then ran in this trace"]
    ax = viz.latency_histogram(story, t0=43 * NS, t1=49 * NS)
    assert [text.get_text() for text in ax.texts] == ["none here"]


def handoffs_of(text):
    rows = data.handoff_anatomy(Trace.from_text(text))
    return [
        (p, old, new, called, *(None if np.isnan(part) else round(part * 1e9) for part in parts))
        for p, old, new, _, called, *parts in rows.tolist()
    ]


def test_handoff(story):
    """The call began at 80; the P was taken at 90, handed on at 92, started at 95, and a G ran at 97."""
    rows = data.handoff_anatomy(story)
    assert rows.dtype.names == ("p", "m_from", "m_to", "t", "called", "retake", "start", "run")
    (row,) = rows.tolist()
    assert row == pytest.approx((0, 0, 2, 92 * NS, True, 10 * NS, 15 * NS, 17 * NS))
    assert len(data.handoff_anatomy(story, t1=91 * NS)) == 0


STOP = "0 P0 M0 - ProcStop\n2 - M0 - Handoff P0 M1\n"


def test_a_handoff_without_a_call_begins_where_the_p_was_given_up():
    assert handoffs_of(STOP + "5 P0 M1 - ProcStart\n9 P0 M1 G1 GoStart") == [(0, 0, 1, False, 0, 5, 9)]


@pytest.mark.parametrize(
    ("then", "start", "run"),
    [
        ("", None, None),
        ("5 P0 M1 - ProcStart", 5, None),
        ("5 P0 M1 - ProcStart\n6 P0 M1 - ProcStop\n8 P0 M3 - ProcStart\n9 P0 M3 G1 GoStart", 5, None),
        ("5 P0 M1 - ProcStart\n6 - M9 - ProcSteal P0 M1\n8 P0 M3 - ProcStart\n9 P0 M3 G1 GoStart", 5, None),
        ("5 P0 M3 - ProcStart\n9 P0 M3 G1 GoStart", None, None),
        ("5 P1 M1 - ProcStart\n9 P1 M1 G1 GoStart", None, None),
    ],
    ids=["nothing", "no run", "given up", "taken again", "another M", "another P"],
)
def test_a_handoff_that_led_to_nothing(then, start, run):
    assert handoffs_of(STOP + then) == [(0, 0, 1, False, 0, start, run)]


def test_a_handoff_to_nobody():
    text = "0 P0 M0 - ProcStop\n2 - M0 - Handoff P0\n5 P0 M1 - ProcStart\n9 P0 M1 G1 GoStart"
    assert handoffs_of(text) == [(0, 0, -1, False, 0, None, None)]


def test_clocks_that_disagree():
    assert handoffs_of(
        "4 P0 M0 - ProcStop\n6 - M0 - Handoff P0 M1\n3 P0 M1 - ProcStart\n9 P0 M1 G1 GoStart"
    ) == [(0, 0, 1, False, 0, 0, 5)]


def test_the_longest_is_last():
    text = (
        STOP
        + "3 P0 M1 - ProcStart\n3 P0 M1 G1 GoStart\n10 P0 M1 - ProcStop\n10 - M1 - Handoff P0 M0\n11 P0 M0 - ProcStart"
    )
    assert handoffs_of(text) == [(0, 1, 0, False, 0, 1, None), (0, 0, 1, False, 0, 3, 3)]


def test_go_has_no_handoffs():
    trace = Trace.from_text('world "go"\n0 P0 M0 - ProcStart')
    for function in (data.handoff_anatomy, viz.handoff_anatomy):
        with pytest.raises(NotRecorded, match="Handoff"):
            function(trace)


def test_handoff_is_drawn(story):
    ax = viz.handoff_anatomy(story)
    parts = {part.get_gid(): part.get_paths()[0].vertices[:, 0] for part in ax.collections}
    ends = {name: (round(x.min() * 1e9, 3), round(x.max() * 1e9, 3)) for name, x in parts.items()}
    assert ends == {"states:syscall": (6.25, 10), "states:system": (10, 15), "states:runnable": (15, 17)}
    assert [text.get_text() for text in ax.get_yticklabels()] == ["P0: M0 to M2"]
    assert ax.get_xscale() == "log"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no handoffs in this trace"),
        ("0 P0 M0 - ProcStop\n0 - M0 - Handoff P0 M1", "1 hand-off, and none took any time"),
    ],
)
def test_nothing_to_draw(text, words):
    ax = viz.handoff_anatomy(Trace.from_text(text))
    assert [one.get_text() for one in ax.texts] == [words]


def test_only_the_slowest_are_drawn(monkeypatch):
    monkeypatch.setattr(viz.latency, "MOST_BARS", 2)
    trace = Trace.from_text(
        "\n".join(
            f"{100 * i} P0 M{i} - ProcStop\n{100 * i} - M{i} - Handoff P0 M{i + 1}\n"
            f"{100 * i + i} P0 M{i + 1} - ProcStart"
            for i in range(1, 6)
        )
    )
    ax = viz.handoff_anatomy(trace)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["P0: M4 to M5", "P0: M5 to M6"]
    assert any("the slowest 2 of 5 hand-offs" in text.get_text() for text in ax.texts)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0"),
        (1e-9, "1 ns"),
        (2.2e-8, "22 ns"),
        (1e-6, "1 us"),
        (9.9996e-4, "1 ms"),
        (0.0125, "12.5 ms"),
        (1, "1 s"),
        (98765, "98,765 s"),
        (1e-10, "0.1 ns"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1, 30, [1, 2, 5, 10, 20]),
        (0.01, 10000, [0.01, 0.1, 1, 10, 100, 1000, 10000]),
        (3, 4, [3]),
        (1, 1e12, [1, 100, 1e4, 1e6, 1e8, 1e10, 1e12]),
    ],
)
def test_log_ticks(low, high, ticks):
    assert log_ticks(low, high) == pytest.approx(ticks)


def test_bars_that_touch_are_one_outline():
    """101 hand-offs, the i-th of which took i ns until an M started, and as long again until a G ran."""
    trace = Trace.from_text(
        "\n".join(
            f"{1000 * i} P0 M0 - ProcStop\n{1000 * i} - M0 - Handoff P0 M0\n"
            f"{1001 * i} P0 M0 - ProcStart\n{1002 * i} P0 M0 G1 GoStart"
            for i in range(1, 102)
        )
    )
    ax = viz.handoff_anatomy(trace)
    parts = {patch.get_gid(): patch.get_data() for patch in ax.patches}
    assert (parts["states:system"].values / NS).tolist() == pytest.approx(range(1, 102))
    assert (parts["states:runnable"].baseline / NS).tolist() == pytest.approx(range(1, 102))
    assert (parts["states:runnable"].values / NS).tolist() == pytest.approx(range(2, 204, 2))
    check_layout(ax.figure)
