"""What a full `Recorder` keeps: the newest events, and the state of everything at the moment where they begin.

* What one M writes is a `Stream`: full chunks, then the one it still writes to. (In a simulation there is one.)
* When the chunks hold more than the limit, the oldest go. All streams are cut at one moment: the rows up to there, put
  in causal order, are replayed for the state of every G, P and M, which begins the rest of the trace, after a `Dropped`
  row that counts them. So a bounded trace is complete in itself, and the validator accepts it. What is kept is not
  looked at, so that the pause for the M that drops does not grow with the limit.
* A chunk that an M still writes to is never touched by another: its old rows are skipped when read.

Rejected: generations of a second, each with the state of everything (with 100,000 G's that is most of the trace, and
who may write down the state of a G that another M runs?), dropping each M's oldest rows on their own (the rest begins
in the middle of things), a ring that is overwritten (a slot is not one store).
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .merge import among, causal_order, dense
from .stream import WIDTH as PACKED
from .stream import Stream
from .unfold import kinds, packed, rows_of, unpack, written

if TYPE_CHECKING:
    from .record import Recorder

__all__ = ["Base", "DROP", "drop_oldest", "read"]

Ints = npt.NDArray[np.int64]

DROP: Final = (
    2  # chunks at a time, a pause of some 5 ms; but as many records as state is written anew for them
)
WIDTH: Final = 7
END: Final = np.iinfo(np.int64).max
NONE: Final = np.zeros((PACKED, 0), np.int64)


class Base:
    """The state where a trace begins: rows without a time of their own, and how many events came before."""

    __slots__ = ("dropped", "rows")

    def __init__(self) -> None:
        self.rows: Ints = np.zeros((0, WIDTH), np.int64)
        self.dropped = 0


def number_objects(rec: Recorder, kind: Ints, b: Ints) -> None:
    """Give what G's block on small numbers, in the order of the trace. Under the recorder's lock."""
    blocked = np.flatnonzero((kind == ev.GoBlock) & (b >= 0))
    seqs, first, which = np.unique(b[blocked], return_index=True, return_inverse=True)
    numbers = rec.objects
    for at in np.argsort(first).tolist():
        seq = int(seqs[at])
        if seq not in numbers:
            numbers[seq] = len(numbers) + 1
    if len(seqs):
        b[blocked] = np.array([numbers[seq] for seq in seqs.tolist()])[which]


def read(rec: Recorder) -> tuple[list[Ints], int]:
    """The seven columns of all that is kept, in causal order, and how many events were dropped."""
    with rec.lock:
        last = END if rec.over or rec.shared else whole_until(rec)
        found = [records_until(stream, last) for stream in rec.streams]
        base = rec.base
        head = base.rows if base is not None else np.zeros((0, WIDTH), np.int64)
        dropped = base.dropped if base is not None else 0
    columns, order, _ = ordered(head, found, shared=rec.shared)
    columns = [values[order] for values in columns]
    with rec.lock:
        number_objects(rec, columns[1], columns[6])
    if base is not None:
        columns[0][: len(head)] = columns[0][len(head) :].min(initial=END)
    return columns, dropped


def ordered(head: Ints, found: list[Ints], *, shared: bool) -> tuple[list[Ints], Ints, Ints]:
    """All columns, their causal order, and which record each row came from (-1: the head)."""
    records = np.concatenate([NONE, *found], axis=1)
    times = rows_of(kinds(records), records[5])
    head = head.copy()
    head[:, 0] = records[0].min(initial=0)
    columns = [np.concatenate([head[:, i], values]) for i, values in enumerate(unpack(records))]
    origin = np.concatenate([np.full(len(head), -1), np.repeat(np.arange(len(times)), times)])
    whose = np.repeat(np.arange(len(found)), [part.shape[1] for part in found])
    stream = np.concatenate([np.full(len(head), -1), np.repeat(whose, times)])
    order = np.arange(len(origin)) if shared else causal_order(stream, *columns)
    return columns, order, origin


def drop_oldest(rec: Recorder) -> None:
    """Replace the oldest rows by the state that they lead to. Under the recorder's lock."""
    base = rec.base or Base()
    last = moment(rec, rec.kept - rec.limit + max(DROP * rec.chunk // PACKED, len(base.rows)))
    if not rec.shared:
        last = min(last, whole_until(rec))
    old = [records_until(stream, last) for stream in rec.streams]
    columns, order, origin = ordered(base.rows, old, shared=rec.shared)
    taken = origin[order]
    gone = len(taken) - len(base.rows)
    used = np.zeros(sum(part.shape[1] for part in old), np.bool_)
    used[taken[taken >= 0]] = True
    ends = np.cumsum([part.shape[1] for part in old])
    columns = [values[order] for values in columns]
    number_objects(rec, columns[1], columns[6])
    base = Base()
    base.dropped = gone + (rec.base.dropped if rec.base is not None else 0)
    base.rows = state_after(columns, base.dropped)
    rec.base = base
    for stream, mine in zip(rec.streams, np.split(used, ends[:-1]), strict=True):
        stream.skip += int(mine.sum())
        while stream.chunks and stream.skip >= stream.chunks[0].n:
            n = stream.chunks.pop(0).n
            rec.kept -= n
            stream.skip -= n


def moment(rec: Recorder, wanted: int) -> int:
    """A time before which about so many records were written, those that are dropped already among them."""
    chunks = [(chunk.first, chunk.n) for stream in rec.streams for chunk in stream.chunks]
    for begin, n in sorted(chunks):
        if wanted <= 0:
            return begin - (not rec.shared)  # without what begins there; in a simulation time may stand still
        wanted -= n
    return max(stream.chunks[-1].last for stream in rec.streams if stream.chunks)


def whole_until(rec: Recorder) -> int:
    """A time up to which everything is written that was seen by then; M's go on writing."""
    now = rec.now()
    return min([now, *(owes - 1 for owes in [stream.owes for stream in rec.streams] if owes)])


def records_until(stream: Stream, last: int) -> Ints:
    """The records of a stream up to this time that have not been dropped."""
    pieces = [packed(chunk) for chunk in takewhile(lambda chunk: chunk.first <= last, stream.chunks)]
    if len(pieces) == len(stream.chunks):
        pieces.append(written(stream))
    records = np.concatenate([NONE, *pieces], axis=1)[:, stream.skip :]
    return records[:, : int(np.searchsorted(np.maximum.accumulate(records[0]), last, "right"))]


def last_of(key: Ints) -> Ints:
    """The last row of each key, by key; those of -1 are left out."""
    said = np.flatnonzero(key >= 0)
    values = dense(key[said])
    last = np.full(int(values.max(initial=-1)) + 1, -1)
    last[values] = said
    return last[last >= 0]


def subjects(kind: Ints, columns: dict[str, Ints], what: str) -> tuple[Ints, Ints]:
    """Whose state each row changes, -1 if nobody's, and to what."""
    who, state = np.full(len(kind), -1), np.full(len(kind), -1)
    for event in ev.EVENTS:
        change = getattr(event, what)
        if change is not None:
            rows = np.flatnonzero(kind == event.code)
            who[rows] = columns[change.who][rows]
            state[rows] = columns["b"][rows] if change.after is None else change.after
    return who, state


def state_after(rows: list[Ints], dropped: int) -> Ints:
    """Rows that say the state of everything after these columns: Dropped, P's, M's, G's, queue lengths."""
    _, kind, p, m, g, a, b = rows
    columns = {"p": p, "m": m, "g": g, "a": a, "b": b}
    out: list[tuple[int, ...]] = [(0, ev.Dropped, -1, -1, -1, dropped, -1)]
    for row in last_of(np.where(kind == ev.ProcsChange, 0, -1)).tolist():
        out.append((0, ev.ProcsChange, -1, -1, -1, int(a[row]), -1))
    who, state = subjects(kind, columns, "p")
    holds: dict[int, int] = {}
    for row in last_of(who).tolist():
        pid, status = int(who[row]), int(state[row])
        if status != st.PDEAD:
            holder = int(m[row]) if status == st.PRUNNING else -1
            if holder >= 0:
                holds[holder] = pid
            out.append((0, ev.ProcStatus, pid, holder, -1, pid, status))
    who, state = subjects(kind, columns, "m")
    wrote = np.where(among(kind, (ev.MStatus, ev.ProcStatus, ev.GoStatus)), -1, m)
    latest = {int(m[row]): row for row in last_of(wrote).tolist()}
    for row in last_of(who).tolist():
        mid, status = int(who[row]), int(state[row])
        if status == ev.MPARKED and latest.get(mid, -1) > row:
            status = ev.MRUNNING
        if status != ev.MEXITED:
            out.append((0, ev.MStatus, -1, -1, -1, mid, status))
    out += goroutines(kind, columns, holds)
    for row in last_of(np.where(kind == ev.RunqLen, p, -1)).tolist():
        out.append((0, ev.RunqLen, int(p[row]), -1, -1, int(a[row]), int(b[row])))
    for row in last_of(np.where(kind == ev.GlobqLen, 0, -1)).tolist():
        out.append((0, ev.GlobqLen, -1, -1, -1, int(a[row]), -1))
    return np.array(out, np.int64)


def goroutines(kind: Ints, columns: dict[str, Ints], holds: dict[int, int]) -> list[tuple[int, ...]]:
    """GoStatus, GoName and GoTask of each G that is alive; one whose call is on a spare M has no M."""
    m, a, b = (columns[name] for name in "mab")
    who, state = subjects(kind, columns, "g")
    named = np.where(among(kind, (ev.GoCreate, ev.GoName)), a, -1)
    names = {int(a[row]): int(b[row]) for row in last_of(named).tolist()}
    given = np.where(kind == ev.GoTask, a, -1)
    tasks = {int(a[row]): int(b[row]) for row in last_of(given).tolist()}
    offloaded = ev.STRINGS.index(st.OFFLOADED)
    out: list[tuple[int, ...]] = []
    for row in last_of(who).tolist():
        gid, status = int(who[row]), int(state[row])
        if status == st.GDEAD:
            continue
        pid, mid = -1, -1
        here = status == st.GRUNNING or (
            status == st.GSYSCALL and not (kind[row] == ev.GoSyscallBegin and a[row] == offloaded)
        )
        if here:
            mid = int(m[row])
            pid = holds.get(mid, -1)
        out.append((0, ev.GoStatus, pid, mid, -1, gid, status))
        if gid in names:
            out.append((0, ev.GoName, -1, -1, -1, gid, names[gid]))
        if gid in tasks:
            out.append((0, ev.GoTask, -1, -1, -1, gid, tasks[gid]))
    return out
