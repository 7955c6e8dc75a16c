"""What a pen need not write, because it was to be expected: the part of it that `HotPen` builds on.

Where the queue tells who will run next, and why the G before it will stop, the time is all that is left to record: one
number in place of six. `foretold` is that reason for a G to stop, or None; `PinnedM.leave` compares.

* *A batch* (`polled`, IO_WAIT): a look at the poller has made some G's ready, and nothing else is queued. They run in
  this order, and most of them soon wait for the same thing again.
* *A rotation* (`rotate`, GOSCHED): all that is queued has begun, and a second yield follows the first with nothing in
  between. They go on to take turns.

Whoever changes the queues, or the order in which they are served, says so by `foretold = None`. A batch outlives all
that leaves the order as it is; a rotation nothing but records of the G that runs.

A finalizer or a signal handler may come in between any two steps here, and queue or record something. So `foretold` is
set before the queues are looked at, and what it takes back stays taken back; what belongs together is written while the
chunk cannot be packed; and a record that tells of stamps does no harm if another has told of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ..status import GOSCHED, IO_WAIT
from .stream import BATCH, KIND_BITS, P_BITS, POLLED, ROTATION, STAMPS, WIDTH, Stream

if TYPE_CHECKING:
    from .record import Recorder

__all__ = ["Foretelling"]

MOST: Final = (
    100  # G's in a rotation: it is written down anew after 61 yields, if the global side is not the only one
)


class Foretelling:
    """One M's stream, and what is foretold about it."""

    __slots__ = (
        "alone",
        "calm",
        "foretold",
        "full",
        "here",
        "loose",
        "now",
        "owner",
        "put",
        "rows",
        "sites",
        "stamp",
        "stream",
        "told",
    )

    def __init__(self, owner: Recorder, mid: int, now: Callable[[], int], stream: Stream) -> None:
        self.owner = owner
        self.now = now
        self.stream = stream
        self.rows = stream.rows
        self.loose = stream.loose
        self.put: Callable[[tuple[int, ...]], None] = stream.rows.extend
        self.full = owner.chunk  # how many numbers make a chunk
        self.sites = owner.sites
        self.alone = mid + 1 << KIND_BITS + P_BITS  # `what` without P and kind
        self.here = self.alone  # with the P that was acquired last
        self.calm = False  # all that is queued has begun, nothing was queued since the last switch, no sites are wanted
        self.foretold: str | None = None
        self.stamp: Callable[[int], None] = stream.loose.append
        self.told = 0  # how many loose numbers some record has told of

    def is_full(self) -> bool:
        """Is the chunk full? Most loose numbers are a record each."""
        return len(self.rows) + WIDTH * len(self.loose) >= self.full

    def roll(self) -> None:
        """The chunk is full. What a foretold order says is in one chunk, so it ends here."""
        self.foretold = None
        self.put = self.rows.extend
        self.told = 0
        self.owner.roll(self.stream)

    def polled(self, mp: Any, gps: list[Any]) -> None:
        """GoUnblock of the G's whose I/O one look at the poller has found ready, and NetpollReady. On g0.

        They are queued already; but they are this M's own, so nobody can have taken them.
        """
        if self.is_full():
            self.roll()
        n = len(gps)
        self.calm = False
        self.foretold = IO_WAIT
        if n == 1 or not self.are_all(mp, n):
            self.foretold = None
        what = self.alone if mp.p is None else self.here
        numbers = [gp.id for gp in gps]
        if self.foretold is None:
            self.put_before(mp.polled, what | POLLED, n, numbers, 0)
        else:
            numbers += [gp.waiting.seq for gp in gps]
            self.put_before(mp.polled, what | BATCH, n, numbers, n)

    def are_all(self, mp: Any, n: int) -> bool:
        """Are the `n` G's that have just been queued all there is to run, in this order?"""
        pp = mp.p
        if pp is None or pp.ring or pp.runnext or mp.gq or mp.next is not None or len(mp.lq) != n:
            return False
        return mp.fifo and not self.sites and not self.owner.shared

    def rotate(self, mp: Any, gp: Any) -> None:
        """`gp` runs, and it is calm: they will take turns."""
        if self.owner.shared or len(mp.lq) + len(mp.gq) >= MOST:
            return
        if self.is_full():
            self.roll()
        self.foretold = GOSCHED
        if not self.calm:
            self.foretold = None
            return
        self.calm = False
        numbers = [gp.id, *[gp.id for gp in mp.lq], *[gp.id for gp in mp.gq]]
        self.put_before(self.now(), self.here | ROTATION, len(numbers), numbers, 1 + len(numbers))

    def fair(self, mp: Any) -> None:
        """The global side is served first, this once: out of turn for a rotation, if there is a local side as well.

        (A batch is all local. If there is a global queue besides, `take_global` says so.)
        """
        self.calm = False
        if self.foretold is GOSCHED and (mp.lq or self.is_full()):
            self.foretold = None

    def put_before(self, ts: int, what: int, n: int, numbers: list[int], empty: int) -> None:
        """Write a record, then the numbers it tells of: who looks in between finds the record without them.

        `empty` of both do not become records.
        """
        stream = self.stream
        stream.rolls = True
        told = len(self.loose) + len(numbers)
        stream.empty += empty
        self.put((ts, what, -1, n, told, -1))
        self.loose += numbers
        self.told = told
        stream.rolls = False
        if self.foretold is not None:
            self.put = self.put_after

    def put_after(self, row: tuple[int, ...]) -> None:
        """`put` while there may be stamps: they came before this row."""
        stream = self.stream
        rolls, stream.rolls = stream.rolls, True
        told = len(self.loose)
        if told != self.told:
            self.rows.extend((0, STAMPS, -1, told, -1, -1))
            self.told = told
            stream.empty += 1
        stream.rolls = rolls
        if self.foretold is None:
            self.put = self.rows.extend
        self.rows.extend(row)
