"""`Trace`: seven integer columns, a string table and metadata. It never changes after it was made.

* The columns are int64 arrays that cannot be written to; -1 is none. Row order is causal order (`events.py`).
* A `GoSwitch` is expanded into its two halves on the way in, so no reader meets one.
* `metadata` says what the numbers cannot: "world", "clock" ("virtual" or "monotonic"), "procs", "gil"; of a run
  "python", "platform", "switch_interval", "cpus", "pid", "threads" (the system's numbers, by M), "started" and
  "started_ns" (one moment on the wall clock and on that of the events); of a simulation "seed", "like", "costs" and
  "policy".
  "unfinished" is set on what was recorded so far, and if the world of a simulation broke.
  "partial" is set on what `filter` returns: such a trace may begin in the middle of things.
* It can be pickled, to cross from one process to another together with the result or exception that carries it.

Rejected: one structured array as the store (it compresses to half as much again, and each operation on a column
strides over the other six).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from os import PathLike
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .events import COLUMNS, EVENTS, KINDS, NAMES, STRINGS
from .unfold import expand

__all__ = ["DTYPE", "Trace", "load"]

Ints = npt.NDArray[np.int64]
DTYPE: Final = np.dtype([(name, np.int64) for name in COLUMNS])


class Trace:
    """What happened, in order.

    Attributes:
        ts, kind, p, m, g, a, b: the columns.
        strings: the texts that arguments of kind "string" point into.
        metadata: read-only mapping of str to what JSON can hold.
    """

    __slots__ = ("_events", "a", "b", "derived", "g", "kind", "m", "metadata", "p", "strings", "ts")

    def __init__(
        self,
        ts: npt.ArrayLike,
        kind: npt.ArrayLike,
        p: npt.ArrayLike,
        m: npt.ArrayLike,
        g: npt.ArrayLike,
        a: npt.ArrayLike,
        b: npt.ArrayLike,
        *,
        strings: Iterable[str] = STRINGS,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        columns = [
            column(name, values) for name, values in zip(COLUMNS, (ts, kind, p, m, g, a, b), strict=True)
        ]
        if len({len(values) for values in columns}) != 1:
            raise ValueError(f"columns of different lengths: {[len(values) for values in columns]}")
        columns = expand(columns)
        for values in columns:
            values.setflags(write=False)
        self.ts, self.kind, self.p, self.m, self.g, self.a, self.b = columns
        self.strings = tuple(strings)
        self.metadata: Mapping[str, Any] = MappingProxyType(dict(metadata or {}))
        self.derived: dict[str, Any] = {}  # what derive.py has already worked out
        self._events: npt.NDArray[np.void] | None = None

    @classmethod
    def from_records(
        cls,
        records: Iterable[tuple[int, ...]],
        strings: Iterable[str] = STRINGS,
        metadata: Mapping[str, Any] | None = None,
    ) -> Trace:
        """From rows `(ts, kind, p, m, g, a, b)`."""
        rows = np.array(records if isinstance(records, list) else list(records), np.int64).reshape(-1, 7)
        return cls(*(rows[:, i] for i in range(7)), strings=strings, metadata=metadata)

    @classmethod
    def from_text(cls, text: str) -> Trace:
        """From the format that `text.py` describes."""
        from .text import parse

        records, strings, metadata = parse(text)
        return cls.from_records(records, strings, metadata)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Trace:
        """From a file that `save` wrote.

        Raises:
            InvalidTrace: it is damaged, something else, or of a version this program does not know.
        """
        from . import npz

        columns, strings, metadata = npz.read(path)
        return cls(*columns, strings=strings, metadata=metadata)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a compressed .npz file, by the name given."""
        from . import npz

        npz.write(path, [getattr(self, name) for name in COLUMNS], self.strings, self.metadata)

    def __reduce__(self) -> tuple[Any, ...]:
        """Columns, strings and metadata; what was derived from them is not sent."""
        columns = [getattr(self, name) for name in COLUMNS]
        return rebuilt, (columns, self.strings, dict(self.metadata))

    def digest(self) -> str:
        """sha256 over the columns, 8 bytes a number, and the strings, each after its length; nothing else."""
        sha = hashlib.sha256()
        for name in COLUMNS:
            sha.update(getattr(self, name).astype("<i8", copy=False).data)
        for text in self.strings:
            data = text.encode("utf-8", "surrogatepass")
            sha.update(len(data).to_bytes(8, "little") + data)
        return sha.hexdigest()

    @property
    def events(self) -> npt.NDArray[np.void]:
        """The rows as one structured array; a copy, made once."""
        if self._events is None:
            out = np.empty(len(self), DTYPE)
            for name in COLUMNS:
                out[name] = getattr(self, name)
            out.setflags(write=False)
            self._events = out
        return self._events

    @property
    def names(self) -> list[str]:
        """The name of each event; for tests and loops over few."""
        return [KINDS[code].name if code in KINDS else str(code) for code in self.kind.tolist()]

    def __len__(self) -> int:
        return len(self.ts)

    def string(self, index: int) -> str:
        """The text that an argument points to; empty for -1."""
        return self.strings[index] if 0 <= index < len(self.strings) else ""

    def filter(
        self,
        *,
        t0: int | None = None,
        t1: int | None = None,
        g: int | None = None,
        p: int | None = None,
        m: int | None = None,
        kind: str | int | Iterable[str | int] | None = None,
    ) -> Trace:
        """The events with t0 <= ts < t1 of these kinds that happen to, or name, this G, P and M.

        Args:
            t0, t1: ns on the trace's own clock, as in `ts`; not seconds from its start.
            g, p, m: numbers.
            kind: the name or code of an event, or several.

        Raises:
            ValueError: there is no event of that kind.
            TypeError: a time or a number that is no int.
        """
        for name, value in (("t0, in ns,", t0), ("t1, in ns,", t1), ("g", g), ("p", p), ("m", m)):
            if value is not None and not isinstance(value, int | np.integer):
                raise TypeError(f"{name} is an int, not {value!r}")
        keep = np.ones(len(self), bool)
        if t0 is not None:
            keep &= self.ts >= t0
        if t1 is not None:
            keep &= self.ts < t1
        for what, wanted in (("g", g), ("p", p), ("m", m)):
            if wanted is not None:
                keep &= self.mentions(what, wanted)
        if kind is not None:
            kinds = [kind] if isinstance(kind, str | int) else list(kind)
            unknown = [
                one for one in kinds if (one not in NAMES if isinstance(one, str) else one not in KINDS)
            ]
            if unknown:
                raise ValueError(
                    f"there is no event {', '.join(map(repr, unknown))}: mpg.trace.EVENTS has them all"
                )
            codes = [NAMES[one].code if isinstance(one, str) else one for one in kinds]
            keep &= np.isin(self.kind, codes)
        columns = [getattr(self, name)[keep] for name in COLUMNS]
        return Trace(*columns, strings=self.strings, metadata={**self.metadata, "partial": True})

    def mentions(self, what: str, wanted: int) -> npt.NDArray[np.bool_]:
        """Which rows have this "g", "p" or "m" in their column or in an argument."""
        found: npt.NDArray[np.bool_] = getattr(self, what) == wanted
        for name in ("a", "b"):
            codes = [event.code for event in EVENTS if getattr(event, name).kind == what]
            found = found | (np.isin(self.kind, codes) & (getattr(self, name) == wanted))
        return found

    def validate(self) -> None:
        """Check every rule of `validate.py`.

        Raises:
            InvalidTrace: with the first event that breaks one.
        """
        from .validate import validate

        validate(self)

    def to_text(self) -> str:
        """One event per line, as `text.py` describes."""
        from .text import to_text

        return to_text(self)

    def story(self, g: int) -> str:
        """The life of one G in sentences, a line for each event."""
        from .story import story

        return story(self, g)

    def summary(self) -> str:
        """A page about the whole trace."""
        from .summary import summary

        return summary(self)

    def to_chrome(self, path: str | PathLike[str], *, wakes: bool = False) -> None:
        """Write Chrome's trace format, for ui.perfetto.dev: `.json` or `.json.gz`; `wakes`: an arrow per wake-up."""
        from .chrome import to_chrome

        to_chrome(self, path, wakes=wakes)

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write one self-contained page: a timeline to zoom, search and click on. Needs no network."""
        from .html import to_html

        to_html(self, path)

    def _repr_html_(self) -> str | None:
        from .html import html_repr

        return html_repr(self)

    def __repr__(self) -> str:
        span = int(self.ts[-1] - self.ts[0]) if len(self) else 0
        return f"<Trace {len(self)} events, {span / 1e6:.3f} ms>"


load = Trace.load


def rebuilt(columns: list[Ints], strings: tuple[str, ...], metadata: dict[str, Any]) -> Trace:
    """A trace that comes from another process."""
    return Trace(*columns, strings=strings, metadata=metadata)


def column(name: str, values: npt.ArrayLike) -> Ints:
    """A contiguous int64 copy, or the same array if nobody can write to it."""
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"column {name} must be a row of integers, not {array.dtype} of shape {array.shape}")
    if array.dtype == np.int64 and array.flags.c_contiguous and not array.flags.writeable:
        return array
    return np.array(array, np.int64)
