"""Pens: what the scheduler calls at each event.

Every M has a `Pen` in its `rec` slot, or None: that one read and one branch is all that a run without a recorder
pays. A Pen packs plain ints into a chunk of bytes that only its M writes, so there is no lock and no formatting;
seven ints are a record (`events.py`). In a simulation, where one M runs at a time, all Pens share one chunk, so
it is in causal order by itself; what real M's wrote is put in order when it is read (`merge.py`).

The order that `merge` relies on: an event that gives something away (a G made ready, a P released) is recorded
*before* it can be taken, one that takes something, *after* it is ours. So causes come first on the clock, except
where a park becomes visible before its switch is recorded.

A recording ends on each M where the end of the run does: the unwinding of G's that are still alive is not in it.

Rejected: objects or dicts as records (three times the time, and the garbage collector walks them), a flat list of ints
(an int object for each number), one chunk for all threads (a lock, or contention, on every switch), writing to the
file at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from .. import status as st
from . import events as ev
from .events import CALLED, ENDED, STOPPED, STRINGS

if TYPE_CHECKING:
    from .record import Recorder

__all__ = ["ROW", "TEXT", "Pen", "Stream"]

TEXT: Final = {text: index for index, text in reversed(list(enumerate(STRINGS)))}
RUNNEXT, LOCAL, GLOBAL, STOLEN, NETPOLL, TIMER, DIRECT = (
    TEXT[word] for word in ("runnext", "local", "global", "stolen", "netpoll", "timer", "direct")
)
GOSCHED, PREEMPTED = TEXT["runtime.Gosched"], TEXT["preempted"]
READY, ABORT, BLOCKING, OFFLOADED = (TEXT[word] for word in ("ready", "abort", "blocking", st.OFFLOADED))
HALF, ONE = TEXT["half"], TEXT["one"]
REASON: Final = {text: TEXT[text] for text in (*ev.REASONS, st.OFFLOADED)}

PACK: Final = Struct("7q").pack_into
ROW: Final = 56  # bytes
PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep

# GoSwitch.b without the object: [how the G left][queue of the next], where the reason never varies.
ENDED_WORD: Final = {queue: ENDED | queue << 2 for queue in range(len(ev.QUEUES))}


class Stream:
    """What one M has written: full chunks, and the one it writes to, up to `pos`. `skip` rows have been dropped since.

    Writing seven numbers into a bytearray takes a third of the time of appending them to a list.
    """

    __slots__ = ("buf", "chunks", "pos", "skip")

    def __init__(self, size: int) -> None:
        self.buf = bytearray(size)
        self.pos = 0
        self.chunks: list[bytes] = []
        self.skip = 0


class Pen:
    """What one M writes with. Every method records one event, or several that happen together."""

    __slots__ = (
        "by",
        "cause",
        "full",
        "last_next",
        "leaving",
        "m",
        "now",
        "owner",
        "queue",
        "sites",
        "spinning",
        "stream",
        "why",
    )

    def __init__(self, owner: Recorder, mid: int, now: Callable[[], int], stream: Stream) -> None:
        self.owner = owner
        self.m = mid
        self.now = now
        self.stream = stream
        self.full = owner.chunk  # the position at which a chunk is full
        self.sites = owner.sites
        self.by = -1  # the M that started this one
        self.last_next = 0  # pp.nexttick at the last start: if it moves, the next one came out of runnext
        self.queue = 0  # where the next G to start comes from, if somebody knows better
        self.cause = READY  # who makes G's ready on g0
        self.why = 0  # 0, or why a running G stops
        self.leaving = False  # a G leaves `blocking` without a P
        self.spinning = False

    def row(self, ts: int, kind: int, p: int, g: int, a: int, b: int, m: int | None = None) -> None:
        """Write one record."""
        stream = self.stream
        pos = stream.pos
        PACK(stream.buf, pos, ts, kind, p, self.m if m is None else m, g, a, b)
        stream.pos = pos = pos + ROW
        if pos == self.full:
            self.owner.roll(stream)

    # G's.

    def create(self, mp: Any, gp: Any) -> None:
        """GoCreate, before the G is queued."""
        pp, g = mp.p, mp.curg
        code = getattr(gp.fn, "__code__", None)
        name = self.owner.names.get(code)
        if name is None or gp._name is not None:
            name = self.owner.name_of(gp, code)
        self.row(self.now(), ev.GoCreate, -1 if pp is None else pp.id, -1 if g is None else g.id, gp.id, name)
        if self.sites and gp.site is not None:
            self.site(mp, gp, gp.site, gp.site_lasti)

    def arrives(self, gp: Any) -> None:
        """GoCreate by the world: nobody of the program has made it."""
        name = self.owner.name_of(gp, getattr(gp.fn, "__code__", None))
        self.row(self.now(), ev.GoCreate, -1, -1, gp.id, name, m=-1)

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

    def switch(self, mp: Any, pp: Any, gp: Any, nxt: Any) -> None:
        """GoSwitch: `gp` has been left, `nxt` runs. A dead `gp` has ended."""
        queue = self.queue
        if queue:
            self.queue = 0
        else:
            tick = pp.nexttick
            queue = LOCAL if tick == self.last_next else RUNNEXT
            self.last_next = tick
        status = gp.atomicstatus
        if status == 4:  # waiting
            if self.sites:
                self.blocks_at(mp, gp)
            word = queue << 2 | REASON[gp.waitreason] << 8
            c = getattr(gp.waiting, "c", None)
            if c is not None:
                word |= self.owner.object(c) + 1 << 24
        elif status == 1:  # runnable
            word = STOPPED | queue << 2 | (self.why or GOSCHED) << 8
            self.why = 0
        elif status == 3:  # syscall
            word = CALLED | queue << 2 | OFFLOADED << 8
        else:
            word = ENDED_WORD[queue]
        # P_BITS and FRESH_BITS, written out: this is the hot path
        queues = (
            len(pp.ring) + len(pp.runnext) + 1 << 20 | len(mp.lq) + len(mp.gq) + (mp.next is not None) << 32
        )
        stream = self.stream
        pos = stream.pos
        PACK(stream.buf, pos, self.now(), 7, pp.id | queues, self.m, gp.id, nxt.id, word)
        stream.pos = pos = pos + ROW
        if pos == self.full:
            self.owner.roll(stream)

    def left(self, mp: Any, gp: Any) -> None:
        """`gp` has been left for g0: GoBlock, GoStop, GoSyscallBegin, or the end of a call in place."""
        pp = mp.p
        status = gp.atomicstatus
        a, b = -1, -1
        if status == st.GWAITING:
            if self.sites:
                self.blocks_at(mp, gp)
            kind, a = ev.GoBlock, REASON[gp.waitreason]
            c = getattr(gp.waiting, "c", None)
            if c is not None:
                b = self.owner.object(c)
        elif self.leaving:
            self.leaving = False
            kind = ev.GoSyscallEndBlocked
        elif status == st.GRUNNABLE:
            kind, a = ev.GoStop, self.why or GOSCHED
            self.why = 0
        else:
            kind, a = ev.GoSyscallBegin, OFFLOADED
        self.row(self.now(), kind, -1 if pp is None else pp.id, gp.id, a, b)

    def start(self, mp: Any, gp: Any) -> None:
        """GoStart, on g0."""
        pp = mp.p
        queue = self.queue
        if queue:
            self.queue = 0
        elif pp.nexttick != self.last_next:
            queue = RUNNEXT
        else:
            queue = LOCAL
        self.last_next = pp.nexttick
        now = self.now()
        self.row(now, ev.GoStart, pp.id, gp.id, queue, -1)
        self.length(mp, pp, now)

    def end(self, mp: Any, gp: Any) -> None:
        """GoEnd, where nothing follows at once."""
        self.row(self.now(), ev.GoEnd, -1 if mp.p is None else mp.p.id, gp.id, -1, -1)

    def unblock(self, mp: Any, gp: Any) -> None:
        """GoUnblock, before the G is queued."""
        if gp.wake_exc is not None:
            how = ABORT
        else:
            how = READY if mp.curg is not None else self.cause
        self.simple(mp, ev.GoUnblock, gp.id, how)

    def polled(self, mp: Any, gp: Any) -> None:
        """GoUnblock of a G whose I/O is ready."""
        self.simple(mp, ev.GoUnblock, gp.id, NETPOLL)

    def fired(self, mp: Any, pp: Any, late: int) -> None:
        """TimerFire; what is made ready on g0 from now on is the timer's doing."""
        self.cause = TIMER
        self.simple(mp, ev.TimerFire, pp.id, late)

    def preempted(self) -> None:
        """The G that yields now was asked to."""
        self.why = PREEMPTED

    def take_global(self) -> None:
        """What starts next comes from the global queue, or from the batch that was taken there."""
        self.queue = GLOBAL

    def call(self, mp: Any) -> None:
        """GoSyscallBegin, in place."""
        self.simple(mp, ev.GoSyscallBegin, BLOCKING, -1)

    def back(self, mp: Any) -> None:
        """GoSyscallEnd: it still has its P."""
        self.simple(mp, ev.GoSyscallEnd, -1, -1)

    def back_elsewhere(self, mp: Any) -> None:
        """GoSyscallEndBlocked and GoStart: it goes on with another P."""
        pp, gp = mp.p, mp.curg
        now = self.now()
        self.row(now, ev.GoSyscallEndBlocked, pp.id, gp.id, -1, -1)
        self.row(now, ev.GoStart, pp.id, gp.id, DIRECT, -1)

    def back_home(self, mp: Any, gp: Any) -> None:
        """GoSyscallEndBlocked of a call that a spare M has made, on the owner."""
        pp = mp.p
        self.row(self.now(), ev.GoSyscallEndBlocked, -1 if pp is None else pp.id, gp.id, -1, -1)

    def drop(self, gps: list[Any]) -> None:
        """GoDrop of fresh G's, at the end of a run."""
        now = self.now()
        for gp in gps:
            self.row(now, ev.GoDrop, -1, -1, gp.id, -1)

    # Everything else.

    def simple(self, mp: Any, kind: int, a: int, b: int) -> None:
        """One event of the current G and P."""
        pp, g = mp.p, mp.curg
        self.row(self.now(), kind, -1 if pp is None else pp.id, -1 if g is None else g.id, a, b)

    def bare(self, kind: int, a: int = -1, b: int = -1, p: int = -1) -> None:
        """One event of this M alone, or with a P."""
        self.row(self.now(), kind, p, -1, a, b)

    def acquire(self, mp: Any, pp: Any) -> None:
        """ProcStart, once `mp` has it; and SpinStart, if it was woken to look for work."""
        now = self.now()
        if mp.spinning and not self.spinning:
            self.spinning = True
            self.row(now, ev.SpinStart, -1, -1, -1, -1)
        self.last_next = pp.nexttick
        self.row(now, ev.ProcStart, pp.id, -1, -1, -1)

    def spin(self, mp: Any, on: bool) -> None:
        """SpinStart, SpinStop."""
        if on is not self.spinning:
            self.spinning = on
            pp = mp.p
            p = -1 if pp is None else pp.id
            self.row(self.now(), ev.SpinStart if on else ev.SpinStop, p, -1, -1, -1)

    def steal(self, mp: Any, pp: Any, victim: Any, stolen: int, before: int, one: bool) -> None:
        """Steal, StealBefore and the lengths of both rings; what is run next was stolen."""
        now = self.now()
        rule = RUNNEXT if not before else ONE if one else HALF
        self.row(now, ev.Steal, pp.id, -1, victim.id, stolen)
        self.row(now, ev.StealBefore, pp.id, -1, before, rule)
        self.length(mp, victim, now)
        self.queue = STOLEN

    def exit(self, mp: Any) -> None:
        """The end of the run on this M: it gives up what it holds."""
        self.spin(mp, False)
        if mp.p is not None:
            self.bare(ev.ProcStop, p=mp.p.id)
        self.bare(ev.MExit)
