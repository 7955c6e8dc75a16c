"""One G, followed over its P's and M's: three timelines with one time axis and a line through where it was.

Only the P's and M's that it was on have lanes. Arrows for all G's at once are useless in bulk; the way of one can be
read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import data
from .base import empty, time_axis, window
from .data.timelines import linked as way
from .g_timeline import g_lanes
from .lanes import show
from .m_timeline import m_lanes
from .p_timeline import gil_words, p_lanes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mpg.trace import Trace

__all__ = ["linked"]


def linked(trace: Trace, g: int, *, t0: float | None = None, t1: float | None = None) -> Figure:
    """Where G `g` went: the P's it was on over the M's it was on over its own states.

    A thick line goes through every run and call of it, in order; in between it goes to the next place. Where it would
    be a thicket there is none, and the note says how many stays there are to zoom in for. By default from the creation
    of the G to its end.

    Args:
        t0, t1: seconds from the trace's start.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window, a G that does not occur in it.
    """
    import matplotlib.pyplot as plt

    path = way(trace, g, t0=t0, t1=t1)
    own = data.g_timeline(trace, t0=t0, t1=t1, gs=[g])
    if t0 is None and t1 is None and own["t1"].max() > own["t0"].min():
        t0, t1 = float(own["t0"].min()), float(own["t1"].max())
        own = data.g_timeline(trace, t0=t0, t1=t1, gs=[g])
    at = window(trace, t0, t1)
    on_p, on_m = path[path["p"] >= 0], path
    ps, ms = np.unique(on_p["p"]), np.unique(on_m["m"])
    heights = [max(len(ps), 1), max(len(ms), 1), 1]
    fig, (upper, middle, lower) = plt.subplots(
        3,
        1,
        sharex=True,
        figsize=(9, min(2.2 + 0.4 * sum(heights), 10)),
        height_ratios=heights,
        layout="constrained",
    )
    upper.set_title(f"G{g} on P's and M's", loc="left", fontsize=10)
    for ax in (upper, middle, lower):
        time_axis(ax, at)
    layers = []
    totals = []
    for ax, part, lanes, name, drawn in (
        (upper, on_p, ps, "p", p_lanes),
        (middle, on_m, ms, "m", m_lanes),
    ):
        rows = (data.p_timeline if name == "p" else data.m_timeline)(trace, t0=t0, t1=t1)
        totals.append(len(np.unique(rows[name])))
        if not len(lanes):
            empty(ax, f"G{g} was on no {name.upper()}")
            continue
        layer = drawn(ax, trace, at, rows, lanes.tolist(), below=0.22)
        layer.path = (
            f"stays on {name.upper()}'s",
            part["t0"],
            part["t1"],
            np.searchsorted(lanes, part[name]),
        )
        layers.append(layer)
    layers.append(g_lanes(lower, trace, at, own, [g]))
    labels, extra = gil_words(trace, hatched=True)
    every = f"the lanes are {len(ps)} of {totals[0]} P's and {len(ms)} of {totals[1]} M's"
    show(layers, trace, at, labels, "\n".join(filter(None, (every, extra))))
    for ax in (upper, middle):
        ax.tick_params(axis="x", labelbottom=False)
        ax.xaxis.label.set_visible(False)
    return fig
