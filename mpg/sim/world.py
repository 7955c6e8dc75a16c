"""World: virtual time, and who goes on.

A heap of (time, seq, who). One M runs at a time, until it sleeps or time has to pass for it; then time jumps to the
next entry. Ties go by sequence number and all randomness comes from one seeded Random, so a run is determined by its
program and its seed. `tls.m` is rewritten each time an M is resumed.

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

import warnings
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from ..current import tls
from ..errors import SimulationError
from ..sched.finish import live_gs
from ..sched.g import inner
from ..status import GRUNNABLE, GRUNNING

if TYPE_CHECKING:
    from ..port import Capabilities
    from ..sched.schedt import Sched
    from .costs import Costs

__all__ = ["PATIENCE", "At", "World"]

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


class World:
    """The time of one simulation, and whose turn it is."""

    sched: Sched
    outside: Any  # what `tls.m` is while the world itself acts

    def __init__(self, caps: Capabilities, costs: Costs, patience: int) -> None:
        self.caps = caps
        self.costs = costs
        self.time = 1  # 0 means "no deadline" everywhere
        self.seq = count(1)
        self.heap: list[tuple[int, int, Any]] = []
        self.hub: Any = None
        self.holder: Any = None  # who works, where there is a GIL
        self.waiters: deque[Any] = deque()  # who waits for the GIL
        self.drop: At | None = None
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
