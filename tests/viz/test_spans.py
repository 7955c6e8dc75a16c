"""What the timelines draw: spans, glyphs, names, and one picture where there are too many."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from viz.conftest import STORY, busy, check_layout

import scheduler_viz as viz
from mpg.trace import Trace
from scheduler_viz import base, data
from scheduler_viz.data.timelines import STATE_NAMES, STOPS
from scheduler_viz.spans import Lanes, Look
from scheduler_viz.style import STATES


def drawn(ax, prefix="states:"):
    """Which states the collections, or the image, of an Axes show."""
    found = [artist.get_gid() or "" for artist in (*ax.collections, *ax.images)]
    names = (gid.removeprefix(prefix).split(",") for gid in found if gid.startswith(prefix))
    return {name for some in names for name in some}


def words(ax):
    return [text.get_text() for text in ax.texts if text.get_gid() == "name"]


def note_of(ax):
    (text,) = [text.get_text() for text in ax.texts if text.get_gid() == "note"]
    return text


def marks(ax):
    """Glyphs that are drawn: name, times in ns, lanes."""
    return {
        line.get_gid().removeprefix("mark:"): [(round(x * 1e9), float(y)) for x, y in line.get_xydata()]
        for line in ax.lines
        if (line.get_gid() or "").startswith("mark:")
    }


def rgb(state):
    return np.array([int(STATES[state].colour[i : i + 2], 16) for i in (1, 3, 5)])


FIGURES = [viz.p_timeline, viz.m_timeline, viz.g_timeline]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_are_readable(figure, crowd):
    fig = figure(crowd).figure
    check_layout(fig)
    assert max(fig.get_size_inches()) <= 9


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_of_the_story(figure, story):
    given = plt.figure(layout="constrained").add_subplot()
    ax = figure(story, ax=given)
    assert ax is given
    check_layout(ax.figure)
    assert note_of(ax).startswith(f"{len(story)} events, 0 spans merged, 0 dropped")


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("text", ["", "5 - - - Generation 1"], ids=["empty", "no lanes"])
def test_figures_of_nothing_say_so(figure, text):
    ax = figure(Trace.from_text(text))
    assert [text.get_text()[:2] for text in ax.texts] == ["no"]
    check_layout(ax.figure)


@pytest.mark.parametrize("figure", [viz.p_timeline, viz.m_timeline])
def test_traces_in_which_no_time_passes(figure):
    ax = figure(Trace.from_text('3 P0 M0 - ProcStart\n3 P0 M0 G1 GoStart "local"'))
    check_layout(ax.figure)


def test_p_timeline_draws_the_spans(story):
    ax = viz.p_timeline(story)
    boxes = {}
    for made in ax.collections:
        if isinstance(made, PolyCollection):
            for path in made.get_paths():
                (x0, y0), (x1, y1) = path.vertices.min(axis=0), path.vertices.max(axis=0)
                boxes.setdefault(made.get_gid(), []).append((round(x0 * 1e9), round(x1 * 1e9), (y0 + y1) / 2))
    assert boxes["states:spinning"] == [(32, 41, 1)]
    assert boxes["states:running"] == [(10, 50, 0), (50, 70, 0), (70, 80, 0), (97, 100, 0), (42, 99, 1)]
    assert set(boxes) == {f"states:{name}" for name in ("running", "syscall", "spinning", "idle", "system")}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["P0", "P1"]
    assert words(ax) == ["main G1", "other G3", "main G1", "main G1", "worker G2"]


def test_p_timeline_marks_stops_and_steals(story):
    found = marks(viz.p_timeline(story))
    assert {name: [(t, round(row)) for t, row in places] for name, places in found.items()} == {
        "block": [(50, 0), (100, 0)],
        "preempt": [(70, 0)],
        "syscall": [(80, 0)],
        "end": [(99, 1)],
        "steal": [(40, 1)],
        "stolen": [(40, 0)],
    }
    assert found["steal"][0][1] < 1  # above the lane of the thief
    assert found["stolen"][0][1] > 0  # below that of the victim


def test_a_yield():
    trace = Trace.from_text(
        '0 P0 M0 G1 GoStart "local"\n5 P0 M0 G1 GoStop "runtime.Gosched"\n9 P0 M0 G1 GoStart "local"'
    )
    assert marks(viz.p_timeline(trace)) == {"yield": [(5, 0)]}


def test_m_timeline_draws_handoffs(story):
    ax = viz.m_timeline(story)
    (lines,) = [made for made in ax.collections if made.get_gid() == "lines:hand-offs"]
    (segment,) = lines.get_segments()
    assert [(round(x * 1e9), y) for x, y in segment] == [(92, 0), (92, 2)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["M0", "M1", "M2"]
    assert "P1 worker G2" in words(ax)


def test_g_timeline_says_how_many_are_left_out(story):
    ax = viz.g_timeline(story, top=1)
    assert note_of(ax).endswith("\n2 of 3 G's are left out")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["other G3"]
    assert "left out" not in note_of(viz.g_timeline(story, top=3))
    assert note_of(viz.g_timeline(story, gs=[2, 3])).endswith("1 of 3 G's are left out")


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize(("gil", "running"), [("true", "has a P (one GIL)"), ("false", "running")])
def test_a_build_with_a_gil_claims_no_cpu(figure, gil, running):
    """There a G that has a P may be waiting for the GIL, and no event says when."""
    ax = figure(Trace.from_text(f"gil {gil}\n{STORY}"))
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[0] == running
    assert ("one GIL" in note_of(ax)) is (gil == "true")
    assert not any("CPU" in text.get_text() for text in ax.figure.findobj(plt.Text))
    check_layout(ax.figure)


def test_colour_by_function(story):
    ax = viz.p_timeline(story, colour="function")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [label for label in labels if label.startswith("runs ")] == ["runs main, worker", "runs other"]
    assert "running" not in labels
    check_layout(ax.figure)
    for figure in (viz.p_timeline, viz.m_timeline):
        with pytest.raises(ValueError, match="colour is"):
            figure(story, colour="g")


@pytest.fixture(scope="module")
def long():
    """500 P's one after the other in different states, 40 spans each: just enough for 20,000."""
    lines = []
    for p in range(500):
        lines += [f"0 P{p} M{p} - ProcStart"]
        for t in range(20):
            lines += [
                f'{100 * t} P{p} M{p} G{p} GoStart "local"',
                f'{100 * t + 60} P{p} M{p} G{p} GoStop "preempted"',
            ]
        lines += [f'2000 P{p} M{p} G{p} GoStart "local"']
    order = sorted(lines, key=lambda line: int(line.split()[0]))
    return Trace.from_text("\n".join(order))


def test_many_spans_are_one_picture_and_few_are_not(long):
    ax = viz.p_timeline(long)
    assert (len(ax.collections), len(ax.images), len(ax.patches)) == (0, 1, 0)
    assert "20,500 spans merged" in note_of(ax)
    assert drawn(ax) == {"running", "system"}
    ax.set_ylim(30.5, -0.5)  # 31 lanes
    assert len(ax.images) == 0
    assert len(ax.collections) == 2
    assert "0 spans merged" in note_of(ax)
    ax.set_ylim(499.5, -0.5)
    assert len(ax.images) == 1
    check_layout(ax.figure)


def test_zooming_bins_anew(long):
    """A pixel is as wide as the visible part allows, and shows the exact shares of its own time."""
    ax = viz.p_timeline(long)
    before = ax.images[0].get_array().shape
    ax.set_xlim(40e-9, 80e-9)  # 40 ns: 20 of a run, then 20 of scheduling
    image = ax.images[0]
    rgba = np.asarray(image.get_array())
    assert rgba.shape[1] == 40 < before[1]
    assert image.get_extent()[:2] == pytest.approx((40e-9, 80e-9))
    assert np.unique(rgba[:, :20, :3].reshape(-1, 3), axis=0).tolist() == [rgb("running").tolist()]
    assert np.unique(rgba[:, 20:, :3].reshape(-1, 3), axis=0).tolist() == [rgb("system").tolist()]


def test_a_pixel_mixes_the_colours_of_its_states(long):
    """Of each 100 ns, 60 are a run: so is each pixel of a picture one pixel wide."""
    fig = plt.figure(figsize=(4, 4), dpi=100)
    ax = viz.p_timeline(long, ax=fig.add_axes((0.1, 0.1, 0.2, 0.8)))
    ax.set_position((0.1, 0.1, 1 / 400, 0.8))
    ax.set_xlim(0, 2000e-9)
    pixel = np.asarray(ax.images[0].get_array())[3, 0].tolist()
    assert pixel == [*np.round(0.6 * rgb("running") + 0.4 * rgb("system")).tolist(), 255]


def test_never_an_artist_for_each_span(crowd):
    ax = viz.p_timeline(crowd)
    spans = len(data.p_timeline(crowd))
    assert len(ax.collections) + len(ax.patches) + len(ax.lines) + len(ax.images) <= 20 < spans


def test_a_rare_state_keeps_its_place_in_the_legend(crowd):
    """The legend lists the states of the numbers, each and no other, whether drawn as polygons or as a picture."""
    for figure, rows in ((viz.p_timeline, data.p_timeline(crowd)), (viz.m_timeline, data.m_timeline(crowd))):
        ax = figure(crowd)
        assert drawn(ax) == {STATE_NAMES[code] for code in np.unique(rows["state"])}


def test_what_has_no_room_is_counted():
    trace = busy(4, 60)
    ax = viz.p_timeline(trace)
    ends = data.p_timeline(trace)["stop"]
    assert f"zoom in for {np.count_nonzero(ends):,} ends of runs" in note_of(ax)
    assert not set(marks(ax)) & set(STOPS)
    check_layout(ax.figure)
    ax.set_xlim(0, 2e-3)
    assert "ends of runs" not in note_of(ax)
    assert set(marks(ax)) & set(STOPS)
    check_layout(ax.figure)


def test_names_with_odd_signs_are_drawn_as_they_are():
    trace = Trace.from_text(
        '0 - - - GoCreate G1 "a.$x^{_$\\u0007"\n0 P0 M0 G1 GoStart "local"\n9 P0 M0 G1 GoEnd'
    )
    ax = viz.p_timeline(trace)
    assert words(ax) == ["$x^{_$? G1"]
    check_layout(ax.figure)
    check_layout(viz.g_timeline(trace).figure)


def test_dropped_events_are_counted():
    trace = Trace.from_text("0 P0 M0 - ProcStart\n5 - - - Dropped 1234\n9 P0 M0 - ProcStop")
    assert "3 events, 0 spans merged, 1,234 dropped" in note_of(viz.p_timeline(trace))


@pytest.mark.parametrize(("count", "images"), [(20_000, 0), (20_001, 1)])
def test_where_a_picture_begins(count, images):
    ax = base.axes(None)
    ax.set_xlim(0, count * 1e-9)
    begin = np.arange(count) * 1e-9
    row = np.arange(count) % 4
    layer = Lanes(ax, ["a", "b", "c", "d"], row, begin, begin + 1e-9, row * 0, [Look("running", "#0072B2")])
    assert layer.redraw()
    assert (len(ax.images), len(ax.collections)) == (images, 1 - images)
    assert layer.merged == images * count
    assert not layer.redraw()  # nothing has changed


def test_names_end_before_the_edge_does():
    """Of a run that goes on to the right only the visible part is room for its name."""
    trace = Trace.from_text(
        '0 - - - GoCreate G1 "worker"\n0 P0 M0 - ProcStart\n50 P0 M0 G1 GoStart "local"\n900 P0 M0 G1 GoEnd'
    )
    ax = viz.p_timeline(trace)
    assert words(ax) == ["worker G1"]
    ax.set_xlim(-900e-9, 88e-9)  # 28 pixels of it
    assert words(ax) == []
    ax.set_xlim(-600e-9, 88e-9)  # 40 pixels of it
    assert words(ax) == ["G1"]
    check_layout(ax.figure)
