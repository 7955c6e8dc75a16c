"""The layout checker finds planted faults, and nothing in a figure that is well."""

import matplotlib.pyplot as plt
import pytest
from viz.conftest import check_layout

from scheduler_viz import base
from scheduler_viz.style import STATES


@pytest.fixture
def ax():
    ax = base.axes(None)
    ax.bar([0, 1], [1, 2], color=[STATES["running"].colour, STATES["idle"].colour])
    base.legend(ax, ["running", "idle"])
    return ax


def test_a_good_figure(ax):
    ax.set_title("a title")
    base.note(ax, "a note")
    check_layout(ax.figure)
    check_layout(ax.figure, states=["idle", "running"])


def test_text_outside(ax):
    ax.figure.text(0.99, 0.5, "too far to the right")
    with pytest.raises(AssertionError, match="lies outside"):
        check_layout(ax.figure)


def test_overlap(ax):
    ax.text(0.5, 1, "one text")
    ax.text(0.5, 1, "another text")
    with pytest.raises(AssertionError, match="another text"):
        check_layout(ax.figure)


def test_small_text(ax):
    ax.text(0.5, 1, "tiny", fontsize=5)
    with pytest.raises(AssertionError, match="5"):
        check_layout(ax.figure)


@pytest.mark.parametrize("listed", [["running"], ["running", "idle", "blocked"], []])
def test_another_legend(ax, listed):
    base.legend(ax, listed)
    with pytest.raises(AssertionError, match="states in the legend"):
        check_layout(ax.figure)
    check_layout(ax.figure, legend=False)


def test_a_glyph_that_is_not_drawn(ax):
    base.legend(ax, ["running", "idle"], ["steal"])
    with pytest.raises(AssertionError, match="glyphs"):
        check_layout(ax.figure)


def test_two_entries_for_one_state(ax):
    fig = ax.figure
    base.legend(ax, ["running", "idle"])
    twice = plt.Rectangle((0, 0), 1, 1, fc=STATES["idle"].colour, label="again")
    fig.legend(handles=[twice], loc="outside lower right")
    with pytest.raises(AssertionError, match="listed twice"):
        check_layout(fig)


def test_labels_of_ticks_that_are_not_drawn_do_not_count(ax):
    ax.set_xticks([0, 1, 1e-6 + 1], ["a", "b", "c"])
    ax.set_xlim(-0.5, 0.5)
    check_layout(ax.figure)
    ax.set_xlim(-0.5, 1.5)
    with pytest.raises(AssertionError):
        check_layout(ax.figure)
