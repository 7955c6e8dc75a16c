"""What is known of CPU's, against a case worked out by hand, and drawn."""

import numpy as np
import pytest
from viz.conftest import SHARED, check_layout

import scheduler_viz as viz
from mpg.trace import Trace
from scheduler_viz import data
from scheduler_viz.data.cpu import without_cpu

MS = 1e-3
OTHER = SHARED.replace("gil true", "gil false")
NONE = "\n".join(line for line in SHARED.splitlines() if "CpuTime" not in line)


def notes(ax):
    return "\n".join(text.get_text() for text in ax.texts if text.get_gid() == "note")


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_without_cpu():
    rows = without_cpu(Trace.from_text(SHARED))
    assert [tuple(row) for row in rows[["p", "g", "m"]].tolist()] == [
        (0, 1, 0),
        (0, 1, 0),
        (1, 2, 1),
        (1, 2, 1),
    ]
    assert rows["t0"].tolist() == pytest.approx([6 * MS, 15 * MS, 6 * MS, 11 * MS])
    assert rows["t1"].tolist() == pytest.approx([10 * MS, 20 * MS, 10 * MS, 12 * MS])


def test_of_a_window():
    rows = without_cpu(Trace.from_text(SHARED), t0=9 * MS, t1=11.5 * MS)
    assert rows["t0"].tolist() == pytest.approx([9 * MS, 9 * MS, 11 * MS])
    assert rows["t1"].tolist() == pytest.approx([10 * MS, 10 * MS, 11.5 * MS])


def test_short_slices_and_small_gaps_are_not_shown():
    text = SHARED.replace("CpuTime M0 106ms", "CpuTime M0 109.6ms").replace(
        "CpuTime M0 111ms", "CpuTime M0 119ms"
    )
    rows = without_cpu(Trace.from_text(text))
    assert rows[rows["p"] == 0]["t0"].tolist() == pytest.approx([19.4 * MS])


def test_utilization():
    """ms with CPU in 10 ms of P's: 3 + 1.5, 3 + 2.5, 2.5 + 1, 2.5; of the last nothing is known."""
    rows = data.utilization(Trace.from_text(SHARED), bins=5)
    assert rows["cpu"].tolist() == pytest.approx([0.45, 0.55, 0.35, 0.25, np.nan], nan_ok=True)
    assert rows["running"].tolist() == pytest.approx([0.8, 1, 0.7, 0.5, 0.5])


def test_utilization_of_each_p():
    """P 0: 11 of 20 ms known, and busy for 25 of 25. P 1: 5 of 10, and busy for 10 of 25."""
    rows = data.utilization(Trace.from_text(SHARED), by="p")
    assert rows["cpu"].tolist() == pytest.approx([0.55, 0.2])


@pytest.mark.parametrize("by", ["time", "p"])
def test_utilization_is_drawn(by):
    ax = viz.utilization(Trace.from_text(SHARED), by=by)
    assert [one.get_gid() for one in ax.patches].count("cpu") == 1
    assert any(words.startswith("CPU-busy") for words in legend_of(ax))
    assert "CPU-busy" in notes(ax)
    assert "no CPU times" not in notes(ax)
    check_layout(ax.figure)


def test_p_timeline_is_hatched():
    ax = viz.p_timeline(Trace.from_text(SHARED))
    (hatched,) = (one for one in ax.patches if one.get_gid() == "no cpu")
    corners = hatched.get_path().vertices.reshape(4, 5, 2)[:, :4]  # the fifth closes it
    assert sorted(corners[:, :, 0].min(axis=1)) == pytest.approx([6 * MS, 6 * MS, 11 * MS, 15 * MS])
    assert "has a P, no CPU" in legend_of(ax)
    assert "hatched" in notes(ax)
    check_layout(ax.figure)
    ax.set_xlim(0, 5 * MS)  # nothing of it is visible there
    assert "has a P, no CPU" not in legend_of(ax)


@pytest.mark.parametrize(("text", "words"), [(OTHER, ""), (NONE, "the trace does not say which")])
def test_p_timeline_is_not_hatched(text, words):
    ax = viz.p_timeline(Trace.from_text(text))
    assert "has a P, no CPU" not in legend_of(ax)
    assert "hatched" not in notes(ax)
    assert words in notes(ax)


def test_linked_is_hatched_too():
    fig = viz.linked(Trace.from_text(SHARED), 1)
    assert "has a P, no CPU" in [text.get_text() for one in fig.legends for text in one.get_texts()]
    check_layout(fig)
