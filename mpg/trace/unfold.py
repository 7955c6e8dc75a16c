"""Reading what a pen wrote: each number that a record refers to becomes a record of its own (see `stream.py`).

Records are read as six columns, an array of six rows.
"""

from __future__ import annotations

from marshal import loads
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .stream import BATCH, BLOCKS, KIND_BITS, STAMPS, TEXT, WIDTH, Chunk, Stream

__all__ = ["kinds", "packed", "unfold", "written"]

Ints = npt.NDArray[np.int64]

KIND = (1 << KIND_BITS) - 1


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
    ends = np.where(of_poll, records[4], np.where(kind == STAMPS, records[3], 0))
    if not len(numbers) and not ends.any():
        return records
    ends = np.maximum.accumulate(ends)
    if len(ends) and ends[-1] > len(numbers):
        return unfold(rows[: WIDTH * int(np.argmax(ends > len(numbers)))], loose)
    if len(numbers) > ends.max(initial=0):  # stamps that nothing tells of yet
        return unfold([*rows, 0, STAMPS, -1, len(numbers), -1, -1], loose)

    # Each row behind what becomes of its numbers; of STAMPS there is nothing else.
    of_stamps = kind == STAMPS
    start = np.concatenate([[0], ends[:-1]])
    count = np.where(of_poll, records[3], ends - start)
    times = count + ~of_stamps
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
        begun = np.repeat(of_stamps | (kind == ev.GoStart) | (kind == ev.GoSwitch), times)
        begun = np.cumsum(begun)
        batches = np.flatnonzero(kind == BATCH)
        batch = batches[np.searchsorted(batches, row[at]) - 1]
        k = records[3, batch]
        place = begun[at] - begun[end[batch] - 1] - 2  # in the batch, of the G that waits
        g = start[batch] + place
        out[0, at] = numbers[number[at]]
        out[1, at] = records[1, batch] + (ev.GoSwitch - BATCH)
        out[2, at], out[3, at] = numbers[g], numbers[g + 1]
        out[4, at] = BLOCKS[st.IO_WAIT] | numbers[g + k] + 1 << 24
        out[5, at] = k - 2 - place
    return out
