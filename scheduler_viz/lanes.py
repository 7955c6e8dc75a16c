"""The frame of the timelines: the axis of lanes, and one legend and one note for all that is drawn.

* Lane 0 is at the top. As many lanes are named as have room: all, or every 2nd, 4th, 8th.
* The legend lists the states and glyphs that are visible at the moment. The note says how many events that is, how many
  spans were merged into a picture, how many events were dropped when recording, and what has no room.
* Everything is drawn anew when the limits of an axis change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mpg.trace.marks import dropped

from .base import Window, legend, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mpg.trace import Trace

    from .spans import Lanes

__all__ = ["lane_axis", "lane_size", "show"]


def show(
    layers: Sequence[Lanes], trace: Trace, at: Window, labels: Mapping[str, str], extra: str = ""
) -> None:
    """Draw the layers, now and whenever their limits change, with one legend and one note for all of them.

    Args:
        at: the window that x shows; the axes are set to it already.
        labels: what the legend calls some states, if not what `style.py` does.
        extra: a further line of the note.
    """
    missing = dropped(trace)

    def refresh(_: object = None) -> None:
        if not [layer for layer in layers if layer.redraw()]:
            return
        words = {text: colour for layer in layers for text, colour in layer.words.items()}
        states = set().union(*(layer.states for layer in layers))
        glyphs = set().union(*(layer.glyphs for layer in layers))
        no_cpu = any(layer.shows_no_cpu for layer in layers)
        legend(layers[0].ax, states, glyphs, labels, words, no_cpu=no_cpu, whole=len(layers) > 1)
        x0, x1 = (at.origin + round(x * 1e9) for x in sorted(layers[-1].ax.get_xlim()))
        events = int(np.count_nonzero((trace.ts >= x0) & (trace.ts <= x1)))
        merged = sum(layer.merged for layer in layers)
        parts = [f"{events:,} events, {merged:,} spans merged, {missing:,} dropped"]
        hidden = [f"{count:,} {group}" for layer in layers for group, count in layer.hidden.items()]
        if hidden:
            parts[0] += f"; zoom in for {', '.join(hidden)}"
        note(layers[-1].ax, "\n".join([*parts, *([extra] if extra else [])]), trace)

    for layer in layers:
        for event in ("xlim_changed", "ylim_changed"):
            layer.ax.callbacks.connect(event, refresh)
    refresh()


def lane_size(lanes: int, width: float = 9.0) -> tuple[float, float]:
    """Inches of a figure with so many lanes: 0.3 for each, and never more than a page is high."""
    return width, min(max(1.6 + 0.3 * lanes, 3.4), 9.0)


def lane_axis(ax: Axes, names: Sequence[str]) -> None:
    """y is lanes, the first at the top; as many are named as have room."""
    from matplotlib.ticker import FuncFormatter, Locator

    class Every(Locator):
        """Lane 0 and every 2nd, 4th, 8th ... after it, so that 12 points lie between two."""

        def __call__(self) -> list[float]:
            low, high = sorted(ax.get_ylim())
            return self.tick_values(low, high)

        def tick_values(self, vmin: float, vmax: float) -> list[float]:
            room = ax.bbox.height / (12 * ax.figure.dpi / 72)
            step = 1
            while (vmax - vmin) / step > max(room, 1):
                step *= 2
            first = max(0, -(-int(np.ceil(vmin)) // step) * step)
            return [float(lane) for lane in range(first, min(len(names), int(vmax) + 1), step)]

    def name(y: float, pos: int | None = None) -> str:
        return names[round(y)].replace("$", r"\$") if 0 <= round(y) < len(names) else ""  # no formula

    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.yaxis.set_major_locator(Every())
    ax.yaxis.set_major_formatter(FuncFormatter(name))
    ax.tick_params(axis="y", length=0, labelsize=8)
    ax.tick_params(axis="x", labelsize=8)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
