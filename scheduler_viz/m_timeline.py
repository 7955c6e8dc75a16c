"""M timeline: a lane for each M, and dotted lines where a P was handed from one to another.

The lanes of `p_timeline` say what became of a P, these say where threads come from and whether they pile up. An M
without a P is drawn at half the height: parked, looking for a P, in a call whose P was taken, making a call for another
M, or sysmon, which never has one (and whose sleep is not recorded: it is always awake here).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import data
from .arguments import choice
from .base import Window, axes, empty, time_axis, window
from .data.timelines import g_names, handoff_lines
from .lanes import lane_size, show
from .p_timeline import coloured, gil_words, texts
from .spans import Lanes

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["m_timeline"]


def m_timeline(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    colour: str = "state",
) -> Axes:
    """What each M did, with its P and G as text; a dotted line from M to M is a P that was handed on.

    Spans of half the height have no P. For "running" see `p_timeline`: it is having a P, not a CPU.

    Args:
        t0, t1: seconds from the trace's start.
        colour: "state", or "function" to give runs the colour of the G's function.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window or colour.
    """
    choice("colour", colour, "state", "function")
    at = window(trace, t0, t1)
    rows = data.m_timeline(trace, t0=t0, t1=t1)
    lanes = np.unique(rows["m"])
    ax = axes(ax, lane_size(len(lanes)))
    ax.set_title("M timeline", loc="left", fontsize=10)
    if not len(rows):
        return empty(ax, "no M's in this trace", trace)
    time_axis(ax, at)
    layer = m_lanes(ax, trace, at, rows, lanes.tolist(), colour)
    labels, extra = gil_words(trace)
    show([layer], trace, at, {"idle": "parked", "system": "awake", **labels}, extra)
    return ax


def m_lanes(
    ax: Axes,
    trace: Trace,
    at: Window,
    rows: npt.NDArray[np.void],
    lanes: Sequence[int],
    colour: str = "state",
    below: float = 0.0,
) -> Lanes:
    """The layer of these M's: spans, names, lines. Hand-offs to nobody, or to an M without a lane, have no line."""
    rows = rows[np.isin(rows["m"], lanes)]
    names = g_names(trace)
    t0, t1 = at.seconds([at.t0, at.t1]).tolist()
    given: Any = handoff_lines(trace, t0=t0, t1=t1 if t1 > t0 else None)
    given = given[np.isin(given["m_from"], lanes) & np.isin(given["m_to"], lanes)]
    start, end = (np.searchsorted(lanes, given[name]) for name in ("m_from", "m_to"))
    look, looks = coloured(rows, names, colour)
    return Lanes(
        ax,
        [f"M{m}" for m in lanes],
        np.searchsorted(lanes, rows["m"]),
        rows["t0"],
        rows["t1"],
        look,
        looks,
        thin=rows["p"] < 0,
        texts=texts(rows["g"], names, rows["p"]),
        below=below,
        lines=("hand-offs", given["t"], start, end),
    )
