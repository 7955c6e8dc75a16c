"""P timeline: a lane for each P.

A G in the state "running" has the P. On a build with a GIL only one of those G's runs Python at a time, so there the
legend says "has a P". If the trace holds CPU times, the part of each long slice that had no CPU is hatched: mostly
that is the wait for the GIL. It is known for a few ms at a time, and drawn at the end of each such piece. Without CPU
times nothing is hatched, since it would be a guess, and the note says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mpg.trace import derive

from . import data
from .arguments import choice
from .base import Window, axes, empty, one_gil, time_axis, window
from .data.cpu import without_cpu
from .data.timelines import CODE, STATE_NAMES, STOPS, g_names, steal_marks
from .lanes import lane_size, show
from .spans import Lanes, Look, Marks
from .style import STATES, function_colour

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["p_timeline"]

STATE_LOOKS: Final = tuple(Look(name, STATES[name].colour, STATES[name].hatch) for name in STATE_NAMES)
EDGE: Final = 0.33  #: how far from the middle of its lane a steal is marked
GIL_LABELS: Final = {"running": "has a P (one GIL)"}
ONE_NOTE: Final = "one GIL: of the G's that have a P, one at a time runs Python"
GIL_NOTE: Final = f"{ONE_NOTE}; the trace does not say which"
CPU_NOTE: Final = (
    "one GIL: hatched is how much of a slice had no CPU, by looks every few ms, drawn last in each piece"
)


def p_timeline(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    colour: str = "state",
) -> Axes:
    """What each P did: coloured by state, with the name of the G that ran, and glyphs.

    Glyphs at the end of a run say why it ended: preempted, yields, blocks, begins a call, ends. At a steal, the thief
    has a triangle above its lane and the victim one below. Where there is no room for all of them there are none,
    and the note below says how many to zoom in for.

    "running" is having a P, not a CPU. For a build with a GIL the legend and the note say so, and what a long slice
    had no CPU for is hatched, if the trace holds CPU times.

    Args:
        t0, t1: seconds from the trace's start.
        colour: "state", or "function" to give runs the colour of the G's function.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window or colour.
    """
    choice("colour", colour, "state", "function")
    at = window(trace, t0, t1)
    rows = data.p_timeline(trace, t0=t0, t1=t1)
    lanes = np.unique(rows["p"])
    ax = axes(ax, lane_size(len(lanes)))
    ax.set_title("P timeline", loc="left", fontsize=10)
    if not len(rows):
        return empty(ax, "no P's in this trace", trace)
    time_axis(ax, at)
    layer = p_lanes(ax, trace, at, rows, lanes.tolist(), colour)
    show([layer], trace, at, *gil_words(trace, hatched=True))
    return ax


def p_lanes(
    ax: Axes,
    trace: Trace,
    at: Window,
    rows: npt.NDArray[np.void],
    lanes: Sequence[int],
    colour: str = "state",
    below: float = 0.0,
) -> Lanes:
    """The layer of these P's: spans, names, glyphs; with names `below` the middle, the ends of runs have no glyphs."""
    rows = rows[np.isin(rows["p"], lanes)]
    row = np.searchsorted(lanes, rows["p"])
    names = g_names(trace)
    t0, t1 = at.seconds([at.t0, at.t1]).tolist()
    steals = steal_marks(trace, t0=t0, t1=t1 if t1 > t0 else None)
    ends = []
    for code, stop in enumerate(STOPS):
        if stop:
            these = rows["stop"] == code
            ends.append(Marks(stop, rows["t1"][these], row[these]))
    both = []
    for glyph, who, shift in (("steal", "thief", -EDGE), ("stolen", "victim", -EDGE if below else EDGE)):
        known = steals[np.isin(steals[who], lanes)]
        both.append(Marks(glyph, known["t"], np.searchsorted(lanes, known[who]), shift))
    look, looks = coloured(rows, names, colour)
    no_cpu = None
    if one_gil(trace):
        waits = without_cpu(trace, t0=t0, t1=t1 if t1 > t0 else None)
        waits = waits[np.isin(waits["p"], lanes)]
        no_cpu = (waits["t0"], waits["t1"], np.searchsorted(lanes, waits["p"]))
    return Lanes(
        ax,
        [f"P{p}" for p in lanes],
        row,
        rows["t0"],
        rows["t1"],
        look,
        looks,
        texts=texts(rows["g"], names),
        below=below,
        marks={"ends of steals": both} if below else {"ends of runs": ends, "ends of steals": both},
        no_cpu=no_cpu,
    )


def coloured(
    rows: npt.NDArray[np.void], names: dict[int, str], colour: str
) -> tuple[npt.NDArray[np.int64], tuple[Look, ...]]:
    """The look of each span: that of its state, or for a run that of its function."""
    look = rows["state"].astype(np.int64)
    if colour == "state":
        return look, STATE_LOOKS
    running = np.flatnonzero(look == CODE["running"])
    gs, place = np.unique(rows["g"][running], return_inverse=True)
    hues = [function_colour(names.get(g, "")) for g in gs.tolist()]
    called: dict[str, list[str]] = {}
    for g, hue in zip(gs.tolist(), hues, strict=True):
        short = names.get(g, "?")
        if short not in called.setdefault(hue, []):
            called[hue].append(short)
    looks = [Look("running", hue, words=f"runs {shortened(sorted(called[hue]))}") for hue in called]
    number = {hue: len(STATE_LOOKS) + i for i, hue in enumerate(called)}
    look[running] = np.array([number[hue] for hue in hues], np.int64)[place]
    return look, (*STATE_LOOKS, *looks)


def shortened(names: Iterable[str]) -> str:
    """Names for a legend: as many as fit into 24 letters, and how many there are besides."""
    names = list(names)
    out = names[0][:24]
    for i, name in enumerate(names[1:], 1):
        if len(out) + 2 + len(name) > 24:
            return f"{out} +{len(names) - i}"
        out += f", {name}"
    return out


def texts(gs: Any, names: dict[int, str], prefix: Any = None) -> Callable[[int], list[str]]:
    """What may stand on the span with this index: function and G, or the G alone; `prefix` are P's for M's lanes."""

    def of(i: int) -> list[str]:
        g = int(gs[i])
        p = -1 if prefix is None else int(prefix[i])
        place = f"P{p}" if p >= 0 else ""
        if g < 0:
            return [place] if place else []
        name = names.get(g, "")
        choices = [f"{name} G{g}" if name else f"G{g}", f"G{g}"]
        return [f"{place} {words}" for words in choices] + [place] if place else choices

    return of


def gil_words(trace: Trace, *, hatched: bool = False) -> tuple[dict[str, str], str]:
    """The legend's labels and the note of a trace whose M's shared one GIL; `hatched` where it had no CPU, if known."""
    if not one_gil(trace):
        return {}, ""
    known = len(derive.cpu_times(trace)) > 0
    return GIL_LABELS, (CPU_NOTE if hatched else ONE_NOTE) if known else GIL_NOTE
