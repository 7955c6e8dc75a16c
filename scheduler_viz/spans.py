"""Drawing many spans in lanes: never an artist for each bar.

* Up to 20,000 visible spans are one PolyCollection for each colour. Beyond that, or where a lane is less than 3 pixels
  high, they are one image, in which every pixel mixes the colours of its states by their exact shares of its time
  (`data.bins`) and lanes are merged in proportion. 20,000 spans take 0.08 s as polygons, 100,000 take 0.4 s, and as an
  image 0.05 s: beyond the border, dragging with the mouse would stutter.
* Whatever is drawn is made for the visible part alone, and made anew when the limits of x or y change (`xlim_changed`).
* Glyphs, lines and names are drawn where there is room for them: all of a group or none, since a choice of them would
  look like all (glyphs within 2 pixels do cover each other). What is hidden is counted in the note below.

Rejected: a Rectangle for each span (20,000 take 7 s), a sample of the spans (it loses the rare one, which is the one
that is looked for).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .data.bins import regroup, time_in_state
from .lanes import lane_axis
from .style import GLYPHS, INK, MIN_POINTS, NO_CPU, NO_CPU_LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_SPANS", "Lanes", "Look", "Marks"]

MOST_SPANS: Final = 20_000
THINNEST: Final = 3.0  #: pixels of a lane that polygons can still show
HALF: Final = 0.4  #: half the height of a span; lanes are 1 apart
APART: Final = 10  #: pixels between glyphs, on average

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Look(NamedTuple):
    """How the spans of one kind are drawn; `state` is the key of a state, or of the state that `words` is a case of."""

    state: str
    colour: str
    hatch: str = ""
    words: str = ""


class Marks(NamedTuple):
    """Glyphs of one kind: times, lanes, and how far from the middle of the lane (down is positive)."""

    glyph: str
    t: Floats
    row: Ints
    shift: float = 0.0


@dataclass(eq=False)
class Lanes:
    """Spans in lanes on one Axes.

    Attributes:
        names: of the lanes, from the top.
        row, t0, t1, look: the spans: lane, begin and end in seconds, index of `looks`.
        thin: spans of half the height, or None.
        texts: for the index of a span, what may be written on it, the longest first; `below` the middle of its lane.
        marks: glyphs, in groups that are shown or hidden together, by the group's name.
        lines: vertical dotted lines: their name, times, and the two lanes each joins; or None.
        no_cpu: parts of spans without CPU: begins, ends and lanes; or None.
        path: a thick line through stays in order: their name, begins, ends and lanes; or None.
    """

    ax: Axes
    names: Sequence[str]
    row: Ints
    t0: Floats
    t1: Floats
    look: Ints
    looks: Sequence[Look]
    thin: npt.NDArray[np.bool_] | None = None
    texts: Callable[[int], Sequence[str]] | None = None
    below: float = 0.0
    marks: Mapping[str, Sequence[Marks]] = field(default_factory=dict)
    lines: tuple[str, Floats, Ints, Ints] | None = None
    path: tuple[str, Floats, Floats, Ints] | None = None
    no_cpu: tuple[Floats, Floats, Ints] | None = None

    def __post_init__(self) -> None:
        self.artists: list[Any] = []
        self.states: set[str] = set()
        self.words: dict[str, str] = {}
        self.glyphs: set[str] = set()
        self.hidden: dict[str, int] = {}
        self.merged = 0
        self.shows_no_cpu = False
        self.drawn: tuple[float, ...] = ()
        lane_axis(self.ax, self.names)

    def redraw(self) -> bool:
        """Draw what is visible, unless it is drawn already."""
        ax = self.ax
        (x0, x1), (top, bottom) = sorted(ax.get_xlim()), sorted(ax.get_ylim())
        width, height = ax.bbox.width, ax.bbox.height
        if self.drawn == (x0, x1, top, bottom, width, height):
            return False
        self.drawn = (x0, x1, top, bottom, width, height)
        for artist in self.artists:
            artist.remove()
        self.artists.clear()
        self.states, self.words, self.glyphs, self.hidden, self.merged = set(), {}, set(), {}, 0
        self.shows_no_cpu = False
        lane_px = height / max(bottom - top, 1e-9)
        seen = (self.t1 >= x0) & (self.t0 <= x1) & (self.row > top - 0.5) & (self.row < bottom + 0.5)
        visible = np.flatnonzero(seen)
        for code in np.unique(self.look[visible]).tolist():
            look = self.looks[code]
            if look.words:
                self.words[look.words] = look.colour
            else:
                self.states.add(look.state)
        if len(visible) <= MOST_SPANS and lane_px >= THINNEST:
            self.polygons(visible, (x1 - x0) / width)
            if self.no_cpu is not None:
                self.hatch_no_cpu(*self.no_cpu)
            if self.texts and lane_px * 2 * (HALF - self.below) >= 1.3 * MIN_POINTS * ax.figure.dpi / 72:
                self.write(visible, x0, (x1 - x0) / width)
        else:
            self.image(visible, x0, x1, top, bottom)
            if self.no_cpu is not None and self.within(self.no_cpu[0], self.no_cpu[2]).any():
                self.hidden["stretches without CPU"] = int(self.within(self.no_cpu[0], self.no_cpu[2]).sum())
        room = width * min(bottom - top, len(self.names)) / APART if lane_px >= APART else 0
        for group, marks in self.marks.items():
            self.mark(group, marks, room)
        if self.lines is not None:
            self.join(width / APART * 2)
        if self.path is not None:
            self.follow(width / APART * 2)
        return True

    def within(self, t: Floats, row: Ints) -> npt.NDArray[np.bool_]:
        x0, x1, top, bottom = self.drawn[:4]
        found: npt.NDArray[np.bool_] = (t >= x0) & (t <= x1) & (row > top - 0.5) & (row < bottom + 0.5)
        return found

    def polygons(self, visible: Ints, second: float) -> None:
        """A PolyCollection for each look; a thin line parts runs that are long enough, and what is long is hatched.

        matplotlib makes a hatch anew for every path, so all that is hatched alike is one path.
        """
        from matplotlib.collections import PolyCollection
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        half = np.where(self.thin[visible], HALF / 2, HALF) if self.thin is not None else HALF
        x = np.stack([self.t0, self.t0, self.t1, self.t1], axis=1)[visible]
        y = np.stack([self.row[visible] + sign * half for sign in (-1, 1, 1, -1)], axis=1)
        corners = np.stack([x, y], axis=2)
        codes, long = self.look[visible], self.t1[visible] - self.t0[visible] > 4 * second
        raster = len(visible) > MOST_SPANS // 4  # else an SVG of it has megabytes
        for code in np.unique(codes).tolist():
            look, mine = self.looks[code], codes == code
            made = PolyCollection(
                corners[mine],
                facecolors=look.colour,
                edgecolors="white",
                linewidths=np.where(long[mine], 0.6, 0) if look.state == "running" else 0,
                zorder=1,
                rasterized=raster,
            )
            made.set_gid(f"function:{look.words}" if look.words else f"states:{look.state}")
            self.artists.append(self.ax.add_collection(made, autolim=False))
            if look.hatch and (mine & long).any():
                path = Path.make_compound_path_from_polys(corners[mine & long])
                lined = PathPatch(path, facecolor="none", edgecolor=INK, lw=0, hatch=look.hatch, zorder=1)
                lined.set_clip_path(self.ax.patch)
                lined.set_rasterized(raster)
                self.artists.append(self.ax.add_artist(lined))

    def hatch_no_cpu(self, t0: Floats, t1: Floats, row: Ints) -> None:
        """One path for all that is visible."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        x0, x1, top, bottom = self.drawn[:4]
        seen = (t1 >= x0) & (t0 <= x1) & (row > top - 0.5) & (row < bottom + 0.5)
        if not seen.any():
            return
        x = np.stack([t0, t0, t1, t1], axis=1)[seen]
        y = np.stack([row[seen] + sign * HALF for sign in (-1, 1, 1, -1)], axis=1)
        path = Path.make_compound_path_from_polys(np.stack([x, y], axis=2))
        made = PathPatch(
            path, facecolor=NO_CPU.colour, edgecolor=NO_CPU_LINES, lw=0, hatch=NO_CPU.hatch, zorder=1
        )
        made.set_gid("no cpu")
        made.set_clip_path(self.ax.patch)
        made.set_rasterized(len(x) > MOST_SPANS // 4)
        self.artists.append(self.ax.add_artist(made))
        self.shows_no_cpu = True

    def image(self, visible: Ints, x0: float, x1: float, top: float, bottom: float) -> None:
        """All spans as one picture, exactly binned."""
        from matplotlib.colors import to_rgb
        from matplotlib.image import AxesImage

        ax = self.ax
        self.merged = len(visible)
        begin, end = round(x0 * 1e9), round(x1 * 1e9)
        columns = max(1, min(round(ax.bbox.width), end - begin))
        edges = np.round(np.linspace(begin, max(end, begin + 1), columns + 1)).astype(np.int64)
        first, last = max(0, round(top + 0.5)), min(len(self.names), round(bottom + 0.5))
        lanes = max(1, last - first)
        height = round(ax.bbox.height * lanes / max(bottom - top, 1e-9))
        mix, total = np.zeros((lanes, columns, 3)), np.zeros((lanes, columns))
        codes = self.look[visible]
        for code in np.unique(codes).tolist():
            mine = visible[codes == code]
            mine = mine[(self.row[mine] >= first) & (self.row[mine] < last)]
            t0, t1 = (np.rint(t[mine] * 1e9).astype(np.int64) for t in (self.t0, self.t1))
            spent = time_in_state(self.row[mine] - first, t0, t1, edges, lanes)
            total += spent
            mix += spent[:, :, None] * np.array(to_rgb(self.looks[code].colour))
        if height < lanes:
            mix, total = regroup(mix, max(height, 1)), regroup(total, max(height, 1))
        share = total / np.diff(edges)
        if height < lanes:
            share *= len(share) / lanes
        rgba = np.dstack([mix / np.maximum(total, 1e-12)[:, :, None], np.clip(share, 0, 1)])
        if height >= 5 * lanes:  # room for the gaps between lanes
            rgba = np.repeat(rgba, 10, axis=0)
            rgba[::10, :, 3] = rgba[9::10, :, 3] = 0
        made = AxesImage(
            ax, interpolation="nearest", origin="upper", extent=(x0, x1, last - 0.5, first - 0.5), zorder=1
        )
        made.set_data(np.round(rgba * 255).astype(np.uint8))
        made.set_clip_path(ax.patch)
        made.set_gid("states:" + ",".join(sorted(self.states)))
        self.artists.append(ax.add_image(made))

    def write(self, visible: Ints, left: float, second: float) -> None:
        """Names on the spans that are long enough; `second` is how many seconds a pixel is."""
        assert self.texts is not None
        begin = np.maximum(self.t0[visible], left)
        pixels = (np.minimum(self.t1[visible], self.drawn[1]) - begin) / second
        scale = self.ax.figure.dpi / 72
        for i, start, room in zip(
            *(values[pixels >= 20].tolist() for values in (visible, begin, pixels)), strict=True
        ):
            if self.below and self.thin is not None and self.thin[i]:
                continue
            for words in self.texts(i):
                if text_width(words) * scale + 16 <= room:  # the glyphs at its ends need some
                    break
            else:
                continue
            made = self.ax.text(
                start + 7 * second,
                float(self.row[i]) + self.below,
                words,
                va="center",
                fontsize=MIN_POINTS,
                color=ink_on(self.looks[int(self.look[i])].colour),
                clip_on=True,
                parse_math=False,
            )
            made.set_gid("name")
            self.artists.append(made)

    def mark(self, group: str, marks: Sequence[Marks], room: float) -> None:
        """The glyphs of a group, if there is room for so many."""
        from matplotlib.lines import Line2D

        shown = [(one, self.within(one.t, one.row)) for one in marks]
        count = sum(int(keep.sum()) for _, keep in shown)
        if self.crowded(shown, room):
            self.hidden[group] = count
            return
        for one, keep in shown:
            if keep.any():
                glyph = GLYPHS[one.glyph]
                made = Line2D(
                    one.t[keep],
                    one.row[keep] + one.shift,
                    ls="",
                    marker=glyph.marker,
                    ms=4.5,
                    mec=INK,
                    mew=0.7,
                    mfc=INK if glyph.filled else "white",
                    zorder=3,
                )
                made.set_gid(f"mark:{one.glyph}")
                self.artists.append(self.ax.add_line(made))
                self.glyphs.add(one.glyph)

    def crowded(self, shown: Sequence[tuple[Marks, npt.NDArray[np.bool_]]], room: float) -> bool:
        """Would the glyphs hide each other? Those within 2 pixels of the one before in their lane are one spot."""
        second = (self.drawn[1] - self.drawn[0]) / self.drawn[4]
        t = np.concatenate([one.t[keep] for one, keep in shown])
        row = np.concatenate([one.row[keep] + one.shift for one, keep in shown])
        order = np.lexsort((t, row))
        gap = np.diff(t[order]) / second
        gap[np.diff(row[order]) != 0] = np.inf
        spots = 1 + np.count_nonzero(gap > 2)
        close = np.count_nonzero((gap > 2) & (gap < APART / 2))
        return bool(len(t) and (spots > room or 2 * close > spots))

    def join(self, room: float) -> None:
        """The dotted lines, if there is room for so many."""
        from matplotlib.collections import LineCollection

        assert self.lines is not None
        group, t, start, end = self.lines
        x0, x1 = self.drawn[:2]
        keep = (t >= x0) & (t <= x1)
        if keep.sum() > room:
            self.hidden[group] = int(keep.sum())
            return
        ends = np.stack([np.stack([t, start], axis=1), np.stack([t, end], axis=1)], axis=1)[keep]
        made = LineCollection(list(ends), colors=INK, linestyles=":", linewidths=1.2, zorder=2)
        made.set_gid(f"lines:{group}")
        self.artists.append(self.ax.add_collection(made, autolim=False))

    def follow(self, room: float) -> None:
        """The path, if there is room for so many stays; it enters and leaves what is visible where it should."""
        from matplotlib.lines import Line2D
        from matplotlib.patheffects import Normal, Stroke

        assert self.path is not None
        group, t0, t1, row = self.path
        x0, x1 = self.drawn[:2]
        inside = np.flatnonzero((t1 >= x0) & (t0 <= x1))
        if len(inside) > room:
            self.hidden[group] = len(inside)
            return
        before = int(np.searchsorted(t1, x0))
        keep = slice(max(before - 1, 0), int(np.searchsorted(t0, x1, "right")) + 1)
        x, y = np.stack([t0[keep], t1[keep]], axis=1).ravel(), np.repeat(row[keep], 2)
        made = Line2D(x, y, color=INK, lw=1.6, solid_joinstyle="round", zorder=4)
        made.set_path_effects([Stroke(linewidth=3.6, foreground="white"), Normal()])
        made.set_gid("path")
        self.artists.append(self.ax.add_line(made))


@lru_cache(4096)
def text_width(words: str) -> float:
    """Points that a name takes in the smallest size."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    width, _, _ = TextToPath().get_text_width_height_descent(words, FontProperties(size=MIN_POINTS), False)
    return float(width)


def ink_on(colour: str) -> str:
    """Black or white, whichever can be read on this colour (relative luminance, WCAG 2)."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return "black" if 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 else "white"
