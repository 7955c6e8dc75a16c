"""What all figures share: axes, the window of time, what a trace records, notes and legends.

* A figure draws into the axes it is given or into those of a new figure, and never shows anything.
* What it is given is checked first (`arguments.py`), so an error leaves no figure behind.
* Times given to a figure are seconds from the trace's start. x is in seconds too; its labels choose s, ms, us or ns by
  what is visible.
* A figure that needs events which the trace's world does not record raises `NotRecorded`: zeros would be a claim.
  Which world records what is said by the event table, `mpg.trace.events`.
* A trace without what a figure draws gives a figure that says so, and so does one that was filtered: what is missing
  may be the reason for what is seen.

matplotlib is imported when something is drawn, so `scheduler_viz.data` works without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mpg.trace import events as ev

from .arguments import BadOption, check_axes, check_trace, moment
from .style import GLYPHS, INK, MIN_POINTS, NO_CPU, NO_CPU_LINES, STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

    from mpg.trace import Trace

__all__ = [
    "NotRecorded",
    "Window",
    "axes",
    "empty",
    "filtered",
    "legend",
    "need",
    "note",
    "one_gil",
    "time_axis",
    "window",
]

FILTERED: Final = "of a filtered trace"
UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))


class NotRecorded(ValueError):
    """A figure needs events that traces of this world do not have.

    Attributes:
        figure: what was asked for.
        event: the name of the missing event.
        world: the trace's world.
    """

    def __init__(self, figure: str, event: str, world: str) -> None:
        super().__init__(f"{figure} needs {event} events, and a trace of world {world!r} has none")
        self.figure = figure
        self.event = event
        self.world = world

    def __reduce__(self) -> tuple[type[NotRecorded], tuple[str, str, str]]:
        return NotRecorded, (self.figure, self.event, self.world)


class Window(NamedTuple):
    """A stretch of a trace, t0 to t1, and the time of its first event: ns of the trace's own clock."""

    t0: int
    t1: int
    origin: int

    def seconds(self, ns: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Times of the trace as seconds from its start."""
        out: npt.NDArray[np.float64] = (np.asarray(ns, np.int64) - self.origin) / 1e9
        return out


def window(trace: Trace, t0: float | None = None, t1: float | None = None) -> Window:
    """The stretch from t0 to t1, in seconds from the trace's start; by default all of it.

    An end beyond the trace's is cut off there: nothing is known of later.

    Raises:
        TypeError: it is no trace.
        BadOption: no number, not finite, negative, backwards, or after the trace's end.
    """
    check_trace(trace)
    for name, value in (("t0", t0), ("t1", t1)):
        if value is not None:
            moment(name, value)
    origin, last = (int(trace.ts.min()), int(trace.ts.max())) if len(trace) else (0, 0)
    length = (last - origin) / 1e9
    beyond = length + 1  # as good as any later time, and the ns of that one are a number
    # float: numpy's small ones have no room for ns.
    begin = origin if t0 is None else origin + round(float(min(t0, beyond)) * 1e9)
    end = last if t1 is None else origin + round(float(min(t1, beyond)) * 1e9)
    if begin > last:
        raise BadOption("t0", f"is {t0!r} s, after the trace's end at {length} s")
    if begin > end or (begin == end and t0 is not None and t1 is not None):
        raise BadOption("t1", f"is {t1!r} s, not after the begin at {(begin - origin) / 1e9} s")
    return Window(begin, min(end, last), origin)


def need(trace: Trace, figure: str, *kinds: str) -> None:
    """Check that the trace's world records these events; a trace that does not name its world may have all.

    Raises:
        TypeError: it is no trace.
        NotRecorded: it does not.
    """
    check_trace(trace)
    world = trace.metadata.get("world")
    if world is None:
        return
    for kind in kinds:
        if world not in ev.NAMES[kind].worlds:
            raise NotRecorded(figure, kind, str(world))


def one_gil(trace: Trace) -> bool:
    """Did all M's share one GIL? Then a P that runs a G may be waiting for it, and the trace does not say when."""
    return bool(trace.metadata.get("gil")) and trace.metadata.get("world") != "go"


def axes(ax: Axes | None, size: tuple[float, float] = (9, 4)) -> Axes:
    """The axes given, or those of a new pyplot figure of this size in inches.

    Raises:
        TypeError: something else was given.
    """
    if ax is not None:
        check_axes(ax)
        return ax
    import matplotlib.pyplot as plt

    _, fresh = plt.subplots(figsize=size, layout="constrained")
    return fresh


def empty(ax: Axes, text: str, trace: Trace | None = None) -> Axes:
    """A figure that says why it has nothing to show, e.g. "no handoffs in this trace"; and if that was filtered."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=10, color=INK)
    if filtered(trace):
        note(ax, "", trace)
    return ax


def filtered(trace: Trace | None) -> bool:
    """Is this what `Trace.filter` has left of a trace?"""
    return trace is not None and bool(trace.metadata.get("partial"))


def note(ax: Axes, text: str, trace: Trace | None = None) -> None:
    """A small note below the axes' label; a second one takes the place of the first.

    Args:
        trace: what the figure is of; if that was filtered the note says so.
    """
    if filtered(trace):
        text = f"{text}\n{FILTERED}".lstrip()
    for old in ax.texts:
        if old.get_gid() == "note":
            old.set_text(text)
            return
    made: Text = ax.annotate(
        text,
        (0.5, 0),
        xycoords=ax.xaxis.label,
        xytext=(0, -2),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=MIN_POINTS,
        color=INK,
        annotation_clip=False,
    )
    made.set_gid("note")


def time_axis(ax: Axes, window: Window) -> None:
    """x is time in seconds and shows this window, in a unit that fits what is visible."""
    from matplotlib.ticker import Formatter, MaxNLocator

    class Seconds(Formatter):
        """Labels in s, ms, us or ns; the unit stands in the axis' label."""

        def __call__(self, x: float, pos: int | None = None) -> str:
            return self.texts([x])[0]

        def format_ticks(self, values: Sequence[float]) -> list[str]:
            return self.texts(list(values))

        def texts(self, values: list[float]) -> list[str]:
            low, high = sorted(ax.get_xlim())
            size, unit = fitting(high - low)
            ax.set_xlabel(f"time since the trace began ({unit})")
            step = min(np.diff(values), default=high - low) / size
            digits = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
            return [f"{value / size + 0.0:.{min(digits, 9)}f}" for value in values]

    low, high = window.seconds([window.t0, window.t1]).tolist()
    if high <= low:
        low, high = low - 1e-9, high + 1e-9
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(Seconds())


def fitting(span: float) -> tuple[float, str]:
    """The largest unit of which a span of seconds holds at least two."""
    for size, unit in UNITS:
        if span >= 2 * size:
            return size, unit
    return UNITS[-1]


def legend(
    ax: Axes,
    states: Iterable[str],
    marks: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    *,
    no_cpu: bool = False,
    lines: Mapping[str, str] | None = None,
    whole: bool = False,
) -> None:
    """List the states and glyphs that are there, in the order of `style.py`, to the right of the data.

    Args:
        labels: other words for some of them.
        colours: further entries, text to colour.
        no_cpu: list the hatch of slices without CPU.
        lines: lines, text to colour.
        whole: one for the whole figure, which has a layout that keeps room for it.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    present, glyphs, words = set(states), set(marks), labels or {}
    handles: list[Any] = [
        Patch(
            facecolor=state.colour, hatch=state.hatch, edgecolor=INK, lw=0, label=words.get(name, state.label)
        )
        for name, state in STATES.items()
        if name in present
    ]
    if no_cpu:
        handles.append(
            Patch(
                facecolor=NO_CPU.colour, hatch=NO_CPU.hatch, edgecolor=NO_CPU_LINES, lw=0, label=NO_CPU.label
            )
        )
    handles += [
        Patch(facecolor=colour, edgecolor=INK, lw=0, label=text) for text, colour in (colours or {}).items()
    ]
    handles += [Line2D([], [], color=colour, lw=1.6, label=text) for text, colour in (lines or {}).items()]
    handles += [
        Line2D(
            [],
            [],
            ls="",
            marker=glyph.marker,
            ms=5,
            mec=INK,
            mew=0.8,
            mfc=INK if glyph.filled else "white",
            label=words.get(name, glyph.label),
        )
        for name, glyph in GLYPHS.items()
        if name in glyphs
    ]
    for old in [*ax.figure.legends] if whole else filter(None, [ax.get_legend()]):
        old.remove()
    if not handles:
        return
    style: dict[str, Any] = {"handles": handles, "fontsize": 8, "frameon": False, "handlelength": 1.6}
    if whole:
        made = ax.figure.legend(loc="outside right upper", **style)
    else:
        made = ax.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), borderaxespad=0, **style)
    for text in made.get_texts():
        text.set_parse_math(False)  # names of functions may hold any sign
