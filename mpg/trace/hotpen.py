"""The frequent half of a pen: what is recorded when a G is made, made ready, started, left; see `pen.py` for the rules.

All is written out here, since each call costs a twentieth of a switch: kinds as numbers, the look whether the chunk is
full. `row`, `simple` and `bare` are for what is seldom. What is most frequent of all is not here, but foretold.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from .. import status as st
from . import events as ev
from .events import CALLED, ENDED, STOPPED
from .foretell import Foretelling
from .stream import BLOCKS, KIND_BITS, N_BITS, REASON, TEXT, YIELD, Stream

if TYPE_CHECKING:
    from .record import Recorder

__all__ = ["HotPen"]

RUNNEXT, LOCAL, GOSCHED = (TEXT[word] for word in ("runnext", "local", "runtime.Gosched"))
READY, ABORT, OFFLOADED = (TEXT[word] for word in ("ready", "abort", st.OFFLOADED))

PACKAGE: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep


class HotPen(Foretelling):
    """Every method records one event, or several that happen together."""

    __slots__ = (
        "by",
        "cause",
        "last_next",
        "leaving",
        "m",
        "queue",
        "spinning",
        "started",
        "starts",
        "switches",
        "unblocks",
        "why",
    )

    def __init__(self, owner: Recorder, mid: int, now: Callable[[], int], stream: Stream) -> None:
        super().__init__(owner, mid, now, stream)
        self.m = mid
        self.switches = self.starts = self.unblocks = self.alone  # as `here`, with the kind
        self.by = -1  # the M that started this one
        self.last_next = 0  # pp.nexttick at the last start: if it moves, the next one came out of runnext
        self.queue = 0  # where the next G to start comes from, if somebody knows better
        self.cause = READY  # who makes G's ready on g0
        self.why = 0  # 0, or why a running G stops
        self.started = -1  # the length that was told last, if no fresh G was queued: then only we change it
        self.leaving = False  # a G leaves `blocking` without a P
        self.spinning = False

    def row(self, ts: int, kind: int, p: int, g: int, a: int, b: int) -> None:
        """Write one record."""
        self.put((ts, self.alone | p + 1 << KIND_BITS | kind, g, a, b, -1))
        if len(self.rows) >= self.full:
            self.roll()

    # G's.

    def create(self, mp: Any, gp: Any) -> None:
        """GoCreate, before the G is queued."""
        self.calm = False
        self.foretold = None
        g = mp.curg
        code = getattr(gp.fn, "__code__", None)
        name = self.owner.names.get(code)
        if name is None or gp._name is not None:
            name = self.owner.name_of(gp, code)
        what = (self.alone if mp.p is None else self.here) | 1
        self.put((self.now(), what, -1 if g is None else g.id, gp.id, name, -1))
        if len(self.rows) >= self.full:
            self.roll()
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

        While it is calm nobody looks whether the chunk is full: each 61st switch is not. What is foretold does not come
        here.
        """
        status = gp.atomicstatus
        if self.calm:
            if status == 4 and self.started > 0:  # waiting
                self.started = n = self.started - 1
                word = BLOCKS[gp.waitreason]
                c = getattr(gp.waiting, "c", None)
                if c is not None:
                    word |= getattr(c, "seq", -1) + 1 << 24
                self.put((self.now(), self.switches, gp.id, nxt.id, word, n))
                return
            if status == 1:
                self.put((self.now(), self.switches, gp.id, nxt.id, YIELD, -1))
                self.rotate(mp, nxt)
                return
        if status == 1 or self.foretold is st.GOSCHED:
            self.foretold = None
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
            self.roll()

    def lengths(self, mp: Any, pp: Any) -> int:
        """The `n` of a record in which a G starts: -1 if nothing has changed."""
        self.calm = self.foretold is None and not self.sites  # who queues something meanwhile takes it back
        n = len(mp.lq) + len(mp.gq)
        fresh = len(pp.ring) + len(pp.runnext)
        if mp.next is not None:
            self.calm = False
            n += 1
        if fresh:
            self.calm = False
            self.started = -1
            return fresh << N_BITS | n
        if self.foretold is not None:  # stamps change the length without a word
            self.started = -1
            return n
        if n == self.started:
            return -1
        self.started = n
        return n

    def left(self, mp: Any, gp: Any) -> None:
        """`gp` has been left for g0: GoBlock, GoStop, GoSyscallBegin, or the end of a call in place."""
        status = gp.atomicstatus
        if status == 1 or self.foretold is st.GOSCHED:
            self.foretold = None
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
            self.roll()

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
            self.roll()

    def end(self, mp: Any, gp: Any) -> None:
        """GoEnd, where nothing follows at once."""
        if self.foretold is st.GOSCHED:
            self.foretold = None
        self.put((self.now(), (self.alone if mp.p is None else self.here) | ev.GoEnd, gp.id, -1, -1, -1))
        if len(self.rows) >= self.full:
            self.roll()

    def unblock(self, mp: Any, gp: Any) -> None:
        """GoUnblock, before the G is queued."""
        self.calm = False
        self.foretold = None
        g = mp.curg
        if gp.wake_exc is not None:
            how = ABORT
        else:
            how = READY if g is not None else self.cause
        what = self.alone | 6 if mp.p is None else self.unblocks
        self.put((self.now(), what, -1 if g is None else g.id, gp.id, how, -1))
        if len(self.rows) >= self.full:
            self.roll()

    def simple(self, mp: Any, kind: int, a: int, b: int) -> None:
        """One event of the current G and P."""
        g = mp.curg
        what = (self.alone if mp.p is None else self.here) | kind
        self.put((self.now(), what, -1 if g is None else g.id, a, b, -1))
        if len(self.rows) >= self.full:
            self.roll()

    def bare(self, kind: int, a: int = -1, b: int = -1, p: int = -1) -> None:
        """One event of this M alone, or with a P."""
        self.put((self.now(), self.alone | p + 1 << KIND_BITS | kind, -1, a, b, -1))
        if len(self.rows) >= self.full:
            self.roll()
