"""Queues: how long they were, and how many G's, M's and P's were in which state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from . import data
from .arguments import MOST_BINS
from .base import Window, axes, empty, note, time_axis, window
from .data.queues import missing
from .data.steps import bin_edges, step_bins, to_ns
from .panels import (
    above,
    blocks,
    colour_bar,
    counted,
    duration,
    key,
    log_image,
    p_axis,
    plain,
    title,
    whole_numbers,
)
from .style import INK, STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["counters", "runqueue_heatmap"]

Floats = npt.NDArray[np.float64]

DECADES: Final = 4  #: of lengths that differ in colour; shorter ones are drawn like the shortest of these
UNKNOWN: Final = "#BBBBBB"
MOST_MARKS: Final = 500
MOST_STEPS: Final = 4000  #: of counters drawn as they are; beyond, a mean and a band for each bin

WORDS: Final = {
    "all": "G's in the queue",
    "fresh": "fresh G's in the queue",
    "started": "started G's in the queue",
}


class Line(NamedTuple):
    """How a counter looks."""

    colour: str
    style: str
    width: float
    label: str


#: The upper panel's lines, and the lower one's.
OF_GS: Final = {
    "running": Line(STATES["running"].colour, "-", 1.6, "running"),
    "runnable": Line(STATES["runnable"].colour, "-", 1.6, "runnable"),
    "waiting": Line(STATES["blocked"].colour, "--", 1.6, "waiting"),
    "syscalls": Line(STATES["syscall"].colour, ":", 2.0, "in calls"),
}
OF_MS: Final = {
    "ms": Line(INK, "-", 1.2, "M's"),
    "spinning": Line(STATES["spinning"].colour, "-", 1.8, "spinning M's"),
    "idle_ps": Line(STATES["idle"].colour, "-", 1.8, "idle P's"),
}


def runqueue_heatmap(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    bins: int = 200,
    part: str = "all",
) -> Axes:
    """The mean length of each P's queue in each bin of time, log coloured; above it the global queue's.

    A cross marks a bin in which half of a full queue was moved to the global one. Where there are more P's than there
    is height for, a row is the mean of several, and the note says of how many.

    Args:
        t0, t1: seconds from the trace's start.
        part: "all"; "fresh" for the G's that can be stolen, "started" for those that have run before.

    Raises:
        NotRecorded: the trace's world has no RunqLen events.
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window or part, bins not from 1 to 10,000.
    """
    at = window(trace, t0, t1)
    rows = data.runqueue_heatmap(trace, t0=t0, t1=t1, bins=bins, part=part)
    ax = axes(ax, (9, 4.5))
    if not len(rows):
        title(ax, "run queues")
        return empty(
            ax, "no queue lengths in this trace" if at.t1 > at.t0 else "no time passes in this trace", trace
        )
    rows = rows.reshape(int(rows["p"][-1]) + 2, -1)
    mean, procs = rows["mean"], len(rows) - 1
    upper = above(ax, min(max(1 / (procs + 1), 0.06), 0.2))
    time_axis(ax, at)
    size, starts = blocks(procs, max(16, int(ax.bbox.height / 1.5)))
    grouped = np.add.reduceat(mean[1:], starts, axis=0) / np.diff(np.append(starts, procs))[:, None]
    known = mean[np.isfinite(mean) & (mean > 0)]
    high = float(known.max(initial=0)) or 1.0
    low = min(max(float(known.min(initial=high)), high / 10**DECADES), high / 2)
    x0, x1 = float(rows["t0"][0, 0]), float(rows["t1"][0, -1])
    bottom = len(starts) * size - 0.5
    image = log_image(ax, grouped, (x0, x1, bottom, -0.5), low, high)
    log_image(upper, mean[:1], (x0, x1, 0.5, -0.5), low, high)
    grey_out(ax, grouped, (x0, x1, bottom, -0.5))
    grey_out(upper, mean[:1], (x0, x1, 0.5, -0.5))
    ax.set_xlim(x0, x1)
    ax.set_ylim(procs - 0.5, -0.5)
    p_axis(ax, "y", procs)
    ax.tick_params(labelsize=8)
    upper.set_yticks([0], labels=["global"], fontsize=8)
    title(upper, "run queues")
    colour_bar([upper, ax], image, f"{WORDS[part]} (mean)")
    parts = [f"mean of {duration((x1 - x0) / rows.shape[1])}; white: empty"]
    parts += [f"a row is the mean of {size} P's"] if size > 1 else []
    parts += ["grey: not known"] if np.isnan(mean).any() else []
    parts += [words] if (words := mark(ax, rows)) else []
    note(ax, "; ".join(parts), trace)
    return ax


def grey_out(ax: Axes, values: Floats, extent: tuple[float, float, float, float]) -> None:
    """Grey where nothing is known of a queue."""
    from matplotlib.colors import ListedColormap

    if np.isnan(values).any():
        hidden = np.ma.masked_where(~np.isnan(values), np.zeros(values.shape))
        ax.imshow(
            hidden,
            cmap=ListedColormap([UNKNOWN]),
            aspect="auto",
            interpolation="nearest",
            extent=extent,
            origin="upper",
        )


def mark(ax: Axes, rows: npt.NDArray[np.void]) -> str:
    """Crosses where queues overflowed, and what the note says of them."""
    lane, place = np.nonzero(rows["overflows"])
    if not len(lane):
        return ""
    words = f"{counted(int(rows['overflows'].sum()), 'overflow')} of a full queue"
    if len(lane) > MOST_MARKS:
        return words
    x = (rows["t0"] + rows["t1"])[lane, place] / 2
    for colour, width in (("white", 2.4), (INK, 1.2)):
        ax.plot(x, lane - 1, "x", color=colour, ms=5, mew=width, scalex=False, scaley=False)
    return f"{words} (x)"


def counters(
    trace: Trace, *, t0: float | None = None, t1: float | None = None, ax: Axes | None = None
) -> Axes:
    """How many G's run, can run, wait and are in calls; below, how many M's there are, spin, and P's are idle.

    Each change is a step. Beyond 4,000 of them a line is the mean of each bin of time, in a band from the least to the
    most. What the trace's world does not record has no line, and the note names it.

    Args:
        t0, t1: seconds from the trace's start.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window.
    """
    at = window(trace, t0, t1)
    rows = data.counters(trace, t0=t0, t1=t1)
    ax = axes(ax, (9, 5))
    if not len(rows):
        title(ax, "counters")
        return empty(ax, "no time passes in this trace", trace)
    upper = above(ax, 0.55)
    time_axis(ax, at)
    lacking = missing(trace)
    for panel, lines in ((upper, OF_GS), (ax, OF_MS)):
        draw(panel, rows, at, {name: line for name, line in lines.items() if name not in lacking})
    title(upper, "counters")
    upper.set_ylabel("G's", fontsize=9)
    ax.set_ylabel("M's, P's", fontsize=9)
    parts = [counted(len(rows), "change")]
    parts += ["mean of each bin, from least to most"] if len(rows) > MOST_STEPS else []
    parts += [f"not recorded: {', '.join(OF_MS[name].label for name in lacking)}"] if lacking else []
    note(ax, "; ".join(parts), trace)
    return ax


def draw(ax: Axes, rows: npt.NDArray[np.void], at: Window, lines: dict[str, Line]) -> None:
    """The lines of one panel, with a key and a scale of whole numbers, logarithmic from 100 on."""
    from matplotlib.patheffects import Normal, Stroke

    handles: list[Any] = []
    most = 1
    for name, line in lines.items():
        values = rows[name]
        most = max(most, int(values.max()))
        if len(rows) <= MOST_STEPS:
            x, y = np.append(rows["t"], at.seconds(at.t1)), np.append(values, values[-1]).astype(float)
        else:
            x, y, low, high = binned(ax, rows["t"], values, at)
            ax.fill_between(x, low, high, step="post", color=line.colour, alpha=0.25, lw=0)
        (made,) = ax.plot(
            x,
            y,
            color=line.colour,
            ls=line.style,
            lw=line.width,
            drawstyle="steps-post",
            label=line.label,
            scalex=False,
        )
        if line.colour in (STATES["spinning"].colour, STATES["idle"].colour):  # too light for a white ground
            made.set_path_effects([Stroke(linewidth=line.width + 1, foreground=INK), Normal()])
        handles.append(made)
    plain(ax)
    if most >= 100:
        ax.set_yscale("symlog", linthresh=1)
        ax.set_ylim(0, most * 1.5)
        powers: Sequence[int] = [10**i for i in range(len(str(most)))]
        ax.set_yticks([0, *powers[:: -(-len(powers) // 5)]])
        ax.yaxis.set_major_formatter(lambda value, pos: f"{value:,.0f}")
        ax.yaxis.set_minor_locator(null())
    else:
        ax.set_ylim(-0.04 * most, most * 1.08)
        whole_numbers(ax, most=5)
    key(ax, handles)


def binned(
    ax: Axes, t: Floats, values: npt.NDArray[np.int64], at: Window
) -> tuple[Floats, Floats, Floats, Floats]:
    """Edges, and the mean, least and most of one counter in bins of two pixels; the last of each is there twice."""
    edges = bin_edges(at, min(max(50, int(ax.bbox.width / 2)), MOST_BINS))
    lane = np.zeros(len(t), np.int64)
    mean, high = step_bins(lane, to_ns(t, at), values, edges, 1)
    _, low = step_bins(lane, to_ns(t, at), -values, edges, 1)
    mean, low, high = (np.append(row[0], row[0, -1]) for row in (mean, -low, high))
    return at.seconds(edges), mean, low, high


def null() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()
