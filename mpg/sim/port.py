"""SimPort: M's are greenlets on a virtual clock (`world.py`). This is what the scheduler asks of a port."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from math import log
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

from greenlet import GreenletExit, greenlet

from ..current import Carrier, tls
from ..errors import SimulationError
from ..port import Capabilities, Lock, Rng, Stack, TokenLock
from ..sched.doorbell import checkpoint
from ..sched.idle import pidletake_locked
from ..sched.mlife import startm
from ..seconds import FOREVER, to_ns
from ..trace.events import MWake
from ..work import stall, work
from .costs import Costs
from .locks import OrderedLock, SimLock
from .outside import Outsider, Spare
from .steps import SLEEPING, WORKING
from .world import PATIENCE, World

if TYPE_CHECKING:
    from ..sched.schedt import Sched
    from ..sched.structs import M, P

__all__ = ["SimPort"]

_worlds = count(1)


class SimPort(World):
    """`mpg.port.Port` in virtual time."""

    StackExit = GreenletExit

    def __init__(self, caps: Capabilities, costs: Costs, seed: int, *, patience: int = PATIENCE) -> None:
        super().__init__(caps, costs, patience)
        self.world = next(_worlds)
        self.rng = Random(seed)
        self.program_rng = Random(f"mpg {seed}")
        self.outside = Outsider(self)
        self.spares: list[Spare] = []  # idle ones, LIFO
        self.ended = 0  # when the run ended; the world goes on until nothing is left in the heap
        self.arrivals = 0  # sources that have not run dry
        self.retry_rate = 0.0
        self.retrying: set[int] = set()  # P's whose next attempt is planned
        self.stats = {"spawns": 0, "attempts": 0, "steals": 0}
        self.looks_everywhere = True  # does an M that gives up its P leave no work behind?
        self.order: Any = None  # of locks, if that is checked

    # M's.

    def new_lock(self) -> Lock:
        return SimLock(self.world) if self.order is None else OrderedLock(self)

    new_owned_lock = new_lock

    def new_token_lock(self) -> TokenLock:
        return SimLock(self.world) if self.order is None else OrderedLock(self, primitive=True)

    def new_ring(self) -> Any:
        return deque()

    def new_slot(self) -> Any:
        return []

    def new_rng(self) -> Rng:
        return self.rng

    def new_stack(self, mp: M, run: Callable[..., None]) -> Stack:
        return Carrier(run, mp)

    def start_m(self, mp: M, run: Callable[[M], None]) -> None:
        def main() -> None:
            run(mp)
            mp.exited = True

        mp.g0 = mp.thread = greenlet(main, self.hub)
        mp.note = 0
        self.resume_at(mp, self.time + (0 if tls.m is self.outside else self.costs.thread_start))

    def sleep(self, mp: Any, until: int) -> None:
        if until:
            late = self.costs.usleep_overshoot if mp is self.sched.sysmon else self.costs.netpoll
            self.resume_at(mp, max(until, self.time) + late)
        mp.doing = SLEEPING
        self.leave_to_hub(mp)
        mp.doing = 0

    def wakeup(self, mp: Any) -> None:
        if mp.doing == SLEEPING:
            mp.doing = 0
            self.resume_at(mp, self.time + self.costs.futex_wake)
            if (
                mp.rec is not None and tls.m.rec is None and not self.sched.stopping
            ):  # an arrival, a call's end
                pen = getattr(tls.m, "pen", None)
                write = mp.rec.world if pen is None else pen.bare
                write(MWake, mp.id, -1 if mp.nextp is None else mp.nextp.id)
            tls.m.debt += self.costs.wakeup

    def usleep(self, mp: M, ns: int) -> None:
        self.resume_at(mp, self.time + ns + self.costs.usleep_overshoot)
        self.leave_to_hub(mp)

    # Stealing, as the models of theory have it.

    def retry_later(self, pp: P) -> None:
        """An attempt to steal was in vain: `pp` tries again after an exponential time, if it is still idle."""
        if self.retry_rate and pp.id not in self.retrying:  # exponential times forget: the planned one serves
            self.retrying.add(pp.id)
            self.at(
                self.time + int(-log(1.0 - self.rng.random()) / self.retry_rate * 1e9),
                partial(self.retry, pp),
            )

    def retry(self, pp: P) -> None:
        self.retrying.discard(pp.id)
        with self.sched.lock:
            idle = not self.sched.stopping and pidletake_locked(self.sched, pp)
        if idle:
            startm(self.sched, pp, False)

    # The program.

    def work(self, mp: Any, ns: int) -> None:
        if ns >= FOREVER:
            self.refuse("mpg.work")
        while ns > 0:
            if mp.attn and not mp.insyscall:
                checkpoint(mp)
                mp = tls.m
            begin = self.time
            mp.doing = WORKING
            self.pass_time(mp, ns)
            mp.doing = 0
            ns -= self.time - begin

    def stall(self, mp: Any, ns: int) -> None:
        if ns >= FOREVER:
            self.refuse("mpg.stall")
        if getattr(mp, "insyscall", False):
            ns += self.costs.syscall_enter + self.costs.syscall_exit
        self.resume_at(mp, self.time + ns)
        self.leave_to_hub(mp)

    def refuse(self, what: str) -> NoReturn:
        """Somebody wants all the time there is. Sleeping for ever is another matter: it takes nobody's time."""
        raise SimulationError(f"{what} without an end cannot be simulated, at {self.place()}")

    def blocking_call(self, fn: Callable[..., Any], cost: float | None) -> Callable[..., Any]:
        if cost is None:
            word = fn
            while isinstance(word, partial):
                word = word.func
            if word is not stall and word is not work:
                name = getattr(fn, "__qualname__", repr(fn))
                raise SimulationError(
                    f"to_thread({name}) cannot be simulated, at {self.place()}: a real call takes no virtual time; "
                    "say how long it takes with cost=, or use mpg.stall"
                )
            return fn
        ns = to_ns(cost, "cost")
        if ns < 0:
            raise ValueError(f"cost is a time that is not negative, not {cost!r}")
        if ns >= FOREVER:
            self.refuse("a call")

        def charged(*args: Any, **kwargs: Any) -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                if ns:
                    tls.m.stall(ns)

        return charged

    def offload(self, call: Callable[[Any], None]) -> None:
        idle = self.spares
        spare = idle.pop() if idle else Spare(self)
        delay = self.costs.thread_start if spare.call is None else self.costs.futex_wake
        spare.call = call
        self.resume_at(spare, self.time + delay)

    # What there is none of.

    def netpoll(self, mp: M) -> bool:
        return False

    def arm(self, mp: M, pd: Any, write: bool) -> None:
        raise SimulationError(f"sockets cannot be simulated, at {self.place()}")

    def watch_term(self, sched: Sched, on: bool) -> None:
        """Signals are the real world's."""

    def foreign_threads(self) -> bool:
        return self.arrivals > 0

    def cpu_time(self, mp: M) -> int:
        return -1

    def others_alive(self, idents: set[int]) -> bool:
        return False

    def where(self, mp: M) -> str:
        frame = getattr(mp.thread, "gr_frame", None)
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def close(self, mp: M) -> None:
        """Nothing to close."""
