"""SimPort: M's are greenlets, time is virtual.

The world is a heap of (time, seq, who). One M runs at a time, until it sleeps or time has to pass for it; then
time jumps to the next entry. Ties go by sequence number and all randomness comes from one seeded Random, so a
run is determined by its program and its seed. `tls.m` is rewritten each time an M is resumed.

Time passes for an M in three ways: it *sleeps* (a wake-up may end that), it *works* (the doorbell may interrupt
that: preemption), or a step of the scheduler or an operation of its G is charged to it (nothing ends that). Where
nothing else is due before, time advances on the spot and no switch is made.

Every operation of mpg looks at the doorbell first, and that look is counted and charged (`Steps.attn`): a program that
polls comes to its end, or to that of the world's patience. What is owed is paid in lumps, because a switch between
M's for each operation would make the simulator several times slower.

Where one M at a time runs Python (`parallel` is False), whoever works holds the GIL. An M that wakes meanwhile
waits for it, and asks for it after the switch interval; the one that worked then queues behind it.

Rejected: a clock for each M that runs ahead of the others, which is faster and makes the order of two M's acts
depend on who was simulated first.
"""

from __future__ import annotations

import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import log
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent, greenlet

from ..current import tls
from ..errors import SimulationError
from ..port import Capabilities, Lock, Rng, Stack, TokenLock
from ..sched.finish import live_gs
from ..sched.idle import pidletake_locked
from ..sched.mlife import startm
from ..sched.proc import checkpoint
from ..sched.structs import inner
from ..seconds import to_ns
from ..status import GRUNNABLE, GRUNNING
from ..trace.events import MWake
from ..work import stall, work
from .costs import Costs
from .locks import OrderedLock, SimLock
from .outside import Outsider, Spare
from .steps import SLEEPING, WORKING

if TYPE_CHECKING:
    from ..sched.structs import M, P, Sched

__all__ = ["At", "SimPort"]

_worlds = count(1)

PATIENCE = 10_000_000  #: steps without any time passing
NAMED = 10  #: G's in that message
LOOK = 1_000  #: so many operations of a G without any time passing, and others who are due go first
LONG_STEP = 1.0  #: seconds of wall time


class At:
    """Something that the world does by itself at a time."""

    exited = False
    thread = None

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.note = 0


class SimPort:
    """`mpg.port.Port` in virtual time."""

    StackExit = GreenletExit

    def __init__(self, caps: Capabilities, costs: Costs, seed: int, *, patience: int = PATIENCE) -> None:
        self.world = next(_worlds)
        self.caps = caps
        self.costs = costs
        self.rng = Random(seed)
        self.program_rng = Random(f"mpg {seed}")
        self.time = 1  # 0 means "no deadline" everywhere
        self.seq = count(1)
        self.heap: list[tuple[int, int, Any]] = []
        self.hub: Any = None
        self.sched: Sched
        self.outside = Outsider(self)
        self.spares: list[Spare] = []  # idle ones, LIFO
        self.holder: Any = None  # who works, where there is a GIL
        self.waiters: deque[Any] = deque()  # who waits for the GIL
        self.drop: At | None = None
        self.ended = 0  # when the run ended; the world goes on until nothing is left in the heap
        self.arrivals = 0  # sources that have not run dry
        self.retry_rate = 0.0
        self.retrying: set[int] = set()  # P's whose next attempt is planned
        self.stats = {"spawns": 0, "attempts": 0, "steals": 0}
        self.steps = 0
        self.patience = patience
        self.limit = patience
        self.every = min(LOOK, patience)
        self.look = self.every  # at this many steps an operation looks if somebody else is due
        self.running: Any = None  # the G that runs now, or ran last
        self.busy = 0  # ns for which P's ran G's, up to the last change of each M
        self.stepped = perf_counter()
        self.warned = False
        self.watch: Callable[[float], None] | None = None  # is told the wall time at each step
        self.check: Callable[[Sched], None] | None = None  # invariants, when no M is inside the scheduler
        self.check_step: Callable[[Sched], None] | None = None  # the same for those that hold at every step
        self.looks_everywhere = True  # does an M that gives up its P leave no work behind?
        self.order: Any = None  # of locks, if that is checked
        self.check_every = 1
        self.checks = 0
        self.quiets = 0  # such moments

    # The clock.

    def now(self) -> int:
        return self.time

    def resume_at(self, who: Any, when: int) -> None:
        """Resume `who` at `when`; a later call for the same one replaces this."""
        who.note = next(self.seq)
        heappush(self.heap, (when, who.note, who))

    def at(self, when: int, act: Callable[[], None]) -> At:
        """Have the world call `act()` at `when`."""
        event = At(act)
        self.resume_at(event, when)
        return event

    def advance(self, when: int) -> None:
        self.time = when
        self.limit = self.steps + self.patience
        self.look = self.steps + self.every

    def world_loop(self) -> None:
        """Resume whoever is next until nobody is left. On the hub."""
        heap = self.heap
        while heap:
            when, seq, who = heappop(heap)
            if who.note != seq or who.exited:
                continue
            if self.check_step is not None:
                self.checked()
            if when > self.time:
                if self.check is not None and self.quiet():
                    self.quiets += 1
                    if self.quiets % self.check_every == 0:
                        self.check(self.sched)
                self.advance(when)
            who.note = 0
            self.steps += 1
            if self.steps > self.limit:
                self.no_progress()
            if who.thread is None:
                tls.m = self.outside
                who.act()
            elif self.holder is not None and who is not self.holder:
                self.wait_for_gil(who)
            else:
                tls.m = who
                self.running = who.curg
                who.thread.switch()

    def checked(self) -> None:
        """Check the invariants of every step, if it is their turn."""
        self.checks += 1
        if self.checks % self.check_every == 0 and not self.sched.stopping:
            assert self.check_step is not None
            self.check_step(self.sched)

    def quiet(self) -> bool:
        """Does every M sleep or work?"""
        return not self.sched.stopping and all(mp.doing or mp.exited for mp in self.sched.allm)  # type: ignore[attr-defined]

    def leave_to_hub(self, who: Any) -> None:
        who.thread = getcurrent()
        self.hub.switch()

    def pass_time(self, who: Any, ns: int) -> None:
        """`ns` pass for `who`, which is the caller; less if somebody resumes it earlier."""
        when = self.time + ns
        if not self.heap or self.heap[0][0] > when:
            self.advance(when)
            return
        gil = not self.caps.parallel
        if gil:
            self.holder = who
        self.resume_at(who, when)
        self.leave_to_hub(who)
        if gil and self.holder is who:
            self.let_go()

    def step(self, mp: Any, cost: int) -> None:
        """One step of the scheduler on `mp`, which is the caller: count it, charge it and what is owed."""
        self.steps += 1
        if self.steps > self.limit:
            self.no_progress()
        if self.check_step is not None:
            self.checked()
        wall = perf_counter()
        if wall - self.stepped > LONG_STEP and not self.warned:
            self.warn(wall - self.stepped)
        self.stepped = wall
        if self.watch is not None:
            self.watch(wall)
        cost += mp.debt
        if cost:
            mp.debt = 0
            self.pass_time(mp, cost)

    def operate(self, mp: Any) -> None:
        """An operation of the G on `mp`, which is the caller, owes enough, or is one of very many at one time."""
        if self.steps > self.limit:
            self.no_progress()
        self.look = self.steps + self.every
        wall = perf_counter()
        if wall - self.stepped > LONG_STEP and not self.warned:
            self.warn(wall - self.stepped)
        self.stepped = wall
        debt = mp.debt
        if debt:
            mp.debt = 0
            self.pass_time(mp, debt)
        elif self.heap and self.heap[0][0] <= self.time:
            self.resume_at(mp, self.time)
            self.leave_to_hub(mp)

    def warn(self, seconds: float) -> None:
        """A step has taken long: say who did that, once."""
        self.warned = True
        gp = self.running
        code = getattr(inner(getattr(gp, "fn", None)), "__code__", None)
        where = f" at {code.co_filename}:{code.co_firstlineno}" if code is not None else ""
        who = "the world" if gp is None else f"goroutine {gp.id} ({gp.name}){where}"
        warnings.warn(
            f"a step of the simulation took {seconds:.1f} s of real time in {who}, virtual time "
            f"{(self.time - 1) / 1e9:.9f} s: calls other than mpg.work and mpg.stall take no virtual time",
            RuntimeWarning,
            stacklevel=4,
        )

    def ran(self) -> int:
        """For how many ns P's have run G's, all together."""
        since: list[int] = [mp.since for mp in self.sched.allm]  # type: ignore[attr-defined]
        return self.busy + sum(self.time - t for t in since if t >= 0)

    def no_progress(self) -> None:
        busy = [gp for gp in live_gs(self.sched) if gp.atomicstatus in (GRUNNABLE, GRUNNING)]
        busy += [mp.curg for mp in self.sched.allm if mp.curg is not None and mp.curg not in busy]
        names = [f"{gp.id} ({gp.name})" for gp in sorted(busy, key=lambda gp: gp.id)]
        if len(names) > NAMED:
            names[NAMED:] = [f"{len(names) - NAMED} more"]
        self.limit = self.steps + self.patience
        hint = "" if self.costs.op else ". Operations are free: who polls needs costs with an `op`"
        raise SimulationError(
            f"{self.patience} steps without any virtual time passing, at {self.place()}; busy: "
            f"goroutine {', '.join(names) or 'none'}{hint}"
        )

    def place(self) -> str:
        """Where we are, for messages: the G and the virtual time."""
        gp = tls.m.curg
        who = "the scheduler" if gp is None else f"goroutine {gp.id} ({gp.name})"
        return f"{who}, virtual time {(self.time - 1) / 1e9:.9f} s"

    # The GIL.

    def wait_for_gil(self, who: Any) -> None:
        self.waiters.append(who)
        if self.drop is None:
            self.drop = self.at(self.time + self.costs.switch_interval, self.drop_gil)

    def drop_gil(self) -> None:
        """The switch interval is over: the holder queues behind those who wait."""
        self.drop = None
        holder = self.holder
        if holder is not None and self.waiters:
            self.let_go()
            self.resume_at(holder, self.time)

    def let_go(self) -> None:
        """Nobody holds the GIL now: let those who wait try again, in order."""
        self.holder = None
        while self.waiters:
            self.resume_at(self.waiters.popleft(), self.time)

    # M's.

    def new_lock(self) -> Lock:
        return SimLock(self.world) if self.order is None else OrderedLock(self)

    def new_token_lock(self) -> TokenLock:
        return SimLock(self.world) if self.order is None else OrderedLock(self, primitive=True)

    def new_ring(self) -> Any:
        return deque()

    def new_slot(self) -> Any:
        return []

    def new_rng(self) -> Rng:
        return self.rng

    def new_stack(self, mp: M, run: Callable[..., None]) -> Stack:
        return greenlet(run, mp.g0)

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

    def retry_later(self, pp: P) -> None:
        """An attempt to steal was in vain: `pp` tries again after an exponential time, if it is still idle."""
        if self.retry_rate and pp.id not in self.retrying:  # exponential times forget: the planned one serves
            self.retrying.add(pp.id)
            self.at(self.time + int(exponential(self.rng, self.retry_rate) * 1e9), partial(self.retry, pp))

    def retry(self, pp: P) -> None:
        self.retrying.discard(pp.id)
        with self.sched.lock:
            idle = not self.sched.stopping and pidletake_locked(self.sched, pp)
        if idle:
            startm(self.sched, pp, False)

    # The program.

    def work(self, mp: Any, ns: int) -> None:
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
        if getattr(mp, "insyscall", False):
            ns += self.costs.syscall_enter + self.costs.syscall_exit
        self.resume_at(mp, self.time + ns)
        self.leave_to_hub(mp)

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


def exponential(rng: Rng, rate: float) -> float:
    """A waiting time of mean 1/rate."""
    return -log(1.0 - rng.random()) / rate


def exponentials(rng: Rng, rate: float) -> Iterator[float]:
    """Without end: the gaps of a Poisson process."""
    while True:
        yield exponential(rng, rate)
