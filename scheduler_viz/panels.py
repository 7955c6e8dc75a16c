"""What the figures of counts and times share: further panels, keys, ticks on log axes, durations in words.

* A figure is one Axes, so that it can be part of another: whatever else it needs is cut off from the room of that one.
  (Insets outside of it would do without, but constrained layout keeps so much room for them that little is left.)
* Ticks of log axes are fixed numbers 1, 2, 5 or 1 of each decade: labels never depend on what a locator thinks fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from .base import UNITS
from .style import COUNTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BAR",
    "above",
    "blocks",
    "colour_bar",
    "counted",
    "duration",
    "key",
    "log_image",
    "log_ticks",
    "margins",
    "p_axis",
    "plain",
    "title",
    "whole_numbers",
]

#: Of bars that count something that is no state.
BAR: Final = "#66707A"


def title(ax: Axes, text: str) -> None:
    ax.set_title(text, loc="left", fontsize=10)


def plain(ax: Axes) -> None:
    """Small ticks and no box."""
    ax.tick_params(labelsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def above(ax: Axes, height: float) -> Axes:
    """A panel above with the same x, cut off from the axes' own room; `height` is its share of that."""
    made, _ = divided(ax, (height, 1 - height), (1,))
    made.tick_params(axis="x", labelbottom=False)
    return made


def margins(ax: Axes, size: float) -> tuple[Axes, Axes]:
    """A panel above with the same x and one to the right with the same y; `size` is their share of the axes' room."""
    upper, right = divided(ax, (size, 1 - size), (1 - size, size))
    assert right is not None
    upper.tick_params(axis="x", labelbottom=False)
    right.tick_params(axis="y", labelleft=False)
    return upper, right


def divided(ax: Axes, heights: Sequence[float], widths: Sequence[float]) -> tuple[Axes, Axes | None]:
    """Leave the axes the lower left corner of what it has; return what lies above it, and to its right if anything."""
    figure, spec = ax.figure, ax.get_subplotspec()
    if spec is not None:
        parts = spec.subgridspec(2, len(widths), height_ratios=heights, width_ratios=widths)
        ax.set_subplotspec(parts[1, 0])
        upper = figure.add_subplot(parts[0, 0], sharex=ax)
        return upper, figure.add_subplot(parts[1, 1], sharey=ax) if len(widths) > 1 else None
    x, y, width, height = ax.get_position().bounds
    across, up, gap = width * widths[0] / sum(widths), height * heights[1] / sum(heights), 0.02
    ax.set_position((x, y, across, up))
    upper = figure.add_axes((x, y + up + gap, across, max(height - up - gap, 0.01)), sharex=ax)
    if len(widths) == 1:
        return upper, None
    return upper, figure.add_axes((x + across + gap, y, max(width - across - gap, 0.01), up), sharey=ax)


def key(ax: Axes, handles: Sequence[Any]) -> None:
    """A legend with these handles, to the right of the data, as `base.legend` makes it."""
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.005, 1.0),
        borderaxespad=0,
        fontsize=8,
        frameon=False,
        handlelength=1.6,
    )


def colour_bar(axes: Sequence[Axes], image: Any, label: str) -> None:
    """The scale of a log coloured image, to the right of these axes."""
    low, high = image.norm.vmin, image.norm.vmax
    clipped = (image.get_array().compressed() < low * (1 - 1e-9)).any()
    bar = axes[0].figure.colorbar(
        image, ax=list(axes), extend="min" if clipped else "neither", fraction=0.05, pad=0.02, aspect=30
    )
    ticks = log_ticks(low, high)
    bar.set_ticks(ticks, labels=[f"{tick:,.10g}" for tick in ticks])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=8)
    bar.set_label(label, fontsize=8)


def log_ticks(low: float, high: float, most: int = 8) -> list[float]:
    """At most so many ticks between low and high: 1, 2 and 5 of each decade, or 1, or 1 of each second ..."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1,)):
        ticks = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        ticks = [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        if len(ticks) <= most:
            return ticks or [low]
    return ticks[:: -(-len(ticks) // most)]


def counted(number: int, thing: str) -> str:
    """ "1 steal", "1,234 steals"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def duration(seconds: float) -> str:
    """A time in three digits, with the unit that keeps it short: "12.5 us"."""
    if seconds == 0:
        return "0"
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= size * 0.9995), UNITS[-1])
    return f"{seconds / size:.3g} {unit}" if seconds / size < 999.5 else f"{seconds / size:,.0f} {unit}"


def whole_numbers(ax: Axes, axis: str = "y", most: int = 6) -> None:
    """Ticks at whole numbers, with separators of thousands."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    which = ax.yaxis if axis == "y" else ax.xaxis
    which.set_major_locator(MaxNLocator(most, integer=True))
    which.set_major_formatter(FuncFormatter(lambda value, pos: f"{value:,.0f}"))


def p_axis(ax: Axes, axis: str, count: int) -> None:
    """An axis of P's: P0, P1 ..., as many as have room."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    which = ax.yaxis if axis == "y" else ax.xaxis
    which.set_major_locator(MaxNLocator(min(count, 8), integer=True, steps=[1, 2, 4, 5, 8, 10]))
    which.set_major_formatter(
        FuncFormatter(lambda p, pos: f"P{p:.0f}" if p == round(p) and 0 <= p < count else "")
    )


def blocks(count: int, most: int) -> tuple[int, npt.NDArray[np.int64]]:
    """How many P's make a block so that there are at most so many blocks, and where each begins."""
    size = -(-count // max(most, 1))
    return size, np.arange(0, count, size)


def log_image(
    ax: Axes,
    values: npt.NDArray[np.float64],
    extent: tuple[float, float, float, float],
    low: float,
    high: float,
) -> Any:
    """An image of counts, log coloured from low to high; what is 0 or nan stays white."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm

    known = np.ma.masked_invalid(values)
    made: Any = ax.imshow(
        np.ma.masked_less_equal(known, 0),
        cmap=colormaps[COUNTS],
        norm=LogNorm(low, high),
        aspect="auto",
        interpolation="nearest",
        extent=extent,
        origin="upper",
    )
    made.set_gid("counts")
    return made
