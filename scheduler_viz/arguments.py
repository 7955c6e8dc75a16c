"""What a figure may be given, and the errors for what it may not: they name the argument and say what to pass.

Every figure and every function of `scheduler_viz.data` goes through here before it draws or counts anything.
"""

from __future__ import annotations

from math import inf
from os import PathLike
from typing import Any, Final

import numpy as np

from mpg.arguments import MAX_PROCS
from mpg.trace import Trace

__all__ = [
    "MOST_BINS",
    "BadOption",
    "check_axes",
    "check_bins",
    "check_cpus",
    "check_trace",
    "choice",
    "g_numbers",
    "is_int",
    "moment",
    "whole",
]

#: Far more than a figure has pixels. With 1,024 P's so many take a few seconds and 0.7 GB.
MOST_BINS: Final = 10_000


class BadOption(ValueError):
    """An option of a figure is not what it may be.

    Attributes:
        option: its name.
        words: what is wrong; it follows the name.
    """

    def __init__(self, option: str, words: str) -> None:
        super().__init__(option, words)
        self.option = option
        self.words = words

    def __str__(self) -> str:
        return f"{self.option} {self.words}"


def check_trace(trace: object) -> None:
    """Check that this is a trace.

    Raises:
        TypeError: it is not; the words say where to find one.
    """
    if isinstance(trace, Trace):
        return
    words = f"a figure is drawn from a Trace, not {type(trace).__name__}"
    if isinstance(trace, str | PathLike):
        words += ": mpg.trace.load(path) reads one"
    elif hasattr(type(trace), "trace"):
        words += ": pass its .trace"
    raise TypeError(words)


def check_axes(ax: object) -> None:
    """Check that this is something to draw into.

    Raises:
        TypeError: it is not.
    """
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax is one Axes of matplotlib, not {type(ax).__name__}")


def is_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def whole(option: str, value: Any, words: str, most: float = inf) -> None:
    """Check a number of something, from 1 on.

    Raises:
        BadOption: it is none, or out of range; `words` follow "is".
    """
    if not is_int(value) or not 1 <= value <= most:
        raise BadOption(option, f"is {words}, not {value!r}")


def check_bins(bins: Any) -> None:
    """Check a number of bins.

    Raises:
        BadOption: it is none, or out of range.
    """
    whole("bins", bins, f"a number of bins from 1 to {MOST_BINS:,}", MOST_BINS)


def check_cpus(ncpus: Any) -> None:
    """Check a number of CPU's; None is what the trace says.

    Raises:
        BadOption: it is none, or out of range.
    """
    if ncpus is not None:
        whole("ncpus", ncpus, f"a number of CPU's from 1 to {MAX_PROCS:,}", MAX_PROCS)


def moment(option: str, value: object) -> None:
    """Check a time.

    Raises:
        BadOption: it is no number, or negative, or not finite.
    """
    if not (isinstance(value, int | float | np.integer | np.floating) and 0 <= value < inf):
        raise BadOption(option, f"is in seconds from the trace's start, not {value!r}")


def choice(option: str, value: object, *names: str) -> None:
    """Check that this is one of some texts.

    Raises:
        BadOption: it is not.
    """
    if not isinstance(value, str) or value not in names:
        *others, last = (f'"{name}"' for name in names)
        raise BadOption(option, f"is {', '.join(others)} or {last}, not {value!r}")


def g_numbers(option: str, value: Any) -> list[int]:
    """The numbers of G's in this, each once.

    Raises:
        BadOption: there are none, or something else.
    """
    try:
        found = list(value)
    except TypeError:  # an array of no dimension claims to be iterable, so only this tells
        found = []
    if not found or not all(map(is_int, found)):
        raise BadOption(option, f"is numbers of G's, such as [1, 2], not {value!r}")
    return list(dict.fromkeys(map(int, found)))
