"""The frequent half of a pen: what is recorded when a G is made, made ready, started, left; see `pen.py` for the rules.

All is written out here, since each call costs a twentieth of a switch: kinds as numbers, the look whether the chunk is
full; the two most frequent records even in `PinnedM.leave`. `row`, `simple` and `bare` are for what is seldom.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .. import status as st
from . import events as ev
from .events import CALLED, ENDED, STOPPED, STRINGS

if TYPE_CHECKING:
    from .record import Recorder

__all__ = [
    "IO_SWITCH",
    "KIND_BITS",
    "NETPOLL",
    "N_BITS",
    "POLLED",
    "P_BITS",
    "TEXT",
    "WIDTH",
    "Chunk",
    "HotPen",
    "Stream",
]

TEXT: Final = {text: index for index, text in reversed(list(enumerate(STRINGS)))}
RUNNEXT, LOCAL, NETPOLL, GOSCHED = (TEXT[word] for word in ("runnext", "local", "netpoll", "runtime.Gosched"))
READY, ABORT, OFFLOADED = (TEXT[word] for word in ("ready", "abort", st.OFFLOADED))
REASON: Final = {text: TEXT[text] for text in (*ev.REASONS, st.OFFLOADED)}

WIDTH: Final = 6  # numbers in a record
KIND_BITS: Final = 8  # of `what`; above them 1 + the P, and above that 1 + the M
P_BITS: Final = 20
N_BITS: Final = 32  # of `n`: the started G's; above them the fresh ones

# Kinds of records that are several events when read, as GoSwitch is.
POLLED: Final = 255  # GoUnblock of up to four G's, whose numbers are `g a b n`
IO_SWITCH: Final = 254  # GoSwitch of a G in IO wait; `b` is the object

#: By how many G's there are beyond a multiple of four: what makes them one.
NOBODY: Final = ((), (-1, -1, -1), (-1, -1), (-1,))

PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep

# GoSwitch.b (`pack_switch`), as far as it never varies.
YIELD: Final = STOPPED | LOCAL << 2 | GOSCHED << 8
IO_WAIT: Final = st.IO_WAIT
BLOCKS: Final = {reason: LOCAL << 2 | number << 8 for reason, number in REASON.items()}


class Chunk:
    """Records that nobody writes to any more, as `marshal` packs a list: struct.pack takes half as long again.

    No named tuple: those are made in a frame without builtins, where greenlet, which is told of threads that have ended
    at any bytecode, finds no `__import__` and complains.
    """

    __slots__ = ("first", "last", "n", "packed")

    def __init__(self, packed: bytes, n: int, first: int, last: int) -> None:
        self.packed = packed
        self.n = n
        self.first = first  # the time of its first record
        self.last = last


class Stream:
    """What one M has written: packed chunks, and the list that it writes to. `skip` rows have been dropped."""

    __slots__ = ("chunks", "owes", "rolls", "rows", "skip")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.chunks: list[Chunk] = []
        self.skip = 0
        self.rolls = False  # it is being packed
        self.owes = 0  # not 0: what happens from this time on may be seen before it is written here


class HotPen:
    """Every method records one event, or several that happen together."""

    __slots__ = (
        "alone",
        "by",
        "calm",
        "cause",
        "full",
        "here",
        "io_waits",
        "last_next",
        "leaving",
        "m",
        "now",
        "owner",
        "put",
        "queue",
        "rows",
        "sites",
        "spinning",
        "started",
        "starts",
        "stream",
        "switches",
        "unblocks",
        "why",
    )

    def __init__(self, owner: Recorder, mid: int, now: Callable[[], int], stream: Stream) -> None:
        self.owner = owner
        self.m = mid
        self.now = now
        self.stream = stream
        self.rows = stream.rows
        self.put = stream.rows.extend
        self.full = owner.chunk  # how many numbers make a chunk
        self.sites = owner.sites
        self.alone = mid + 1 << KIND_BITS + P_BITS  # `what` without P and kind
        # With the P that was acquired last.
        self.here = self.switches = self.io_waits = self.starts = self.unblocks = self.alone
        self.by = -1  # the M that started this one
        self.last_next = 0  # pp.nexttick at the last start: if it moves, the next one came out of runnext
        self.queue = 0  # where the next G to start comes from, if somebody knows better
        self.cause = READY  # who makes G's ready on g0
        self.why = 0  # 0, or why a running G stops
        self.calm = False  # all that is queued has begun, nothing was queued since the last switch, no sites are wanted
        self.started = -1  # the length that was told last, if no fresh G was queued: then only we change it
        self.leaving = False  # a G leaves `blocking` without a P
        self.spinning = False

    def row(self, ts: int, kind: int, p: int, g: int, a: int, b: int) -> None:
        """Write one record."""
        self.put((ts, self.alone | p + 1 << KIND_BITS | kind, g, a, b, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    # G's.

    def create(self, mp: Any, gp: Any) -> None:
        """GoCreate, before the G is queued."""
        self.calm = False
        g = mp.curg
        code = getattr(gp.fn, "__code__", None)
        name = self.owner.names.get(code)
        if name is None or gp._name is not None:
            name = self.owner.name_of(gp, code)
        what = (self.alone if mp.p is None else self.here) | 1
        self.put((self.now(), what, -1 if g is None else g.id, gp.id, name, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)
        if self.sites and gp.site is not None:
            self.site(mp, gp, gp.site, gp.site_lasti)
        if self.owner.tasked is not None:
            self.in_task(mp, gp)

    def in_task(self, mp: Any, gp: Any) -> None:
        """GoTask, if the new G belongs to one."""
        task = -1 if gp.context is None else gp.context.get(self.owner.tasked, -1)
        if task >= 0:
            self.row(self.now(), ev.GoTask, -1 if mp.p is None else mp.p.id, -1, gp.id, task)

    def site(self, mp: Any, gp: Any, code: Any, lasti: int) -> None:
        """GoSite: a place in the program, created or blocking there."""
        pp, where = mp.p, self.owner.place(code, lasti)
        self.row(self.now(), ev.GoSite, -1 if pp is None else pp.id, -1, gp.id, where)

    def blocks_at(self, mp: Any, gp: Any) -> None:
        """GoSite of a G that is about to block: its innermost frame outside of this package."""
        frame = getattr(gp.stack, "gr_frame", None) or sys._getframe(1)  # it is left already, or still runs
        while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        self.site(mp, gp, frame.f_code, frame.f_lasti)

    def queued(self, mp: Any) -> None:
        """RunqLen of the P that `mp` holds."""
        pp = mp.p
        if pp is not None:
            self.length(mp, pp, self.now())

    def length(self, mp: Any, pp: Any, now: int) -> None:
        vm = pp.m
        started = 0 if vm is None else len(vm.lq) + len(vm.gq) + (vm.next is not None)
        self.row(now, ev.RunqLen, pp.id, -1, len(pp.ring) + len(pp.runnext), started)
        rec = None if vm is None else vm.rec
        if rec is not None:
            rec.started = -1

    def switch(self, mp: Any, pp: Any, gp: Any, nxt: Any) -> None:
        """GoSwitch: `gp` has been left, `nxt` runs. A dead `gp` has ended. RunqLen, if it has changed.

        While it is calm nobody looks whether the chunk is full: each 61st switch is not. What `PinnedM.leave` writes
        itself, while it is calm, does not come here: yields, and waits for the network.
        """
        status = gp.atomicstatus
        if self.calm and status == 4 and self.started > 0:  # waiting
            self.started = n = self.started - 1
            word = BLOCKS[gp.waitreason]
            c = getattr(gp.waiting, "c", None)
            if c is not None:
                word |= getattr(c, "seq", -1) + 1 << 24
            self.put((self.now(), self.switches, gp.id, nxt.id, word, n))
            return
        queue = self.queue
        if queue:
            self.queue = 0
        else:
            tick = pp.nexttick
            queue = LOCAL if tick == self.last_next else RUNNEXT
            self.last_next = tick
        if status == 4:
            if self.sites:
                self.blocks_at(mp, gp)
            word = queue << 2 | REASON[gp.waitreason] << 8
            c = getattr(gp.waiting, "c", None)
            if c is not None:
                word |= getattr(c, "seq", -1) + 1 << 24
        elif status == 1:
            word = STOPPED | queue << 2 | (self.why or GOSCHED) << 8
            self.why = 0
        elif status == 3:  # syscall
            word = CALLED | queue << 2 | OFFLOADED << 8
        else:
            word = ENDED | queue << 2
        self.put((self.now(), self.switches, gp.id, nxt.id, word, self.lengths(mp, pp)))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def lengths(self, mp: Any, pp: Any) -> int:
        """The `n` of a record in which a G starts: -1 if nothing has changed."""
        n = len(mp.lq) + len(mp.gq) + (mp.next is not None)
        fresh = len(pp.ring) + len(pp.runnext)
        if fresh:
            self.calm = False
            self.started = -1
            return fresh << N_BITS | n
        self.calm = mp.next is None and not self.sites
        if n == self.started:
            return -1
        self.started = n
        return n

    def left(self, mp: Any, gp: Any) -> None:
        """`gp` has been left for g0: GoBlock, GoStop, GoSyscallBegin, or the end of a call in place."""
        status = gp.atomicstatus
        a, b = -1, -1
        if status == 4:  # waiting
            if self.sites:
                self.blocks_at(mp, gp)
            kind, a = 5, REASON[gp.waitreason]
            b = getattr(getattr(gp.waiting, "c", None), "seq", -1)
        elif self.leaving:
            self.leaving = False
            kind = ev.GoSyscallEndBlocked
        elif status == st.GRUNNABLE:
            kind, a = ev.GoStop, self.why or GOSCHED
            self.why = 0
        else:
            kind, a = ev.GoSyscallBegin, OFFLOADED
        self.put((self.now(), (self.alone if mp.p is None else self.here) | kind, gp.id, a, b, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def start(self, mp: Any, gp: Any) -> None:
        """GoStart, on g0; RunqLen, if it has changed."""
        pp = mp.p
        queue = self.queue
        if queue:
            self.queue = 0
        elif pp.nexttick != self.last_next:
            queue = RUNNEXT
        else:
            queue = LOCAL
        self.last_next = pp.nexttick
        self.put((self.now(), self.starts, gp.id, queue, -1, self.lengths(mp, pp)))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def end(self, mp: Any, gp: Any) -> None:
        """GoEnd, where nothing follows at once."""
        self.put((self.now(), (self.alone if mp.p is None else self.here) | ev.GoEnd, gp.id, -1, -1, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def unblock(self, mp: Any, gp: Any) -> None:
        """GoUnblock, before the G is queued."""
        self.calm = False
        g = mp.curg
        if gp.wake_exc is not None:
            how = ABORT
        else:
            how = READY if g is not None else self.cause
        what = self.alone | 6 if mp.p is None else self.unblocks
        self.put((self.now(), what, -1 if g is None else g.id, gp.id, how, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def polled(self, mp: Any, gps: list[Any]) -> None:
        """GoUnblock of the G's whose I/O one look at the poller has found ready, and NetpollReady. On g0.

        They are queued already; but they are this M's own, so nobody can have taken them.
        """
        self.calm = False
        put, now = self.put, mp.polled
        here = self.alone if mp.p is None else self.here
        head = (now, here | POLLED)
        ids = [gp.id for gp in gps]
        ids += NOBODY[len(ids) & 3]
        each = iter(ids)
        for four in zip(each, each, each, each, strict=False):
            put(head + four)
        put((now, here | ev.NetpollReady, -1, len(gps), -1, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def simple(self, mp: Any, kind: int, a: int, b: int) -> None:
        """One event of the current G and P."""
        g = mp.curg
        what = (self.alone if mp.p is None else self.here) | kind
        self.put((self.now(), what, -1 if g is None else g.id, a, b, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def bare(self, kind: int, a: int = -1, b: int = -1, p: int = -1) -> None:
        """One event of this M alone, or with a P."""
        self.put((self.now(), self.alone | p + 1 << KIND_BITS | kind, -1, a, b, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)
