"""A trace as Chrome's JSON trace events, for ui.perfetto.dev, chrome://tracing, speedscope and Tracy.

Three processes: "1 P" with a track for each P, "2 M" with one for each M, "3 queues" with a counter for each queue.
(Roots are sorted by name, hence the digits.) A slice is what a track did from when to when: it has the name of the
G's function, because viewers choose colours by name, and "g" among its arguments. Idle P's and parked M's are gaps.

What importers do with a file is hardly written anywhere; these rules were found by trying, and the tests check them:

* A `tid` of 0 is replaced by the pid and may then collide, so tracks are numbered from 100 on, no number twice.
* `ts` and `dur` are us. Three decimals keep the ns. A time below 0 would be dropped: they count from the start.
* Slices of one track must not overlap. They may touch.
* A flow is known by id, category and name, and one that begins twice is an error: each has an id of its own.
* `s`, and `f` with bp "e", belong to the latest slice of their track, so each is written right after its end, an
  instant. An arrow leaves the *end* of a slice; only an instant is where it should be.
* Every argument of a counter becomes a track: one event for each queue.

The file is in order of time and written in pieces; before that everything is columns.

Rejected: arrows for all wake-ups unless asked for (four lines each, and a viewer follows chains: one click draws the
whole run); a track for each G (viewers cannot show ten thousand).
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from os import PathLike, fspath
from typing import IO, TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .derive import queue_lengths, spans_g, spans_m, spans_p, steals
from .lanes import RUNNING, SPINNING, SYSCALL, Ints, Rows, pick
from .marks import changeovers, clock, functions, until

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["to_chrome"]

P_PID: Final = 1
M_PID: Final = 2
QUEUE_PID: Final = 3
PROCESSES: Final = {P_PID: "1 P", M_PID: "2 M", QUEUE_PID: "3 queues"}
HUNDRED: Final = 100  # the first track
PIECE: Final = 20_000  # lines that are made at once

# What of one row comes first in the file: a slice, then the marks on it, each followed by its end of an arrow.
SLICE, MARK, OUT, MARK_TOO, IN = range(5)

WHEN: Final = '"ts":%d.%03d,'
PLACE: Final = '"pid":%d,"tid":%d,'
SLICED: Final = '{"ph":"X",' + PLACE + WHEN + '"dur":%d.%03d,"name":%s,"args":{"g":%d,"%s":%d,"left":%s}}'
SPUN: Final = '{"ph":"X",' + PLACE + WHEN + '"dur":%d.%03d,"name":"spinning","args":{"%s":%d}}'
MARKED: Final = '{"ph":"i","s":"t",' + PLACE + WHEN + '"name":"%s","args":{"%s":%d,"%s":%d}}'
STARTED: Final = '{"ph":"s",' + PLACE + WHEN + '"id":%d,"cat":"%s","name":"%s"}'
FINISHED: Final = '{"ph":"f","bp":"e",' + PLACE + WHEN + '"id":%d,"cat":"%s","name":"%s"}'
COUNTED: Final = '{"ph":"C","pid":%d,' + WHEN + '"name":"runq","args":{"%s":%d}}'

# A value for each line, texts by number, or the same for all.
Column = Ints | tuple[list[str], Ints] | int | str


class Lines(NamedTuple):
    """Lines of one form: the row of each, their rank among those of one row, template and columns."""

    row: Ints
    rank: int
    template: str
    columns: tuple[Column, ...]

    def write(self, which: Ints) -> list[str]:
        values: list[Iterable[int | str]] = []
        for column in self.columns:
            if isinstance(column, np.ndarray):
                values.append(column[which].tolist())
            elif isinstance(column, tuple):
                texts = column[0]
                values.append([texts[i] for i in column[1][which].tolist()])
            else:
                values.append(repeat(column, len(which)))
        return [self.template % each for each in zip(*values, strict=True)]


def to_chrome(trace: Trace, path: str | PathLike[str], *, wakes: bool = False) -> None:
    """Write a trace for Perfetto and its like.

    Args:
        path: ends in .json or .json.gz.
        wakes: draw an arrow from where a G was made runnable to where it ran next, too.

    Raises:
        ValueError: the path ends otherwise.
    """
    name = fspath(path)
    if not name.endswith((".json", ".json.gz")):
        raise ValueError(f"a Chrome trace is a .json or .json.gz file, not {name!r}")
    export = Export(trace, wakes)
    with opened(name) as file:
        about = {key: str(value) for key, value in trace.metadata.items()}
        file.write(f'{{"displayTimeUnit":"ns","otherData":{json.dumps(about)},"traceEvents":[\n')
        file.write(",\n".join(export.tracks()))
        for piece in export.pieces():
            file.write(",\n" + ",\n".join(piece))
        file.write("\n]}\n")


@contextmanager
def opened(name: str) -> Iterator[IO[str]]:
    """A text file to write to. No time goes into a .gz: the same trace makes the same bytes."""
    if not name.endswith(".gz"):
        with open(name, "w", encoding="ascii", newline="\n") as plain:
            yield plain
        return
    with (
        open(name, "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, 0) as packed,
        io.TextIOWrapper(packed, "ascii", newline="\n") as file,
    ):
        yield file


class Export:
    """All lines of one file, by form."""

    def __init__(self, trace: Trace, wakes: bool) -> None:
        self.trace, self.when = trace, clock(trace)
        self.ids, number = functions(trace)
        known = (number >= 0) & (number < len(trace.strings))
        self.number = np.where(known, number, len(trace.strings))
        self.forms: list[Lines] = []
        self.flows = 0
        on_p, on_m, stolen, handed = spans_p(trace), spans_m(trace), steals(trace), changeovers(trace)
        self.ps = lanes(on_p["lane"], stolen["thief"], stolen["victim"], trace.p)
        self.ms = lanes(on_m["lane"], handed["m_from"], handed["m_to"], trace.m)
        self.first = {P_PID: HUNDRED, M_PID: (int(self.ps.max(initial=0)) // HUNDRED + 2) * HUNDRED}
        self.slices(on_p, P_PID, "m")
        self.slices(on_m, M_PID, "p")
        self.queues()
        self.steals(stolen)
        self.handoffs(handed)
        if wakes:
            self.wakes()

    def tracks(self) -> Iterator[str]:
        """Names and order of processes and tracks. Some viewers sort by name, so numbers have equally many digits."""
        for pid, name in PROCESSES.items():
            yield meta("process_name", pid, 0, "name", name)
            yield meta("process_sort_index", pid, 0, "sort_index", pid)
        for letter, pid, tracks in (("P", P_PID, self.ps), ("M", M_PID, self.ms)):
            width = len(str(tracks.max(initial=0)))
            for lane in tracks.tolist():
                tid = self.first[pid] + lane
                yield meta("thread_name", pid, tid, "name", f"{letter}{lane:0{width}}")
                yield meta("thread_sort_index", pid, tid, "sort_index", lane)

    def pieces(self) -> Iterator[list[str]]:
        """All other lines, by row and rank: time never falls from row to row, so they are in its order too."""
        if not self.forms:
            return
        sizes = [len(form.row) for form in self.forms]
        form = np.repeat(np.arange(len(sizes)), sizes)
        which = np.concatenate([np.arange(size) for size in sizes])
        row = np.concatenate([form.row for form in self.forms])
        order = np.lexsort((np.repeat([form.rank for form in self.forms], sizes), row))
        for at in range(0, len(order), PIECE):
            these = order[at : at + PIECE]
            piece = np.empty(len(these), object)
            for number in np.unique(form[these]).tolist():
                mine = form[these] == number
                piece[mine] = self.forms[number].write(which[these[mine]])
            yield piece.tolist()

    def add(self, row: Ints, rank: int, template: str, *columns: Column) -> None:
        if len(row):
            self.forms.append(Lines(row, rank, template, columns))

    def at(self, pid: int, lane: Ints, row: Ints) -> tuple[Column, ...]:
        """pid, tid, ts."""
        return (pid, self.first[pid] + lane, *us(self.when[row]))

    def slices(self, spans: Rows, pid: int, other: str) -> None:
        """What P's or M's did; `other`, the letter of the place that goes into the arguments."""
        texts = [json.dumps(text) for text in (*self.trace.strings, "G")]
        calls = [json.dumps(f"{text} (call)") for text in (*self.trace.strings, "G")]
        for state in (RUNNING, SYSCALL, SPINNING):
            rows = spans[spans["state"] == state]
            row = rows["begin"]
            place = (*self.at(pid, rows["lane"], row), *us(until(self.when, rows) - self.when[row]))
            if state == SPINNING:
                self.add(row, SLICE, SPUN, *place, other, rows[other])
                continue
            name = self.number[np.searchsorted(self.ids, rows["g"])] if len(self.ids) else rows["g"]
            args = (rows["g"], other, rows[other], left(self.trace, rows["end"]))
            self.add(row, SLICE, SLICED, *place, (texts if state == RUNNING else calls, name), *args)

    def queues(self) -> None:
        """The last length of each moment, where it differs from the one before."""
        found = queue_lengths(self.trace)
        found = found[np.argsort(found["p"], kind="stable")]
        when = self.when[found["row"]]
        last = np.ones(len(found), bool)
        last[:-1] = (found["p"][1:] != found["p"][:-1]) | (when[1:] != when[:-1])
        found = found[last]
        new = np.ones(len(found), bool)
        new[1:] = (found["p"][1:] != found["p"][:-1]) | (found["n"][1:] != found["n"][:-1])
        found = found[new]
        queue, number = np.unique(found["p"], return_inverse=True)
        width = len(str(self.ps.max(initial=0)))
        names = [f"P{p:0{width}}" if p >= 0 else "global" for p in queue.tolist()]
        when = us(self.when[found["row"]])
        self.add(found["row"], MARK, COUNTED, QUEUE_PID, *when, (names, number), found["n"])

    def arrows(self, kind: str, pid: int, start: tuple[Ints, Ints], finish: tuple[Ints, Ints]) -> None:
        """From (lane, row) to (lane, row), where all four are known."""
        known = (start[0] >= 0) & (start[1] >= 0) & (finish[0] >= 0) & (finish[1] >= start[1])
        lane, row, to, then = (values[known] for values in (*start, *finish))
        ids = np.arange(len(row)) + self.flows + 1
        self.flows += len(row)
        self.add(row, OUT, STARTED, *self.at(pid, lane, row), ids, kind, kind)
        self.add(then, IN, FINISHED, *self.at(pid, to, then), ids, kind, kind)

    def marks(self, name: str, rank: int, pid: int, lane: Ints, row: Ints, *args: Column) -> None:
        """Instants, where lane and row are known."""
        known = (lane >= 0) & (row >= 0)
        args = tuple(each[known] if isinstance(each, np.ndarray) else each for each in args)
        self.add(row[known], rank, MARKED, *self.at(pid, lane[known], row[known]), name, *args)

    def steals(self, found: Rows) -> None:
        row, thief, victim, n = found["row"], found["thief"], found["victim"], found["n"]
        self.marks("is robbed", MARK, P_PID, victim, row, "by p", thief, "n", n)
        self.marks("steals", MARK_TOO, P_PID, thief, row, "from p", victim, "n", n)
        self.arrows("steal", P_PID, (victim, row), (thief, row))

    def handoffs(self, found: Rows) -> None:
        p, m_from, m_to, row, started = (found[name] for name in ("p", "m_from", "m_to", "row", "started"))
        self.marks("loses its P", MARK, M_PID, m_from, row, "p", p, "to m", m_to)
        self.marks("takes over", MARK_TOO, M_PID, m_to, started, "p", p, "from m", m_from)
        self.arrows("handoff", M_PID, (m_from, row), (m_to, started))

    def wakes(self) -> None:
        """From GoUnblock to the next GoStart of that G."""
        spans = spans_g(self.trace)
        spans = spans[(spans["state"] == st.GRUNNABLE) & (spans["end"] >= 0)]
        kind = self.trace.kind
        spans = spans[(kind[spans["begin"]] == ev.GoUnblock) & (kind[spans["end"]] == ev.GoStart)]
        row, then = spans["begin"], spans["end"]
        start, finish = self.trace.p[row], self.trace.p[then]
        self.marks("wakes", MARK, P_PID, start, row, "g", spans["lane"], "p", finish)
        self.arrows("wake", P_PID, (start, row), (finish, then))


def meta(kind: str, pid: int, tid: int, key: str, value: str | int) -> str:
    """A line of metadata. Those of a process have no track."""
    track = {"tid": tid} if tid else {}
    return json.dumps(
        {"ph": "M", "pid": pid, **track, "name": kind, "args": {key: value}}, separators=(",", ":")
    )


def us(ns: Ints) -> tuple[Ints, Ints]:
    """Whole us, and the ns beyond them."""
    return ns // 1000, ns % 1000


def lanes(*found: Ints) -> Ints:
    every = np.unique(np.concatenate(found))
    return every[every >= 0]


def left(trace: Trace, end: Ints) -> tuple[list[str], Ints]:
    """Why each slice ended, as JSON: what the G waits for, or the event's name."""
    kind, a = pick(trace.kind, end), pick(trace.a, end)
    says = np.isin(kind, (ev.GoBlock, ev.GoStop)) & (a >= 0) & (a < len(trace.strings))
    words: npt.NDArray[np.int64]
    pairs, words = np.unique(np.where(says, a + 256, kind), return_inverse=True)
    texts = [
        trace.string(word - 256)
        if word >= 256
        else ev.KINDS[word].name
        if word in ev.KINDS
        else "end of trace"
        for word in pairs.tolist()
    ]
    return [json.dumps(text) for text in texts], words
