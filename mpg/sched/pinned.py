"""PinnedM: an M whose G's never leave it once started.

A parking G picks the next G itself and switches straight to it. The most frequent cases of `runq.pick` are written out
where a call would cost a tenth of the switch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..status import GDEAD, GOSCHED, GRUNNABLE, GRUNNING, GWAITING
from .policy import FREE_CARRIERS, GLOBAL_BATCH
from .runq import pick, put, put_global_started
from .stacks import BaseM
from .timers import add_timer
from .turns import OFTEN, begin_ends, end_turns

if TYPE_CHECKING:
    from ..port import Stack
    from .g import G
    from .timers import RTimer

__all__ = ["PinnedM"]


class PinnedM(BaseM):
    """An M whose G's never leave it once started."""

    __slots__ = ()

    takes_turns = True

    def arm(self, t: RTimer, until: int, lock: Any) -> Any:
        """Arm the timer of a timed park. If it fires at once, that is a letter."""
        add_timer(self, t, until)
        return lock

    def leave(self, gp: G, lock: Any, reason: str) -> Stack:
        """Running to waiting, or to runnable; the stack to switch to: that of the next G, or g0 (see `BaseM.leave`)."""
        if gp.listed is None:
            gp.listed = self.gs
            self.gs[gp] = None
        if lock is not None:
            gp.waitreason = reason
            gp.atomicstatus = GWAITING
            lock.append(None)
            pp = self.p
        else:
            gp.atomicstatus = GRUNNABLE
            gp.waiting = None
            pp = self.p
            if pp is None:
                put_global_started(self, gp)
            elif reason is GOSCHED:
                if self.grant:
                    end_turns(self)
                gp.ticket = ticket = pp.ticket
                pp.ticket = ticket + 1
                self.gq.append(gp)
            else:
                put(self, pp, gp)
        if pp is not None and not self.attn and (not pp.when or self.now() < pp.when):
            gp.since = pp.seen_when
            tick = pp.schedtick
            nxt = self.next
            if tick >= pp.fair_at:
                if self.grant:
                    end_turns(self)
                if self.rec is not None and not pp.schedtick % pp.fair_tick:
                    self.rec.fair(self)
                nxt = pick(self, pp)
            elif nxt is not None:  # the most frequent cases of `pick`, written out
                self.next = None
                pp.nexttick += 1
            elif pp.ring or pp.runnext:
                nxt = pick(self, pp)
            elif self.lq:
                nxt = self.lq.popleft()
                pp.schedtick = tick + 1
            elif pp.procs == 1 and not pp.global_hint and 0 < len(self.gq) <= GLOBAL_BATCH:
                self.gq, self.lq = self.lq, self.gq
                nxt = self.lq.popleft()
                pp.schedtick = tick + 1
            else:
                nxt = pick(self, pp)
            if nxt is not None:
                stack = nxt.stack
                if stack is None:
                    if not self.free:
                        if self.rec is not None:
                            self.rec.left(self, gp)
                        self.nextg = nxt
                        self.curg = None
                        return self.g0  # type: ignore[no-any-return]
                    nxt.home = self
                    stack = nxt.stack = self.free.pop()
                self.curg = nxt
                rec = self.rec
                if rec is not None:  # before the status: they may be the same
                    now = rec.now() if reason is rec.foretold else 0
                    if reason is rec.foretold:  # still: a signal handler may have come meanwhile
                        rec.stamp(now)
                    else:
                        rec.switch(self, pp, gp, nxt)
                nxt.atomicstatus = GRUNNING
                return stack
        if self.grant:
            end_turns(self)
        gp.since = self.now()
        if self.rec is not None:
            self.rec.left(self, gp)
        self.curg = None
        return self.g0  # type: ignore[no-any-return]

    def start_fresh(self) -> None:
        self.curg.home = self  # type: ignore[union-attr]
        BaseM.start_fresh(self)

    def goexit0(self, me: Any) -> G | None:
        """The next one to run on the carrier `me`, or None to let that end (see `BaseM.goexit0`)."""
        gp: Any = self.curg
        if gp.atomicstatus != GDEAD:
            gp.atomicstatus = GDEAD
        self.end(gp)
        pp = self.p
        if pp is not None and not self.attn and (not pp.when or self.now() < pp.when):
            nxt = pick(self, pp)
            if nxt is not None:
                stack = nxt.stack
                if stack is None:
                    nxt.home = self
                    nxt.stack = me
                    self.curg = nxt
                    nxt.atomicstatus = GRUNNING
                    if self.rec is not None:
                        self.rec.switch(self, pp, gp, nxt)
                    if not pp.schedtick % OFTEN:
                        begin_ends(self, pp)
                    return nxt
                if len(self.free) >= FREE_CARRIERS:
                    if self.rec is not None:
                        self.rec.end(self, gp)
                    if self.grant:
                        end_turns(self)
                    self.nextg = nxt
                    self.curg = None
                    return None
                nxt.atomicstatus = GRUNNING
                if self.rec is not None:
                    self.rec.switch(self, pp, gp, nxt)
                self.nextg = nxt
                self.curg = me.gr_context = None  # what dies with `gp` meets no current G, as on g0
                del gp
                self.curg = nxt
                self.nextg = None
                del nxt
                self.free.append(me)
                stack.switch()
                return self.curg
        if self.rec is not None:
            self.rec.end(self, gp)
        if self.grant:
            end_turns(self)
        self.curg = me.gr_context = None
        if len(self.free) >= FREE_CARRIERS:
            return None
        self.free.append(me)
        del gp
        self.g0.switch()
        return self.curg
