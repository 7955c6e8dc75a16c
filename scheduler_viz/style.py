"""Colours, hatches and glyphs: one table, so that a state looks the same in every figure.

* The eight colours are those of Okabe and Ito, made for colour-blind eyes. Two of them are never closer than 17 (CIE
  1976) to an eye without green cones and 20 to one without red; `tests/viz/test_style.py` works that out anew.
* Colour is never alone: the closest pairs differ by hatch as well (runnable and spinning, blocked and system), and
  why a run ended is a glyph's shape.
* Counts are drawn in `COUNTS`, which grows in lightness alone; never in red and green.
* Functions have hues that are no state's, by a fixed hash of the name: the same function is the same colour in every
  trace. There are six, so two functions may share one. G's have no colours of their own: nobody can tell a
  thousand hues apart.

Nothing here imports matplotlib.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

__all__ = [
    "COUNTS",
    "FUNCTIONS",
    "GLYPHS",
    "INK",
    "MIN_POINTS",
    "NO_CPU",
    "NO_CPU_LINES",
    "STATES",
    "Glyph",
    "State",
    "function_colour",
]


class State(NamedTuple):
    """How a state looks, and what the legend calls it."""

    colour: str
    hatch: str
    label: str


class Glyph(NamedTuple):
    """A mark at a moment: matplotlib's marker, whether it is filled, and what the legend calls it."""

    marker: str
    filled: bool
    label: str


#: In the order in which legends list them.
STATES: Final[dict[str, State]] = {
    "running": State("#0072B2", "", "running"),
    "runnable": State("#E69F00", "", "runnable"),
    "syscall": State("#D55E00", "", "in a call"),
    "netpoll": State("#56B4E9", "", "waiting for I/O"),
    "blocked": State("#CC79A7", "\\\\\\\\", "blocked"),
    "spinning": State("#F0E442", "////", "spinning"),
    "idle": State("#DDDDDD", "", "idle"),
    "system": State("#009E73", "....", "scheduling"),
}

#: Drawn over the part of a long slice in which its M had no CPU: darker than a run, and hatched in a lighter colour.
NO_CPU: Final = State("#003F63", "///", "has a P, no CPU")
NO_CPU_LINES: Final = "#4C8FB8"

#: Why a run ended, and both ends of a steal.
GLYPHS: Final[dict[str, Glyph]] = {
    "preempt": Glyph("v", True, "preempted"),
    "yield": Glyph("o", False, "yields"),
    "block": Glyph("s", False, "blocks"),
    "syscall": Glyph("D", False, "begins a call"),
    "end": Glyph("X", False, "ends"),
    "steal": Glyph("^", True, "steals"),
    "stolen": Glyph("v", False, "is robbed"),
}

COUNTS: Final = "cividis"
INK: Final = "#222222"  #: glyphs, hatches and notes
MIN_POINTS: Final = 7  #: the smallest text that a figure may hold

#: Hues of functions: far from every state, and from each other, to colour-blind eyes too.
FUNCTIONS: Final = ("#0000FF", "#00004C", "#99FF99", "#702500", "#6666FF", "#800066")


def function_colour(name: str) -> str:
    """The colour of a function, as hex; the same in every process and on every machine."""
    return FUNCTIONS[crc32(name.encode("utf-8", "surrogatepass")) % len(FUNCTIONS)]
