"""A trace as text, one event per line: `time p m g Name arguments`.

    # a comment
    world "host"
    0     -  M0 -  ProcsChange n=2
    0     P0 M0 -  ProcStart
    0     P0 M0 -  GoCreate new=G1 name="main"
    1us   P0 M0 G1 GoStart queue="local"
    2us   P0 M0 G1 GoBlock reason="chan receive" object=7
    2us   P0 M0 -  ProcStop

* `time` is in ns, or has a unit: 1.5us, 3ms, 2s. `-` is none.
* Arguments are named as in the table of `events.py`; reading, the names may be left out if all that come before
  are given: `GoCreate G1 "main"`. Those that are none may be left out.
* Strings are JSON strings. Numbers of G's, P's and M's carry their letter.
* A line whose first word is no time is metadata: a key and a JSON value. `strings` is reserved: it is the list
  of texts beyond those that every table begins with, written if there are any, so that reading gives back the
  same table. (`strings-only` in its place replaces the whole table.)

`from_text(to_text(trace))` is the same trace, digest and metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from .events import KINDS, NAMES, STRINGS, Arg

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["line", "parse", "to_text"]

TOKEN: Final = re.compile(r'([A-Za-z_]+=)?("(?:[^"\\]|\\.)*"|[^\s"]+)(?:\s+|$)')
UNITS: Final = {"": 1, "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
TIME: Final = re.compile(r"(-?\d+)(?:\.(\d+))?(ns|us|ms|s|)")
LETTERS: Final = {"p": "P", "m": "M", "g": "G"}


def to_text(trace: Trace) -> str:
    """The whole trace; a million lines take seconds."""
    lines = [f"{key} {json.dumps(value)}" for key, value in trace.metadata.items()]
    strings = trace.strings
    if strings[: len(STRINGS)] != STRINGS:
        lines.append(f"strings-only {json.dumps(strings)}")
    elif len(strings) > len(STRINGS):
        lines.append(f"strings {json.dumps(strings[len(STRINGS) :])}")
    lines += [line(trace, index) for index in range(len(trace))]
    return "\n".join(lines) + "\n"


def line(trace: Trace, index: int) -> str:
    """One event as text."""
    kind = int(trace.kind[index])
    event = KINDS.get(kind)
    where = " ".join(
        f"{LETTERS[what]}{value}" if value >= 0 else "-"
        for what, value in (("p", trace.p[index]), ("m", trace.m[index]), ("g", trace.g[index]))
    )
    parts = [f"{trace.ts[index]} {where} {event.name if event else kind}"]
    for arg, fallback, value in (
        (event.a if event else Arg(), "a", int(trace.a[index])),
        (event.b if event else Arg(), "b", int(trace.b[index])),
    ):
        if value != -1:
            parts.append(f"{arg.name or fallback}={show(trace, arg.kind, value)}")
    return " ".join(parts)


def show(trace: Trace, kind: str, value: int) -> str:
    if kind in LETTERS and value >= 0:
        return f"{LETTERS[kind]}{value}"
    if kind == "string" and 0 <= value < len(trace.strings):
        text = trace.strings[value]
        if "first" not in trace.derived:
            trace.derived["first"] = numbered(trace.strings)
        if trace.derived["first"][text] == value:  # of a text that is there twice only the first has the name
            return json.dumps(text)
    return str(value)


def numbered(strings: Sequence[str]) -> dict[str, int]:
    """The first number of each text."""
    return {text: i for i, text in reversed(list(enumerate(strings)))}


def parse(text: str) -> tuple[list[tuple[int, ...]], list[str], dict[str, Any]]:
    """Rows, string table and metadata of a text.

    Raises:
        ValueError: with the number of the line that cannot be read.
    """
    rows: list[tuple[int, ...]] = []
    strings = list(STRINGS)
    index = numbered(strings)
    metadata: dict[str, Any] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        bare = raw.strip()
        if not bare or bare.startswith("#"):
            continue
        try:
            first, _, rest = bare.partition(" ")
            if TIME.fullmatch(first):
                rows.append(parse_event(first, rest.strip(), strings, index))
            elif first in ("strings", "strings-only"):
                strings = [*(STRINGS if first == "strings" else ()), *json.loads(rest)]
                index = numbered(strings)
            else:
                metadata[first] = json.loads(rest)
        except (ValueError, KeyError, IndexError) as exc:
            raise ValueError(f"line {number}: {bare!r}: {exc}") from exc
    return rows, strings, metadata


def parse_event(time: str, rest: str, strings: list[str], index: dict[str, int]) -> tuple[int, ...]:
    tokens: list[tuple[str | None, str]] = []
    at = 0
    while at < len(rest):
        match = TOKEN.match(rest, at)
        if match is None:
            raise ValueError(f"cannot be read from {rest[at:]!r} on")
        tokens.append((match[1], match[2]))
        at = match.end()
    if len(tokens) < 4:
        raise ValueError("an event is: time p m g Name arguments")
    where = [parse_value(what, word, strings, index) for what, (_, word) in zip("pmg", tokens, strict=False)]
    name = tokens[3][1]
    if name not in NAMES and not name.isdigit():
        raise ValueError(f"no event {name}")
    event = NAMES.get(name)
    args = (event.a, event.b) if event else (Arg("a", "int"), Arg("b", "int"))
    values = [-1, -1]
    for position, (label, word) in enumerate(tokens[4:]):
        if label:
            names = [(args[0].name or "a"), (args[1].name or "b")]
            if label[:-1] not in names:
                raise ValueError(f"{name} has no argument {label[:-1]}")
            position = names.index(label[:-1])
        elif position > 1 or not args[position].kind:
            raise ValueError(f"{name} has fewer arguments")
        values[position] = parse_value(args[position].kind, word, strings, index)
    return (parse_time(time), event.code if event else int(name), *where, *values)


def parse_time(word: str) -> int:
    match = TIME.fullmatch(word)
    if match is None:
        raise ValueError(f"no time: {word}")
    unit = UNITS[match[3]]
    value = int(match[1]) * unit
    if match[2]:
        part = int(match[2]) * unit // 10 ** len(match[2])
        value += -part if word.startswith("-") else part
    return value


def parse_value(kind: str, word: str, strings: list[str], index: dict[str, int]) -> int:
    if word == "-":
        return -1
    if kind == "string" and word.startswith('"'):
        text = json.loads(word)
        if text not in index:
            index[text] = len(strings)
            strings.append(text)
        return index[text]
    if kind in LETTERS and word.startswith(LETTERS[kind]):
        return int(word[1:])
    if kind == "ns":
        return parse_time(word)
    if kind in LETTERS and int(word) >= 0:
        raise ValueError(f"{word} should be {LETTERS[kind]}{word}")
    return int(word)
