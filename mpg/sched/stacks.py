"""Carriers, and the two ways to leave a stack (Go: gopark, mcall, goexit0, gfget).

A *carrier* is a stack that runs one G after another: making a greenlet costs 10 us, reusing one 0.7 us. It is
always started from g0, because a greenlet inherits the recursion depth of whoever starts it.

* `pinned.PinnedM`: stacks stay on their M. A parking G picks the next G itself and switches straight to it; when the
  next one is fresh and this G has ended, it runs on the same carrier with no switch at all.
* `movable.MovableM`: stacks move between M's. The moment a lock is released, another M may resume the G, so
  whatever makes the G visible (the lock given back, the global queue) happens on g0, after the switch: Go's mcall.

Those are the only differences, in `leave`, `arm`, and what `goexit0` does next.

A frame that is left by a switch and returned through afterwards costs twice an ordinary call (100 ns, a fifth of
the switch itself). So what happens before the switch is one method, `leave`, which returns the stack to switch to, and
the operation itself switches:

    mp.leave(gp, lock, reason).switch()
    if gp.wake_exc is not None:
        raise_abort(gp)

`gopark` is just that, for callers in less of a hurry. Nobody aborts a yield, so `gosched` and `goyield` only switch.

Rejected: running `find_runnable` on the stack of the parked G. It saves one switch before a sleep, but runs
the scheduler at whatever recursion depth the user had reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from ..current import user_calls
from ..errors import Goexit, Unwind
from ..plain import PLAIN
from ..status import GDEAD, GOSCHED, GOYIELD, GRUNNING
from .doorbell import arrive
from .finish import g_ended
from .join import wake_joiners
from .mlife import post
from .policy import MAIN
from .proc import execute
from .ready import newproc, raise_abort
from .runq import get_local
from .steal import rob, steal
from .structs import M
from .timed import RELEASED, TimeOut, time_out
from .timers import RTimer, stop_timer

if TYPE_CHECKING:
    from ..port import Stack
    from .g import G
    from .schedt import Sched

__all__ = ["BaseM", "carrier", "died_of"]


def carrier(me: Any, mp: Any) -> None:
    """The body of a carrier: run the M's current G, end it, take the next one (Go: goexit0).

    Where ends are turns (`turns.py`) the next one is the head of the ring, which is written out here. Where stacks move
    none are, and `goexit0` asks `me` on which M this is by now.
    """
    gp = mp.curg
    while gp is not None:
        me.gr_context = gp.context
        try:
            gp.result = gp.fn(*gp.args)
        except BaseException as exc:
            died_of(gp, exc, mp.sched)
        gp.args = gp.context = None  # while it can still park: a `__del__` may do so
        if mp.ends:
            gp.atomicstatus = GDEAD
            if not mp.attn and gp.listed is None and gp.joiners is None and mp.next is None:
                mp.ends -= 1
                try:
                    nxt = mp.p.ring.popleft()
                except IndexError:
                    mp.ends += 1
                else:
                    mp.ended += 1
                    gp.stack = None
                    nxt.home = mp
                    nxt.stack = me
                    mp.curg = nxt
                    nxt.atomicstatus = GRUNNING
                    if mp.rec is not None:
                        mp.rec.switch(mp, mp.p, gp, nxt)
                    gp = nxt
                    continue
        gp = nxt = None  # or a carrier that waits would keep the result of its last G
        gp = mp.goexit0(me)


user_calls.add(carrier.__code__)


def died_of(gp: Any, exc: BaseException, sched: Sched) -> None:
    """What the function of `gp` has raised says how it ended.

    If it has failed, the run ends before anybody can see that this G has: who joins it on another M might be main, and
    end the run with a value.
    """
    if isinstance(exc, Goexit):
        gp.result = Goexit  # for main, whose end would otherwise end the run
    elif not isinstance(exc, Unwind):
        gp.exc = exc
        gp.args = gp.context = None  # what dies with them may still want to use the run
        g_ended(sched, gp)


user_calls.add(died_of.__code__)


class BaseM(M):
    """What M's of both kinds share."""

    __slots__ = ()

    takes_turns = (
        False  #: may `gosched` go from G to G without asking `pick`? Not where steps are charged for
    )
    carrier = staticmethod(carrier)
    fifo = True  #: local queues are that; a simulation's policy may say otherwise

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

    def getg(self, lock: Any = None) -> NoReturn:
        """Who waits is the current G; there is none in a signal handler or `__del__` that runs on g0."""
        if lock is not None:
            lock.release()
        raise RuntimeError(
            "a waiting mpg operation in a signal handler or __del__ that interrupted the scheduler: let a G do that"
        )

    def sleep(self, ns: int) -> None:
        self.getg()

    def put_off(self, call: Callable[[Any], object]) -> None:
        """A letter to itself, in a signal handler or `__del__`: what that has interrupted must get on first.

        It is opened at the next operation or scheduling point. What has been interrupted may hold any lock, so this
        takes none. An inbox is replaced by its own M only, and a wake-up that comes before a sleep is remembered.
        """
        if self.exited:
            PLAIN.put_off(call)
            return
        self.inbox.append(call)
        self.attn = True
        self.sched.port.wakeup(self)

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
        """`gp` has just died (Go: gdestroy)."""
        self.ended += 1
        gp.stack = None
        if gp.listed is not None:
            del gp.listed[gp]
            gp.listed = None
        if gp is self.lockedg:
            self.lockedg = None
            self.locks = 0
        if gp.joiners is not None:
            self.tell_end(gp)

    def tell_end(self, gp: G) -> None:
        """To whom the end of `gp` matters, if it does to anybody."""
        wake_joiners(self, gp)
        if gp.id == MAIN and not hasattr(gp, "exc"):
            g_ended(self.sched, gp)

    def goexit0(self, me: Any) -> G | None:
        """The G on the carrier `me` ends: tell whom it matters to. The next one for `me`, or None to let that end."""
        raise NotImplementedError

    def start_fresh(self) -> None:
        """Give the current G, a fresh one, a carrier and switch to it; only on g0."""
        gp: Any = self.curg
        if self.free:
            stack = gp.stack = self.free.pop()
            del gp
            stack.switch()
        else:
            stack = gp.stack = self.sched.port.new_stack(self, self.carrier)
            del gp
            stack.switch(stack, self)

    def gopark(self, gp: G, lock: Any, reason: str) -> None:
        """Park the current G until somebody claims `gp.waiting` and calls `ready` (Go: gopark).

        `lock.append(None)` makes the wait visible: that gives a token lock back, and other objects do as much. Raises
        what `abort` ended the wait with.
        """
        self.leave(gp, lock, reason).switch()
        if gp.wake_exc is not None:
            raise_abort(gp)

    def gosched(self, gp: G) -> None:
        """Yield: `gp` to the global tail, then whoever is next (Go: Gosched)."""
        self.leave(gp, None, GOSCHED).switch()

    def goyield(self, gp: G) -> None:
        """Yield to the local tail (Go: goyield)."""
        self.leave(gp, None, GOYIELD).switch()

    def gopark_timed(self, gp: G, lock: Any, reason: str, ns: int) -> bool:
        """As `gopark`, for at most `ns` (-1: for ever). True if the time ran out and the wait was withdrawn."""
        if ns < 0 or self.p is None:  # without a P the run is ending, and `unwind` resumes it
            self.gopark(gp, lock, reason)
            return False
        out = TimeOut(gp)
        t = RTimer(time_out, out)
        try:
            commit = self.arm(t, self.now() + ns, lock)
        except RuntimeError:  # in a signal handler that has interrupted this P's timers
            lock.append(None)
            if gp.waiting.cancel(gp):
                raise
            self.gopark(gp, RELEASED, reason)  # claimed already, so `ready` follows
            return False
        try:
            self.gopark(gp, commit, reason)
        finally:
            if not out.claimed and not stop_timer(t):
                out.settle()
        return out.claimed

    def arm(self, t: RTimer, until: int, lock: Any) -> Any:
        """Arm the timer of a timed park. What that is to release."""
        raise NotImplementedError

    def leave(self, gp: G, lock: Any, reason: str) -> Stack:
        """The current G is left, for `reason`: whom to switch to (Go: park_m, gosched_m, goyield_m).

        With a `lock`, what `gopark` takes, it waits. With None it yields, and queues: for GOSCHED at the global
        tail, for GOYIELD at the local one.
        """
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
