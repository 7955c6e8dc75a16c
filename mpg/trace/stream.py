"""What a pen writes, as it lies in memory until it is read (`unfold.py`).

* `rows`, six numbers a record: `ts what g a b n`. `what` is kind, P and M in one number, for the frequent kinds made
  once for each P that an M gets. An `n` of 0 or more says RunqLen besides: how many G's are queued then.
* `loose`, what some records refer to. Each such record tells up to where `loose` belongs to it, `end`, so that a record
  that is written twice does no harm. (`loose` begins anew with each chunk.)

| kind | record | its part of `loose` | becomes |
|---|---|---|---|
| POLLED | `ts what -1 k end -1` | `k` G's | GoUnblock of each, NetpollReady |
| BATCH | the same | `k` G's, then what each waits for | the same; and the G's will run in this order |
| ROTATION | the same | `k` G's | nothing; but they will run in this order, over and over, and the first does |
| STAMPS | `0 kind -1 end -1 -1` | times | at each of them, the next in that order runs: GoSwitch |

So the most frequent records are one number each: of a batch, a G waits for the same thing again (and a RunqLen tells of
that); in a rotation, it yields. A batch may go through other records in between. An M's stamps whose STAMPS is not yet
written are what is left over at the end.
"""

from __future__ import annotations

from array import array
from marshal import dumps
from typing import Final

from .. import status as st
from . import events as ev
from .events import STOPPED, STRINGS

__all__ = [
    "BATCH",
    "BLOCKS",
    "KIND_BITS",
    "N_BITS",
    "POLLED",
    "P_BITS",
    "REASON",
    "ROTATION",
    "STAMPS",
    "TEXT",
    "WIDTH",
    "YIELD",
    "Chunk",
    "Stream",
]

TEXT: Final = {text: index for index, text in reversed(list(enumerate(STRINGS)))}
REASON: Final = {text: TEXT[text] for text in (*ev.REASONS, st.OFFLOADED)}
#: GoSwitch.b of a G that blocks (`pack_switch`), as far as it never varies; and of one that yields.
BLOCKS: Final = {reason: TEXT["local"] << 2 | number << 8 for reason, number in REASON.items()}
YIELD: Final = STOPPED | TEXT["local"] << 2 | TEXT["runtime.Gosched"] << 8

WIDTH: Final = 6  # numbers in a record
KIND_BITS: Final = 8  # of `what`; above them 1 + the P, and above that 1 + the M
P_BITS: Final = 20
N_BITS: Final = 32  # of `n`: the started G's; above them the fresh ones

# Kinds of records alone.
ROTATION: Final = 252
STAMPS: Final = 253
BATCH: Final = 254
POLLED: Final = 255


class Stream:
    """What one M has written: packed chunks, and the lists that it writes to. `skip` records have been dropped."""

    __slots__ = ("chunks", "empty", "loose", "owes", "rolls", "rows", "skip")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.loose: list[int] = []
        self.empty = 0  # how many in both lists do not become records
        self.chunks: list[Chunk] = []
        self.skip = 0
        self.rolls = False  # it is being packed, or must not be
        self.owes = 0  # not 0: what happens from this time on may be seen before it is written here


class Chunk:
    """Records that nobody writes to any more, packed by what is quickest: struct.pack takes twice as long."""

    __slots__ = ("first", "last", "loose", "n", "rows")

    def __init__(self, rows: list[int], loose: list[int], empty: int) -> None:
        self.rows = dumps(rows, 1)
        self.loose = array("q", loose)  # a little slower than `marshal`, but already what numpy wants
        self.n = len(rows) // WIDTH + len(loose) - empty  # records, unfolded
        self.first = rows[0]  # the time of its first record
        self.last = rows[-WIDTH]
