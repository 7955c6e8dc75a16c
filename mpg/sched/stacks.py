"""Carriers, and the two ways to leave a stack (Go: gopark, mcall, goexit0, gfget).

A *carrier* is a stack that runs one G after another: making a greenlet costs 10 us, reusing one 0.7 us. It is
always started from g0, because a greenlet inherits the recursion depth of whoever starts it.

* `PinnedM`: stacks stay on their M. A parking G picks the next G itself and switches straight to it; when the
  next one is fresh and this G has ended, it runs on the same carrier with no switch at all.
* `MovableM`: stacks move between M's. The moment a lock is released, another M may resume the G, so
  everything that makes the G visible (`release`, the global queue) happens on g0, after the switch: Go's mcall.

Those are the only differences, in `park_m`, `gosched_m`, `goyield_m`, and what `goexit0` does next.

A frame that is left by a switch and returned through afterwards costs twice an ordinary call (100 ns, a fifth of
the switch itself). So what happens before the switch is a method that returns the stack to switch to, named as what Go
does on g0 (`park_m`), and the operation itself switches:

    mp.park_m(gp, lock, reason).switch()
    if gp.wake_exc is not None:
        raise_abort(gp)

`gopark`, `gosched` and `goyield` are just that, for callers in less of a hurry.

Rejected: running `find_runnable` on the stack of the parked G. It saves one switch before a sleep, but runs
the scheduler at whatever recursion depth the user had reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..current import tls, user_calls
from ..errors import Goexit, Unwind
from ..status import GDEAD, GRUNNABLE, GRUNNING, GWAITING
from .finish import g_ended
from .join import wake_joiners
from .mlife import post, wakep
from .policy import FREE_CARRIERS, GLOBAL_BATCH, MAIN
from .proc import arrive, execute, newproc, raise_abort, ready, ready_without_p, rob, steal
from .runq import get_local, pick, put, put_global_locked, put_global_started
from .structs import M
from .timers import RTimer, add_timer, stop_timer

if TYPE_CHECKING:
    from ..port import Stack
    from .g import G

__all__ = ["MovableM", "PinnedM", "carrier"]


def carrier(me: Any, mp: Any) -> None:
    """The body of a carrier: run the M's current G, end it, take the next one."""
    gp = mp.curg
    while gp is not None:
        me.gr_context = gp.context
        try:
            if gp.kwargs:
                gp.result = gp.fn(*gp.args, **gp.kwargs)
            else:
                gp.result = gp.fn(*gp.args)
        except Goexit:
            gp.result = Goexit  # for main, whose end would otherwise end the run
        except Unwind:
            pass
        except BaseException as exc:
            gp.exc = exc
        gp.args = gp.kwargs = gp.context = None  # while it can still park: a `__del__` may do so
        mp = gp.home or tls.m
        gp = mp.goexit0(me, gp)


user_calls.add(carrier.__code__)


class BaseM(M):
    """What M's of both kinds share."""

    __slots__ = ()

    def post(self, gp: G) -> None:
        """Another M has made one of this M's G's ready."""
        post(self, gp)

    def post_foreign(self, gp: G) -> None:
        """The same by an ordinary thread or an M of another run: the recorder of this one has yet to know."""
        post(self, ForeignWake(gp))

    execute = execute
    newproc = newproc
    steal = steal
    rob = rob
    get_local = get_local

    def ring_bell(self) -> None:
        """Have this M look at its flags at its next operation or scheduling point."""
        with self.lock:
            self.attn = True

    def work(self, ns: int) -> None:
        """What `mpg.work` does on a G."""
        self.sched.port.work(self, ns)

    def stall(self, ns: int) -> None:
        """What `mpg.stall` does on a G."""
        self.sched.port.stall(self, ns)

    def end(self, gp: G) -> None:
        """Running to dead (Go: gdestroy)."""
        gp.atomicstatus = GDEAD
        self.ended += 1
        gp.stack = None
        if gp.listed is not None:
            del gp.listed[gp]
            gp.listed = None
        if gp is self.lockedg:
            self.lockedg = None
            self.locks = 0
        if gp.joiners is not None:
            wake_joiners(self, gp)
        if gp.exc is not None or gp.id == MAIN:
            g_ended(self.sched, gp)

    def start_fresh(self, gp: G) -> None:
        """Give a fresh G a carrier and switch to it; only on g0."""
        if self.free:
            stack = gp.stack = self.free.pop()
            stack.switch()
        else:
            stack = gp.stack = self.sched.port.new_stack(self, carrier)
            stack.switch(stack, self)

    def gopark(self, gp: G, lock: Any, reason: str) -> None:
        """Park the current G until somebody claims `gp.waiting` and calls `ready` (Go: gopark).

        `lock.release()` makes the wait visible. Raises what `abort` ended the wait with.
        """
        self.park_m(gp, lock, reason).switch()
        if gp.wake_exc is not None:
            raise_abort(gp)

    def gosched(self, gp: G) -> None:
        """Yield: `gp` to the global tail, then whoever is next (Go: Gosched)."""
        self.gosched_m(gp).switch()
        if gp.wake_exc is not None:
            raise_abort(gp)

    def goyield(self, gp: G) -> None:
        """Yield to the local tail (Go: goyield)."""
        self.goyield_m(gp).switch()
        if gp.wake_exc is not None:
            raise_abort(gp)

    def gopark_timed(self, gp: G, lock: Any, reason: str, ns: int) -> bool:
        """As `gopark`, for at most `ns` (-1: for ever). True if the time ran out and the wait was withdrawn."""
        if ns < 0 or self.p is None:  # without a P the run is ending, and `unwind` resumes it
            self.gopark(gp, lock, reason)
            return False
        out = TimeOut(gp, gp.waiting)
        t = RTimer(time_out, out)
        add_timer(self, t, self.now() + ns)
        try:
            self.gopark(gp, lock, reason)
        finally:
            if not out.claimed and not stop_timer(t):
                out.settle()
        return out.claimed

    def park_m(self, gp: G, lock: Any, reason: str) -> Stack:
        raise NotImplementedError

    def gosched_m(self, gp: G) -> Stack:
        raise NotImplementedError

    def goyield_m(self, gp: G) -> Stack:
        raise NotImplementedError


class ForeignWake:
    """A letter: a G of this M has been made ready by somebody who does not record."""

    __slots__ = ("gp",)

    def __init__(self, gp: G) -> None:
        self.gp = gp

    def __call__(self, mp: M) -> None:
        if mp.exited:  # the end of the run has unwound it
            return
        if mp.rec is not None:
            mp.rec.unblock(mp, self.gp)
        arrive(mp, self.gp)


class TimeOut:
    """The timer's side of a timed park.

    It may fire on another M. A G that was woken by something else must not wait again while the callback is
    still under way, because that might take the new wait for the old one: so it lets it finish (`settle`).
    """

    __slots__ = ("claimed", "done", "gp", "waiting")

    def __init__(self, gp: G, waiting: Any) -> None:
        self.gp = gp
        self.waiting = waiting
        self.claimed = False
        self.done = False

    def settle(self) -> None:
        """Wait for the few microseconds that the callback takes."""
        while not self.done:
            mp = tls.m
            mp.sched.port.usleep(mp, 1_000)


def time_out(mp: Any, out: TimeOut, when: int) -> None:
    """A timed park's timer has fired."""
    try:
        if out.waiting.cancel(out.gp):
            out.claimed = True
            ready(mp, out.gp)
    finally:
        out.done = True


class PinnedM(BaseM):
    """An M whose G's never leave it once started."""

    __slots__ = ()

    fifo = True  #: local queues are that; a simulation's policy may say otherwise

    def park_m(self, gp: G, lock: Any, reason: str) -> Stack:
        """Running to waiting; whom to switch to (Go: park_m)."""
        gp.waitreason = reason
        gp.atomicstatus = GWAITING
        lock.release()
        return self.leave(gp)

    def gosched_m(self, gp: G) -> Stack:
        """Running to runnable, at the global tail; whom to switch to (Go: gosched_m)."""
        gp.atomicstatus = GRUNNABLE
        gp.waiting = None
        pp = self.p
        if pp is None:
            put_global_started(self, gp)
        else:
            gp.ticket = ticket = pp.ticket
            pp.ticket = ticket + 1
            self.gq.append(gp)
        return self.leave(gp)

    def goyield_m(self, gp: G) -> Stack:
        """Running to runnable, at the local tail; whom to switch to (Go: goyield_m)."""
        gp.atomicstatus = GRUNNABLE
        gp.waiting = None
        if self.p is None:
            put_global_started(self, gp)
        else:
            put(self, self.p, gp)
        return self.leave(gp)

    def leave(self, gp: G) -> Stack:
        """The stack to switch to, now that `gp` is parked or queued: that of the next G, or g0."""
        pp = self.p
        if gp.listed is None:
            gp.listed = self.gs
            self.gs[gp] = None
        if pp is not None and not self.attn and (not pp.when or self.now() < pp.when):
            gp.since = pp.seen_when
            tick = pp.schedtick
            nxt = self.next
            if not tick % pp.fair_tick:
                if self.rec is not None:
                    self.rec.moved()
                nxt = pick(self, pp)
            elif nxt is not None:  # the most frequent cases of `pick`, written out
                self.next = None
                pp.nexttick += 1
            elif pp.ring or pp.runnext or not self.fifo:
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
                if self.rec is not None:
                    self.rec.switch(self, pp, gp, nxt)  # before the status: they may be the same
                nxt.atomicstatus = GRUNNING
                return stack
        gp.since = self.now()
        if self.rec is not None:
            self.rec.left(self, gp)
        self.curg = None
        return self.g0  # type: ignore[no-any-return]

    def start_fresh(self, gp: G) -> None:
        gp.home = self
        BaseM.start_fresh(self, gp)

    def goexit0(self, me: Any, gp: G) -> G | None:
        """The G on carrier `me` has ended: the next G to run on it, or None to let it end (Go: goexit0)."""
        self.end(gp)
        pp = self.p
        if pp is not None and not self.attn and (not pp.when or self.now() < pp.when):
            tick = pp.schedtick
            if self.lq or self.next is not None or not self.fifo or pp.runnext or not tick % pp.fair_tick:
                nxt = pick(self, pp)
            else:
                try:
                    nxt = pp.ring.popleft()  # the most frequent case of `pick`, written out
                    pp.schedtick = tick + 1
                except IndexError:
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
                    return nxt
                if len(self.free) >= FREE_CARRIERS:
                    if self.rec is not None:
                        self.rec.end(self, gp)
                    self.nextg = nxt
                    self.curg = None
                    return None
                self.curg = nxt
                nxt.atomicstatus = GRUNNING
                if self.rec is not None:
                    self.rec.switch(self, pp, gp, nxt)
                self.free.append(me)
                stack.switch()
                return self.curg
        if self.rec is not None:
            self.rec.end(self, gp)
        self.curg = None
        if len(self.free) >= FREE_CARRIERS:
            return None
        self.free.append(me)
        self.g0.switch()
        return self.curg


class MovableM(BaseM):
    """An M that any stack may come to."""

    __slots__ = ()

    def park_m(self, gp: G, lock: Any, reason: str) -> Stack:
        """As PinnedM.park_m, but `lock.release()` happens on g0."""
        gp.waitreason = reason
        gp.atomicstatus = GWAITING
        return self.leave_for_g0(gp, lock)

    def gosched_m(self, gp: G) -> Stack:
        """As PinnedM.gosched_m, queued from g0."""
        gp.atomicstatus = GRUNNABLE
        gp.waiting = None
        return self.leave_for_g0(gp, GoschedCommit(self, gp))

    def goyield_m(self, gp: G) -> Stack:
        """As PinnedM.goyield_m, queued from g0."""
        gp.atomicstatus = GRUNNABLE
        gp.waiting = None
        return self.leave_for_g0(gp, GoyieldCommit(self, gp))

    def leave_for_g0(self, gp: G, commit: Any) -> Stack:
        """g0, which commits; `gp` goes on on whichever M runs it next."""
        if gp.listed is None:
            gp.listed = self.sched.gs
            self.sched.gs[gp] = None
        gp.since = self.now()
        if self.rec is not None:
            self.rec.left(self, gp)
        self.commit = commit
        self.curg = None
        return self.g0  # type: ignore[no-any-return]

    def goexit0(self, me: Any, gp: G) -> G | None:
        """End the G and return to g0; the carrier waits for the next fresh G."""
        self.end(gp)
        if self.rec is not None:
            self.rec.end(self, gp)
        self.curg = None
        self.free.append(me)
        self.g0.switch()
        m = tls.m
        return m.curg if m.curg is not None and m.curg.stack is me else None


class GoschedCommit:
    """Queues a yielding G once its stack has been left."""

    __slots__ = ("gp", "mp")

    def __init__(self, mp: MovableM, gp: G) -> None:
        self.mp = mp
        self.gp = gp

    def release(self) -> None:
        mp, gp = self.mp, self.gp
        sched = mp.sched
        pp = mp.p
        if pp is None:  # it comes out of `blocking`, and there was no P for it (Go: exitsyscallNoP)
            ready_without_p(mp, gp)
            return
        with sched.lock:
            gp.ticket = pp.ticket
            pp.ticket += 1
            put_global_locked(sched, (gp,))
        if pp.wake_hint:
            wakep(sched)


class GoyieldCommit(GoschedCommit):
    """The same for the local tail."""

    __slots__ = ()

    def release(self) -> None:
        if self.mp.p is not None:  # else the run is ending, and `unwind` resumes it
            put(self.mp, self.mp.p, self.gp)
