"""Reading what a pen wrote: each number that a record refers to becomes a record of its own (see `stream.py`).

Records are read as six columns, an array of six rows; of these come the seven columns of `events.py`, in which what is
several events in one is several rows.
"""

from __future__ import annotations

from marshal import loads
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .stream import (
    BATCH,
    BLOCKS,
    KIND_BITS,
    N_BITS,
    P_BITS,
    ROTATION,
    STAMPS,
    TEXT,
    WIDTH,
    YIELD,
    Chunk,
    Stream,
)

__all__ = ["expand", "kinds", "packed", "rows_of", "unfold", "unpack", "written"]

Ints = npt.NDArray[np.int64]

KIND: Final = (1 << KIND_BITS) - 1


def kinds(records: Ints) -> Ints:
    """The kind of each record."""
    return records[1] & KIND  # type: ignore[no-any-return]


def packed(chunk: Chunk) -> Ints:
    """The records of a chunk."""
    return unfold(loads(chunk.rows), chunk.loose)


def written(stream: Stream) -> Ints:
    """The records that are in no chunk yet, while the M goes on writing.

    The loose numbers first: those of a record are added after it, so none is taken for a stamp; and a record whose
    numbers are not there yet is left out, with what follows it.
    """
    loose = stream.loose.copy()
    return unfold(stream.rows.copy(), loose)


def unfold(rows: list[int], loose: Any) -> Ints:
    """The records of both, none of a kind that only `stream.py` knows."""
    records = np.fromiter(rows, np.int64, len(rows)).reshape(-1, WIDTH).T
    numbers = np.array(loose, np.int64)
    kind = kinds(records)
    of_poll = kind >= BATCH
    of_stamps, of_rotation = kind == STAMPS, kind == ROTATION
    ends = np.where(of_poll | of_rotation, records[4], np.where(of_stamps, records[3], 0))
    if not len(numbers) and not ends.any():
        return records
    ends = np.maximum.accumulate(ends)
    if len(ends) and ends[-1] > len(numbers):
        return unfold(rows[: WIDTH * int(np.argmax(ends > len(numbers)))], loose)
    if len(numbers) > ends.max(initial=0):  # stamps that nothing tells of yet
        return unfold([*rows, 0, STAMPS, -1, len(numbers), -1, -1], loose)

    # Each row behind what becomes of its numbers; of STAMPS and ROTATION there is nothing else.
    size = np.where(of_poll | of_rotation, records[3] * np.where(kind == BATCH, 2, 1), 0)
    start = np.where(size > 0, ends - size, np.concatenate([[0], ends[:-1]]))
    count = np.where(of_poll, records[3], np.where(of_stamps, ends - start, 0))
    times = count + ~(of_stamps | of_rotation)
    row = np.repeat(np.arange(len(kind)), times)
    end = np.cumsum(times)
    number = np.arange(len(row)) - (end - times - start)[row]
    out = records[:, row]

    polls = end[of_poll] - 1
    loosely = np.repeat(of_poll, times)
    loosely[polls] = False
    woken = np.flatnonzero(loosely)
    out[1, polls] += ev.NetpollReady - kind[of_poll]
    out[4, polls] = -1
    out[1, woken] += ev.GoUnblock - kind[row[woken]]
    out[3, woken], out[4, woken] = numbers[number[woken]], TEXT["netpoll"]

    at = np.flatnonzero(np.repeat(of_stamps, times))
    if len(at):
        begins = np.repeat(of_stamps | (kind == ev.GoStart) | (kind == ev.GoSwitch), times)
        begun = np.concatenate([[0], np.cumsum(begins)])  # before each record
        orders = np.flatnonzero((kind == BATCH) | of_rotation)
        order = orders[np.searchsorted(orders, row[at]) - 1]
        k, first = records[3, order], start[order]
        turns = of_rotation[order]
        place = begun[at] - begun[end[order]] - ~turns  # in that order, of the G that stops
        stops, follows = first + place % k, first + (place + 1) % k
        thing = numbers[np.where(turns, first, stops + k)]
        out[0, at] = numbers[number[at]]
        out[1, at] = records[1, order] - kind[order] + ev.GoSwitch
        out[2, at], out[3, at] = numbers[stops], numbers[follows]
        out[4, at] = np.where(turns, YIELD, BLOCKS[st.IO_WAIT] | thing + 1 << 24)
        out[5, at] = np.where(turns, -1, k - 2 - place)
    return out


def unpack(records: Ints) -> list[Ints]:
    """The seven columns of unfolded records."""
    ts, what, g, a, b, n = records
    p, m = (what >> KIND_BITS & (1 << P_BITS) - 1) - 1, (what >> KIND_BITS + P_BITS) - 1
    return expand([ts, kinds(records), p, m, g, a, b], n)


def expand(columns: list[Ints], lengths: Ints | None = None) -> list[Ints]:
    """Every GoSwitch becomes the leaving event and a GoStart; see `pack_switch`.

    `lengths`: with each row, a number of queued G's (`stream.py`), which becomes a RunqLen behind it; or -1.
    """
    kind = columns[1]
    times = rows_of(kind, lengths)
    if len(times) == times.sum():
        return columns
    ts, kind, p, m, g, a, b = (np.repeat(values, times) for values in columns)
    behind = np.cumsum(times)
    first = (behind - times)[columns[1] == ev.GoSwitch]
    second = first + 1
    following, word = a[first], b[first]
    how = word & 3
    reason, obj = word >> 8 & 0xFFFF, (word >> 24) - 1
    kind[first] = np.array(ev.LEFT)[how]
    ended = how == 2
    a[first] = np.where(ended, -1, reason)
    b[first] = np.where(how == 0, obj, -1)
    kind[second], g[second] = ev.GoStart, following
    a[second], b[second] = word >> 2 & 63, -1
    if lengths is not None:
        said = lengths >= 0
        last, n = behind[said] - 1, lengths[said]
        kind[last], g[last] = ev.RunqLen, -1
        a[last], b[last] = n >> N_BITS, n & (1 << N_BITS) - 1
    return [ts, kind, p, m, g, a, b]


def rows_of(kind: Ints, lengths: Ints | None = None) -> Ints:
    """How many rows `expand` makes of each."""
    times = np.where(kind == ev.GoSwitch, 2, 1)
    return times if lengths is None else times + (lengths >= 0)
