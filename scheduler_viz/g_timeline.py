"""G timeline: a lane for each of the G's that waited longest, or that were asked for.

There may be a million G's, and lanes that nobody can read help nobody: the note says how many were left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import data
from .base import Window, axes, empty, time_axis, window
from .data.timelines import all_gs, g_names
from .lanes import lane_size, show
from .p_timeline import STATE_LOOKS, gil_words
from .spans import Lanes

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["g_timeline"]


def g_timeline(
    trace: Trace,
    top: int = 20,
    gs: Iterable[int] | None = None,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The states of the `top` G's that waited longest for a P, the worst first, or of these `gs` in their order.

    Waiting is being runnable; blocked on a channel a G is not late. What a G runs on stands on its runs.

    Args:
        t0, t1: seconds from the trace's start.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window, top below 1, a G that does not occur, more than 200 lanes.
    """
    at = window(trace, t0, t1)
    rows = data.g_timeline(trace, t0=t0, t1=t1, top=top, gs=gs)
    lanes = list(dict.fromkeys(rows["g"].tolist()))
    ax = axes(ax, lane_size(len(lanes)))
    ax.set_title("G timeline", loc="left", fontsize=10)
    if not len(rows):
        return empty(ax, "no G's in this trace", trace)
    time_axis(ax, at)
    layer = g_lanes(ax, trace, at, rows, lanes)
    labels, extra = gil_words(trace)
    count = all_gs(trace, t0=t0, t1=t1)
    left_out = f"{count - len(lanes):,} of {count:,} G's are left out" if count > len(lanes) else ""
    show([layer], trace, at, labels, "\n".join(part for part in (left_out, extra) if part))
    return ax


def g_lanes(ax: Axes, trace: Trace, at: Window, rows: npt.NDArray[np.void], lanes: Sequence[int]) -> Lanes:
    """The layer of these G's: spans, and the P on which each run was."""
    names: Any = g_names(trace)
    order = np.argsort(lanes)
    row = order[np.searchsorted(np.array(lanes)[order], rows["g"])]

    def places(i: int) -> list[str]:
        return [f"P{rows['p'][i]}"] if rows["p"][i] >= 0 else []

    return Lanes(
        ax,
        [" ".join(filter(None, (names.get(g, "")[:16], f"G{g}"))) for g in lanes],
        row,
        rows["t0"],
        rows["t1"],
        rows["state"].astype(np.int64),
        STATE_LOOKS,
        texts=places,
    )
