"""What an argument may be, as data, and the error for one that is not, which names it and says what it may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from .seconds import LIMIT

__all__ = [
    "INT",
    "MAX_PROCS",
    "POSITIVE",
    "POSITIVE_TIME",
    "PROCS",
    "SHARE",
    "TIME",
    "Rule",
    "check_arguments",
    "one_of",
    "whole",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """What an argument may be.

    Attributes:
        words: the same in words, to follow "is" in a message.
        kind: its type; bool is none of them.
        fits: of a value of this type.
    """

    words: str
    kind: type | tuple[type, ...]
    fits: Callable[[Any], bool]


def check_arguments(rules: Mapping[str, Rule], values: Mapping[str, Any]) -> None:
    """Compare arguments, by name, with what they may be.

    Raises:
        TypeError: one is of another type.
        ValueError: one is out of its range.
    """
    for name, value in values.items():
        rule = rules[name]
        if not isinstance(value, rule.kind) or isinstance(value, bool):
            raise TypeError(f"{name} is {rule.words}, not {type(value).__name__}")
        if not rule.fits(value):
            raise ValueError(f"{name} is {rule.words}, not {value!r}")


def whole(least: int, most: int | None = None) -> Rule:
    """An int in this range."""
    if most is None:
        return Rule(f"an int of at least {least}", int, lambda n: n >= least)
    return Rule(f"an int from {least} to {most}", int, lambda n: least <= n <= most)


def one_of(*names: str) -> Rule:
    """One of these strings."""
    return Rule(f"one of {', '.join(names)}", str, lambda name: name in names)


#: Each P takes 1.5 kB and a look in every pass of sysmon: so many are 100 MB, and a second before main begins. Go had a
#: limit of 1 << 10 until 1.9 and has none now, but for memory.
MAX_PROCS: Final = 1 << 16

NUMBER: Final = (int, float)

INT: Final = Rule("an int", int, lambda n: True)
PROCS: Final = whole(1, MAX_PROCS)
POSITIVE: Final = Rule("a positive number", NUMBER, lambda x: 0 < x < inf)
SHARE: Final = Rule("a number from 0 to 1", NUMBER, lambda x: 0 <= x <= 1)
TIME: Final = Rule("a number of seconds, from 0 to below 9e9", NUMBER, lambda s: 0 <= s < LIMIT)
POSITIVE_TIME: Final = Rule("a positive number of seconds, below 9e9", NUMBER, lambda s: 0 < s < LIMIT)
