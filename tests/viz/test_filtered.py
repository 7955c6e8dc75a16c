"""A figure of a filtered trace says so, whether there is something to show or not."""

import pytest
from viz.conftest import STORY, busy, check_layout

import scheduler_viz as viz
from mpg.trace import Trace
from scheduler_viz import data
from scheduler_viz.base import FILTERED


@pytest.fixture(scope="module")
def traces():
    """Worlds with steals, with CPU times missing, with one GIL; some events of each, and then nearly none."""
    return busy(4, 4), Trace.from_text("gil true\n" + STORY)


def figure_of(name, trace):
    drawn = getattr(viz, name)(trace, **({"g": 1} if name == "linked" else {}))
    return getattr(drawn, "figure", drawn)


def notes(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts if text.get_gid() == "note"]


@pytest.mark.parametrize("name", data.__all__)
def test_the_note_says_so(name, traces):
    for trace in traces:
        middle = int(trace.ts[0] + trace.ts[-1]) // 2
        figure = figure_of(name, trace.filter(t1=middle))
        (note,) = notes(figure)
        assert note.splitlines()[-1] == FILTERED
        check_layout(figure)
        assert not any(FILTERED in note for note in notes(figure_of(name, trace)))


@pytest.mark.parametrize("name", [name for name in data.__all__ if name != "linked"])
@pytest.mark.parametrize("kind", ["Log", "GoCreate"])
def test_with_nothing_to_show_too(name, kind, traces):
    figure = figure_of(name, traces[0].filter(kind=kind))
    (note,) = notes(figure)
    assert note.splitlines()[-1] == FILTERED
    check_layout(figure, legend=False)
