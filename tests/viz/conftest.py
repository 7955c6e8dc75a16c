"""What the tests of figures share: traces, figures that are closed again, and the layout checker.

`check_layout(fig)` draws a figure and looks at what was really drawn, so labels of ticks that lie outside the axis do
not count. It is shown planted faults in test_layout_checker.py.
"""

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from unittest.mock import patch

import pytest

if find_spec("matplotlib") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    import matplotlib as mpl

    mpl.use("Agg")

    import matplotlib.pyplot as plt
    import numpy as np
    from matplotlib.artist import Artist
    from matplotlib.colors import to_hex
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text
    from matplotlib.transforms import Bbox

import mpg
from mpg.trace import Trace
from scheduler_viz.style import GLYPHS, INK, MIN_POINTS, STATES

# Two P's, three M's and three G's with one of everything: a steal, a preemption, a call whose P is taken, a hand-off.
STORY = """
world "host"
procs 2
0   -  M0 -  ProcsChange 2
0   -  M0 -  MStart
0   P0 M0 -  ProcStart
0   P0 M0 -  GoCreate G1 "demo.main"
10  P0 M0 G1 GoStart "runnext"
20  P0 M0 G1 GoCreate G2 "demo.<locals>.worker"
20  P0 M0 G1 RunqLen 1 0
25  P0 M0 G1 GoCreate G3 "demo.<locals>.other"
25  P0 M0 G1 RunqLen 2 0
30  -  M1 -  MStart M0
31  -  M1 -  SpinStart
32  P1 M1 -  ProcStart
40  P1 M1 -  Steal P0 1
40  P1 M1 -  StealBefore 1 "half"
40  P0 M1 -  RunqLen 1 0
41  P1 M1 -  SpinStop
42  P1 M1 G2 GoStart "stolen"
50  P0 M0 G1 GoBlock "chan receive" 7
50  P0 M0 G3 GoStart "runnext"
50  P0 M0 G3 RunqLen 0 0
60  P1 M1 G2 GoUnblock G1 "ready"
70  P0 M0 G3 GoStop "preempted"
70  P0 M0 G1 GoStart "local"
80  P0 M0 G1 GoSyscallBegin "blocking"
90  -  M9 -  ProcSteal P0 M0
92  -  M9 -  Handoff P0 M2
93  -  M2 -  MStart M9
95  P0 M2 -  ProcStart
97  P0 M2 G3 GoStart "local"
98  -  M0 G1 GoSyscallEndBlocked
98  -  M0 -  MPark
99  P1 M1 G2 GoEnd
99  P1 M1 -  ProcStop
99  -  M1 -  MPark
100 P0 M2 G3 GoBlock "sleep"
"""

# M 0 runs all the time and gets a CPU for 6 of the first 10 ms, and for 5 of the next. M 1, a new thread, has a P for
# 8 of its first 10 ms, and uses 4.
SHARED = """
world "host"
clock "monotonic"
gil true
procs 2
0    -  M0 -  ProcsChange 2
0    -  M0 -  MStart
0    P0 M0 -  ProcStart
0    P0 M0 -  GoCreate G1
0    P0 M0 G1 GoStart
0    -  M9 -  CpuTime M0 100ms
0    P0 M0 G1 GoCreate G2
0    -  M1 -  MStart M0
2ms  P1 M1 -  ProcStart
2ms  P1 M1 G2 GoStart
10ms -  M9 -  CpuTime M0 106ms
10ms -  M9 -  CpuTime M1 4ms
12ms P1 M1 G2 GoEnd
12ms P1 M1 -  ProcStop
20ms -  M9 -  CpuTime M0 111ms
20ms -  M9 -  CpuTime M1 5ms
25ms P0 M0 G1 GoEnd
"""


@pytest.fixture(scope="session")
def story() -> Trace:
    trace = Trace.from_text(STORY)
    trace.validate()
    return trace


def busy(procs: int, gs: int = 4) -> Trace:
    """A simulation in which every P runs, steals and hands off; `gs` G's for each P."""

    def worker(number, ch):
        for _ in range(3):
            mpg.work(100e-6 * (1 + number % 3))
            if number % 5 == 0:
                mpg.sleep(100e-6)
            elif number % 5 == 1:
                mpg.gosched()
        if number % 7 == 0:
            with mpg.blocking():
                mpg.stall(400e-6)
        ch.send(number)

    def main():
        ch = mpg.Chan(0)
        for number in range(gs * procs):
            mpg.go(worker, number, ch)
        for _ in range(gs * procs):
            ch.recv()

    return mpg.simulate(main, procs=procs, seed=1).trace


@pytest.fixture(scope="session", params=[4, 64, 1024], ids=lambda procs: f"{procs} P's")
def crowd(request) -> Trace:
    """Simulations with few, many and very many P's."""
    return busy(request.param, 8 if request.param < 100 else 2)


@pytest.fixture(autouse=True)
def no_figure_stays() -> Iterator[None]:
    yield
    plt.close("all")


def check_layout(fig: "Figure", *, states: Iterable[str] | None = None, legend: bool = True) -> None:
    """Draw `fig` and check that it can be read.

    No text lies outside the canvas, is smaller than MIN_POINTS or overlaps another; the legends list exactly the states
    and glyphs that are drawn.

    Args:
        states: the names of the states that must be listed; by default those that are found in what is drawn: by
            artists' gid ("states:running,idle"), and else by their colour.
        legend: False for a figure in which a state's colour needs no legend.

    Raises:
        AssertionError: naming what is wrong.
    """
    boxes = drawn_texts(fig)
    canvas = fig.bbox
    for text, box in boxes:
        assert text.get_fontsize() >= MIN_POINTS, f"{text.get_text()!r} has {text.get_fontsize()} points"
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= canvas.x1 + 1 and box.y1 <= canvas.y1 + 1
        assert inside, f"{text.get_text()!r} lies outside: {box} in {canvas}"
    assert overlapping(boxes) == []
    if legend:
        listed, shown = in_legends(fig)
        drawn, marks = in_axes(fig)
        assert listed == (drawn if states is None else set(states)), "states in the legend, and drawn"
        assert shown == marks, "glyphs in the legend, and drawn"


def drawn_texts(fig: "Figure") -> list[tuple["Text", "Bbox"]]:
    """Every text that drawing the figure draws, and where it can be seen, in pixels."""
    seen: dict[Text, None] = {}
    draw = Text.draw

    def spy(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            seen[self] = None
        return draw(self, renderer, *args, **kwargs)

    fig.canvas.draw()  # ticks and layout settle
    with patch.object(Text, "draw", spy):
        fig.canvas.draw()
    out = []
    for text in seen:
        box = Text.get_window_extent(text)
        if text.get_clip_on() and text.get_clip_box() is not None:
            box = Bbox.intersection(box, text.get_clip_box())
        if box is not None and box.width > 0 and box.height > 0:
            out.append((text, box))
    return out


def overlapping(boxes: list[tuple["Text", "Bbox"]]) -> list[tuple[str, str]]:
    """Pairs of texts that cover each other by more than a pixel."""
    if not boxes:
        return []
    x0, y0, x1, y1 = np.array([box.extents for _, box in boxes]).T
    wide = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0)
    high = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    pairs = np.argwhere(np.triu((wide > 1) & (high > 1), 1))
    return [(boxes[i][0].get_text(), boxes[j][0].get_text()) for i, j in pairs.tolist()]


BY_COLOUR = {state.colour.lower(): name for name, state in STATES.items()}


def in_legends(fig: "Figure") -> tuple[set[str], set[str]]:
    """States and glyphs that the legends list; each at most once."""
    legends: list[Legend] = [*fig.legends, *filter(None, (ax.get_legend() for ax in fig.axes))]
    states: list[str] = []
    glyphs: list[str] = []
    for one in legends:
        labels = [text.get_text() for text in one.get_texts()]
        assert len(set(labels)) == len(labels), f"a legend says something twice: {labels}"
        for handle in one.legend_handles:
            if isinstance(handle, Line2D) and handle.get_linestyle() in ("None", ""):
                glyphs += [glyph_of(handle)]
            else:
                states += colours(handle)
    assert len(states) == len(set(states)), f"listed twice: {states}"
    return set(states), set(glyphs)


def in_axes(fig: "Figure") -> tuple[set[str], set[str]]:
    """States and glyphs that the axes show."""
    states: set[str] = set()
    glyphs: set[str] = set()
    for ax in fig.axes:
        for artist in (*ax.collections, *ax.patches, *ax.images, *ax.lines):
            gid = artist.get_gid() or ""
            if gid.startswith("states:"):
                states.update(filter(None, gid.removeprefix("states:").split(",")))
            elif gid.startswith("mark:"):
                glyphs.add(gid.removeprefix("mark:"))
            elif artist.get_visible():
                states.update(colours(artist))
    return states, glyphs


def colours(artist: "Artist") -> list[str]:
    """The states whose colour this artist has."""
    if isinstance(artist, Patch):
        found = [artist.get_facecolor()]
    elif isinstance(artist, Line2D):
        found = [artist.get_color()]
    elif hasattr(artist, "get_facecolor"):
        found = [*artist.get_facecolor(), *([] if len(artist.get_facecolor()) else artist.get_edgecolor())]
    else:
        found = []
    hexes = {to_hex(colour) for colour in found}
    return [BY_COLOUR[colour] for colour in sorted(hexes) if colour in BY_COLOUR]


def glyph_of(handle: "Line2D") -> str:
    filled = to_hex(handle.get_markerfacecolor()) == INK
    for name, glyph in GLYPHS.items():
        if (glyph.marker, glyph.filled) == (handle.get_marker(), filled):
            return name
    raise AssertionError(f"no such glyph: {handle.get_marker()}")
