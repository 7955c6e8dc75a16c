"""The steps of the scheduler's loop that a simulation overrides, to charge for them or to change them.

The classes here are the scheduler's own M's (`sched/pinned.py`, `sched/movable.py`) with a layer on top: each method
does what it does on the host and adds its cost, or decides as `Policy` says. The host has no trace of it.

A cost is charged where the M holds no lock: time passes there, and other M's act meanwhile. Costs that arise
elsewhere (waking somebody) are added to `debt` and paid at the M's next step, or by its G's next operation once they
have come to something.

`attn` is what every operation reads before it does anything, so here it is a property, and the read is the operation's
step. `insyscall` is one because a P runs no G meanwhile, and the time for which it does is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..sched.movable import MovableM
from ..sched.pinned import PinnedM
from ..sched.policy import RING, STEAL_ROUNDS
from ..sched.runq import get_local, put
from ..sched.steal import steal_timers
from ..status import GRUNNING

if TYPE_CHECKING:
    from ..sched.g import G
    from ..sched.schedt import Sched
    from ..sched.structs import P
    from .port import SimPort

__all__ = ["SimMovableM", "SimPinnedM", "Slot", "m_class"]

SLEEPING, WORKING = 1, 2  # M.doing, besides 0
OWED = 10_000  #: ns that an M may owe before an operation pays


class Steps:
    """The overridden steps; mixed into both kinds of M."""

    __slots__ = ()
    takes_turns = False
    port: SimPort
    debt: int
    doing: int
    bell: bool
    called: bool
    since: int

    def __init__(self: Any, sched: Sched, mid: int) -> None:
        self.port = sched.port
        super().__init__(sched, mid)  # type: ignore[call-arg]
        self.since = -1  # from when on its P has run G's; -1: it does not
        self.op = self.port.costs.op
        self.debt = 0
        self.doing = 0
        self.clock = self.read_clock

    @property
    def attn(self: Any) -> bool:
        """The doorbell. Somebody who looks at it in the middle of running a G begins an operation."""
        gp = self.curg
        if gp is not None and gp.atomicstatus == GRUNNING:
            port = self.port
            port.steps = steps = port.steps + 1
            self.debt = debt = self.debt + self.op
            if debt >= OWED or steps > port.look:
                port.operate(self)
            if port.check_step is not None:
                port.checked()
        return self.bell  # type: ignore[no-any-return]

    @attn.setter
    def attn(self: Any, up: bool) -> None:
        self.bell = up

    def read_clock(self) -> int:
        """The program looks at the clock."""
        _ = self.attn
        return self.port.time

    @property
    def insyscall(self: Any) -> bool:
        """In `mpg.blocking()`."""
        return self.called  # type: ignore[no-any-return]

    @insyscall.setter
    def insyscall(self: Any, called: bool) -> None:
        self.called = called
        if called:
            self.stop_running()
        else:
            self.since = self.port.time

    def stop_running(self: Any) -> None:
        """No G runs on this M's P any more."""
        port = self.port
        port.busy += port.time - self.since
        self.since = -1

    def execute(self: Any) -> None:
        port = self.port
        port.step(self, port.costs.switch)
        self.since = port.time
        port.running = self.nextg
        super().execute()  # type: ignore[misc]
        self.stop_running()

    def leave(self: Any, gp: G, lock: Any, reason: str) -> Any:
        """Pinned stacks only: straight from G to G."""
        stack = super().leave(gp, lock, reason)  # type: ignore[misc]
        if stack is not self.g0:
            port = self.port
            port.step(self, port.costs.switch)
            port.running = self.curg
        return stack

    def goexit0(self: Any, me: Any) -> G | None:
        self.port.step(me.mpg_m, self.port.costs.exit)
        return super().goexit0(me)  # type: ignore[misc, no-any-return]

    def end(self: Any, gp: G) -> None:
        super().end(gp)  # type: ignore[misc]
        self.note_end()

    def tell_end(self: Any, gp: G) -> None:
        super().tell_end(gp)  # type: ignore[misc]
        self.note_end()

    def note_end(self: Any) -> None:
        """When the run has come to its end."""
        if self.sched.stopping and not self.port.ended:
            self.port.ended = self.port.time

    def newproc(self: Any, gp: G) -> None:
        self.debt += self.port.costs.spawn
        self.port.stats["spawns"] += 1
        super().newproc(gp)  # type: ignore[misc]

    def steal(self: Any, pp: P) -> G | None:
        """Charge for the scan: four rounds over every P if it was in vain, else half a round."""
        scan = self.port.costs.steal_scan
        self.port.stats["attempts"] += 1
        gp: G | None = super().steal(pp)  # type: ignore[misc]
        n = len(self.sched.allp)
        if gp is None:
            self.debt += scan * n * STEAL_ROUNDS if self.spinning else 0
        else:
            self.debt += scan * ((n + 1) // 2)
        return gp

    def rob(self: Any, pp: P, victim: P, *, runnext: bool) -> G | None:
        """Count and charge what was stolen; what a thief's look at timers made ready is not."""
        gp: G | None = super().rob(pp, victim, runnext=runnext)  # type: ignore[misc]
        if gp is not None:
            self.port.stats["steals"] += 1
            self.debt += self.port.costs.steal
        return gp

    def ring_bell(self: Any) -> None:
        super().ring_bell()  # type: ignore[misc]
        if self.doing == WORKING:
            self.port.resume_at(self, self.port.time)


class OneVictim:
    """Policy.victims == "one": a single attempt, at one random P."""

    __slots__ = ()

    def steal(self: Any, pp: P) -> G | None:
        port, allp = self.port, self.sched.allp
        gp = steal_timers(self, pp)
        if gp is not None or len(allp) < 2:
            return gp
        victim = allp[(allp.index(pp) + 1 + int(port.rng.random() * (len(allp) - 1))) % len(allp)]
        port.stats["attempts"] += 1
        self.debt += port.costs.steal_scan
        stolen: G | None = self.rob(pp, victim, runnext=False)
        if stolen is None:
            port.retry_later(pp)
        return stolen


class Lifo:
    """Policy.local == "lifo": a P runs the youngest of its own."""

    __slots__ = ()
    fifo = False

    def get_local(self: Any, pp: P) -> G | None:
        ring, lq = pp.ring, self.lq
        if ring and (not lq or ring[-1].ticket > lq[-1].ticket):
            gp: G = ring.pop()
            return gp
        return lq.pop() if lq else get_local(self, pp)


class NoRunnext:
    """Policy.runnext == False, for started G's; `Slot` is the same for fresh ones."""

    __slots__ = ()

    @property
    def next(self) -> None:
        return None

    @next.setter
    def next(self: Any, gp: G | None) -> None:
        if gp is not None:
            put(self, self.p, gp)


class Slot(list[Any]):
    """A `runnext` that holds nothing: what is put there goes to the tail of the ring."""

    __slots__ = ("pp",)
    pp: P

    def append(self, gp: G) -> None:
        pp = self.pp
        gp.ticket = pp.ticket
        pp.ticket += 1
        if len(pp.ring) < RING or pp.m is None:
            pp.ring.append(gp)
        else:
            put(pp.m, pp, gp)


class SimPinnedM(Steps, PinnedM):  # type: ignore[misc]
    """An M whose G's never leave it."""

    __slots__ = ("bell", "called", "debt", "doing", "op", "port", "since")


class SimMovableM(Steps, MovableM):  # type: ignore[misc]
    """An M that any stack may come to."""

    __slots__ = ("bell", "called", "debt", "doing", "op", "port", "since")


class Kinds:
    """The M class for each combination of knobs, made once."""

    made: ClassVar[dict[tuple[Any, ...], type]] = {}


def m_class(*, movable: bool, one_victim: bool, lifo: bool, runnext: bool) -> type:
    """The class of M's for these capabilities and knobs."""
    key = (movable, one_victim, lifo, runnext)
    if key not in Kinds.made:
        layers = [
            layer for layer, on in ((OneVictim, one_victim), (Lifo, lifo), (NoRunnext, not runnext)) if on
        ]
        base = SimMovableM if movable else SimPinnedM
        Kinds.made[key] = type(base.__name__, (*layers, base), {"__slots__": ()})
    return Kinds.made[key]
