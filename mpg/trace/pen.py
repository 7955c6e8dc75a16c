"""Pens: what the scheduler calls at each event.

Every M has a `Pen` in its `rec` slot, or None: that one read and one branch is all that a run without a recorder
pays. A Pen appends plain ints to a list that only its M writes to, so there is no lock and no formatting; six ints
are a record, and a full list is packed into bytes (`Stream`). In a simulation, where one M runs at a time, all Pens
share one stream, so it is in causal order by itself; what real M's wrote is put in order when it is read (`merge.py`).

A record is `ts what g a b n`: `what` is kind, P and M in one number, for the frequent kinds made once for each P that
an M gets. An `n` of 0 or more says RunqLen besides: how many G's are queued then. Reading makes of it the seven of
`events.py` (`flight.py`).

The order that `merge` relies on: an event that gives something away (a G made ready, a P released) is recorded
*before* it can be taken, one that takes something, *after* it is ours. So causes come first on the clock, except
where a park becomes visible before its switch is recorded.

Queue lengths are told when they have changed. If nothing has been queued since the last switch, a pen is `calm`: then a
yield among started G's leaves the lengths as they were, a G that blocks makes way for one of the queue, and nothing
need be counted. Whatever queues something ends that, as does an M that opens its inbox.

A recording ends on each M where the end of the run does: the unwinding of G's that are still alive is not in it.

Rejected: objects or dicts as records (three times the time, and the garbage collector walks them), keeping the lists
(an int object for each number), `Struct.pack_into` for each record (twice the time of `list.extend`), one stream for
all threads (a lock, or contention, on every switch), writing to the file at once.
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

__all__ = ["KIND_BITS", "N_BITS", "P_BITS", "TEXT", "WIDTH", "Pen", "Stream"]

TEXT: Final = {text: index for index, text in reversed(list(enumerate(STRINGS)))}
RUNNEXT, LOCAL, GLOBAL, STOLEN, NETPOLL, TIMER, DIRECT = (
    TEXT[word] for word in ("runnext", "local", "global", "stolen", "netpoll", "timer", "direct")
)
GOSCHED, PREEMPTED = TEXT["runtime.Gosched"], TEXT["preempted"]
READY, ABORT, BLOCKING, OFFLOADED = (TEXT[word] for word in ("ready", "abort", "blocking", st.OFFLOADED))
HALF, ONE = TEXT["half"], TEXT["one"]
REASON: Final = {text: TEXT[text] for text in (*ev.REASONS, st.OFFLOADED)}

WIDTH: Final = 6  # numbers in a record
KIND_BITS: Final = 8  # of `what`; above them 1 + the P, and above that 1 + the M
P_BITS: Final = 20
N_BITS: Final = 32  # of `n`: the started G's; above them the fresh ones
PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep

# GoSwitch.b (`pack_switch`), as far as it never varies.
YIELD: Final = STOPPED | LOCAL << 2 | GOSCHED << 8
IO_WAIT: Final = st.IO_WAIT
IO_WORD: Final = LOCAL << 2 | REASON[IO_WAIT] << 8
BLOCKS: Final = {reason: LOCAL << 2 | number << 8 for reason, number in REASON.items()}


class Stream:
    """What one M has written: packed chunks, and the list that it writes to. `skip` rows have been dropped."""

    __slots__ = ("chunks", "rows", "skip")

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.chunks: list[bytes] = []
        self.skip = 0


class Pen:
    """What one M writes with. Every method records one event, or several that happen together."""

    __slots__ = (
        "alone",
        "by",
        "calm",
        "cause",
        "full",
        "here",
        "last_next",
        "leaving",
        "m",
        "now",
        "owner",
        "poll",
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
        self.here = self.switches = self.starts = self.unblocks = (
            self.alone
        )  # with the P that was acquired last
        self.by = -1  # the M that started this one
        self.last_next = 0  # pp.nexttick at the last start: if it moves, the next one came out of runnext
        self.queue = 0  # where the next G to start comes from, if somebody knows better
        self.cause = READY  # who makes G's ready on g0
        self.why = 0  # 0, or why a running G stops
        self.calm = False  # nothing was queued since the last switch, and the next one is not in runnext
        self.started = -1  # the length that was told last, if no fresh G was queued: then only we change it
        self.poll = 0  # when the poller was looked at, while its G's are made ready
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

    def arrives(self, gp: Any, pp: Any) -> None:
        """GoCreate by the world: nobody of the program has made it. It goes to `pp`."""
        name = self.owner.name_of(gp, getattr(gp.fn, "__code__", None))
        self.world(ev.GoCreate, gp.id, name, pp.id)
        if pp.m is not None and pp.m.rec is not None:
            pp.m.rec.calm = False

    def world(self, kind: int, a: int, b: int = -1, p: int = -1) -> None:
        """One event that no M of the run has brought about. In a simulation, where all write to one stream."""
        self.put((self.now(), p + 1 << KIND_BITS | kind, -1, a, b, -1))
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

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
        """GoSwitch: `gp` has been left, `nxt` runs. A dead `gp` has ended. RunqLen, if it has changed."""
        status = gp.atomicstatus
        if self.calm and nxt.listed is not None:  # it has been started before
            if status == 1:  # runnable
                self.put((self.now(), self.switches, gp.id, nxt.id, YIELD, -1))
                if len(self.rows) >= self.full:
                    self.owner.roll(self.stream)
                return
            n = self.started
            if status == 4 and n > 0 and not self.sites:  # waiting
                self.started = n = n - 1
                reason = gp.waitreason
                if reason is IO_WAIT:
                    word = IO_WORD | gp.waiting.c.seq + 1 << 24
                else:
                    word = BLOCKS[reason]
                    c = getattr(gp.waiting, "c", None)
                    if c is not None:
                        word |= getattr(c, "seq", -1) + 1 << 24
                self.put((self.now(), self.switches, gp.id, nxt.id, word, n))
                if len(self.rows) >= self.full:
                    self.owner.roll(self.stream)
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
        self.calm = mp.next is None and not pp.runnext
        n = len(mp.lq) + len(mp.gq) + (mp.next is not None)
        fresh = len(pp.ring) + len(pp.runnext)
        if fresh:
            self.started = -1
            return fresh << N_BITS | n
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
            c = getattr(gp.waiting, "c", None)
            if c is not None:
                b = getattr(c, "seq", -1)
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

    def polled(self, mp: Any, gp: Any) -> None:
        """GoUnblock of a G whose I/O is ready, on g0. One time for all that one look at the poller makes ready."""
        now = self.poll
        if not now:
            now = self.poll = self.now()
        self.put((now, self.unblocks if mp.p is not None else self.alone | 6, -1, gp.id, NETPOLL, -1))

    def all_polled(self, mp: Any, n: int) -> None:
        """NetpollReady: those were all."""
        self.calm = False
        self.put((self.poll, (self.alone if mp.p is None else self.here) | ev.NetpollReady, -1, n, -1, -1))
        self.poll = 0
        if len(self.rows) >= self.full:
            self.owner.roll(self.stream)

    def fired(self, mp: Any, pp: Any, late: int) -> None:
        """TimerFire; what is made ready on g0 from now on is the timer's doing."""
        self.calm = False
        self.cause = TIMER
        self.simple(mp, ev.TimerFire, pp.id, late)

    def preempted(self) -> None:
        """The G that yields now was asked to."""
        self.why = PREEMPTED
        self.calm = False

    def take_global(self) -> None:
        """What starts next comes from the global queue, or from the batch that was taken there."""
        self.queue = GLOBAL
        self.calm = False

    def moved(self) -> None:
        """G's that others have made ready have been queued."""
        self.calm = False

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
        self.calm = False
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

    def acquire(self, mp: Any, pp: Any) -> None:
        """ProcStart, once `mp` has it; and SpinStart, if it was woken to look for work."""
        now = self.now()
        if mp.spinning and not self.spinning:
            self.spinning = True
            self.row(now, ev.SpinStart, -1, -1, -1, -1)
        self.last_next = pp.nexttick
        self.here = here = self.alone | pp.id + 1 << KIND_BITS
        self.switches = here | ev.GoSwitch
        self.starts = here | ev.GoStart
        self.unblocks = here | ev.GoUnblock
        self.calm = False
        self.started = -1
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
        self.calm = False

    def exit(self, mp: Any) -> None:
        """The end of the run on this M: it gives up what it holds."""
        self.spin(mp, False)
        if mp.p is not None:
            self.bare(ev.ProcStop, p=mp.p.id)
        self.bare(ev.MExit)
