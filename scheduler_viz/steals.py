"""Steals: who from whom, and when.

A matrix and a rate instead of arrows: arrows for all steals hide each other. With a victim chosen at random the matrix
is flat; a row or column that stands out is a P that starves or hoards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import data
from .arguments import choice
from .base import axes, empty, note, time_axis, window
from .data.steps import count_ps
from .panels import (
    BAR,
    above,
    blocks,
    colour_bar,
    counted,
    duration,
    log_image,
    margins,
    p_axis,
    plain,
    title,
    whole_numbers,
)
from .spans import ink_on, text_width
from .style import MIN_POINTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["steal_matrix", "steal_rate"]

MOST_CELLS = 128  #: rows of the matrix; more P's than that share them
MOST_TEXTS = 40  #: rows of a matrix whose cells are worth measuring
NOTHING = "no steals in this trace"
NOTHING_HERE = "no steals in this part of the trace"


def steal_matrix(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    count: str = "steals",
) -> Axes:
    """How often each P (thief, down) stole from each other (victim, across), log coloured; totals at the sides.

    Counts stand in the cells where they fit. More than 128 P's share cells, and the note says how many.

    Args:
        t0, t1: seconds from the trace's start.
        count: "steals", or "stolen" for how many G's were taken.

    Raises:
        NotRecorded: the trace's world has no Steal events.
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window or count.
    """
    choice("count", count, "steals", "stolen")
    rows = data.steal_matrix(trace, t0=t0, t1=t1)
    ax = axes(ax, (7, 6))
    if not len(rows):
        title(ax, "steals")
        return empty(ax, NOTHING if t0 is None and t1 is None else NOTHING_HERE, trace)
    number = count_ps(trace)
    size, starts = blocks(number, MOST_CELLS)
    cells = np.zeros((len(starts), len(starts)))
    np.add.at(cells, (rows["thief"] // size, rows["victim"] // size), rows[count])
    last = len(starts) * size - 0.5
    image = log_image(ax, cells, (-0.5, last, last, -0.5), 1, max(2, float(cells.max())))
    ax.set_xlim(-0.5, number - 0.5)
    ax.set_ylim(number - 0.5, -0.5)
    p_axis(ax, "x", number)
    p_axis(ax, "y", number)
    ax.tick_params(labelsize=8)
    ax.set_xlabel("victim", fontsize=9)
    ax.set_ylabel("thief", fontsize=9)
    edges = np.minimum(np.append(starts, len(starts) * size), number) - 0.5
    upper, right = margins(ax, 0.14)
    margin(upper, cells.sum(axis=0), edges, "x")
    margin(right, cells.sum(axis=1), edges, "y")
    title(upper, "steals" if count == "steals" else "G's stolen")
    colour_bar([upper, ax, right], image, "steals" if count == "steals" else "G's stolen")
    blocked = f"; a cell is {size} by {size} P's" if size > 1 else ""
    note(ax, f"{took(rows)}; white: none{blocked}", trace)
    if len(starts) <= MOST_TEXTS:
        write(ax, cells, image)
    return ax


def took(rows: npt.NDArray[np.void]) -> str:
    stolen = int(rows["stolen"].sum())
    return f"{counted(int(rows['steals'].sum()), 'steal')} took {stolen:,} G" + ("" if stolen == 1 else "'s")


def margin(ax: Axes, totals: npt.NDArray[np.float64], edges: npt.NDArray[np.float64], axis: str) -> None:
    """Totals as bars along this axis of the matrix; the one tick is the largest."""
    ax.stairs(totals, edges, fill=True, color=BAR, orientation="vertical" if axis == "x" else "horizontal")
    plain(ax)
    ticks: dict[str, Any] = {"ticks": [totals.max()], "labels": [f"{totals.max():,.0f}"]}
    if axis == "x":
        ax.set_ylim(0, totals.max() * 1.05)
        ax.set_yticks(**ticks)
        ax.tick_params(axis="x", length=0)
    else:
        ax.set_xlim(0, totals.max() * 1.05)
        ax.set_xticks(**ticks)
        ax.tick_params(axis="y", length=0)


def write(ax: Axes, cells: npt.NDArray[np.float64], image: Any) -> None:
    """The counts in their cells, where the cell is wide and high enough once the figure is laid out."""
    from matplotlib.colors import to_hex

    ax.figure.canvas.figure.draw_without_rendering()
    points = 72 / ax.figure.dpi / len(cells)
    wide, high = ax.bbox.width * points, ax.bbox.height * points
    if high < 1.3 * MIN_POINTS:
        return
    for row, column in np.argwhere(cells > 0).tolist():
        value = cells[row, column]
        words = f"{value:,.0f}"
        if text_width(words) + 3 <= wide:
            hue = to_hex(image.cmap(image.norm(value)))
            ax.text(
                column,
                row,
                words,
                ha="center",
                va="center",
                fontsize=MIN_POINTS,
                color=ink_on(hue),
                clip_on=True,
            ).set_gid("count")


def steal_rate(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    bins: int = 100,
) -> Axes:
    """Steals in each bin of time, and above them how many G's each took on average.

    Attempts that found nothing are not recorded, so they are not here.

    Args:
        t0, t1: seconds from the trace's start.

    Raises:
        NotRecorded: the trace's world has no Steal events.
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window, bins not from 1 to 10,000.
    """
    at = window(trace, t0, t1)
    rows = data.steal_rate(trace, t0=t0, t1=t1, bins=bins)
    ax = axes(ax, (9, 4.2))
    if not rows["steals"].any():
        title(ax, "rate of steals")
        return empty(ax, NOTHING if t0 is None and t1 is None else NOTHING_HERE, trace)
    upper = above(ax, 0.35)
    time_axis(ax, at)
    ax.stairs(rows["steals"], np.append(rows["t0"], rows["t1"][-1]), fill=True, color=BAR)
    ax.set_ylim(0, rows["steals"].max() * 1.05)
    some = rows["steals"] > 0
    upper.hlines(rows["mean"][some], rows["t0"][some], rows["t1"][some], color=BAR, lw=2)
    upper.set_ylim(0, max(2.0, float(np.nanmax(rows["mean"]))) * 1.1)
    for one in (ax, upper):
        plain(one)
        whole_numbers(one, most=5)
    title(upper, "rate of steals")
    ax.set_ylabel(f"steals in {duration(float(rows['t1'][0] - rows['t0'][0]))}", fontsize=9)
    upper.set_ylabel("G's per steal", fontsize=9)
    note(ax, f"{took(rows)}; attempts that failed are not recorded", trace)
    return ax
