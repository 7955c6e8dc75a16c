"""`explore`: run a program under every schedule with few preemptions, until one fails.

Depth first by replay: a schedule is a list of deviations from "go on until you cannot", each a choice point and the
task that goes on there. A run is followed by its children: one more deviation behind its last. Going on to another task
where the current one could have gone on is a *preemption*; most concurrency bugs need one or two (CHESS, Musuvathi
and Qadeer, PLDI 2007).

Only cells that two tasks touch, one of them writing, need choice points. Which those are is learned: random walks show
most, and whenever a run shows a new one the search begins anew with it. It ends with a full pass that shows no new one.

Rejected: dynamic partial order reduction, which explores without a bound, and needs happens-before clocks of
everything a run does; and random schedules alone, which are offered too (`walks`), for what is too large.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from random import Random
from types import NoneType
from typing import Any, Final

from greenlet import getcurrent, greenlet

from ..arguments import INT, PROCS, Rule, check_arguments, whole
from ..current import tls
from ..errors import MpgError
from ..plain import PLAIN
from ..port import GO, HOST, HOST_GIL, Capabilities
from ..sched.boot import boot, end_m, outcome
from ..sched.proc import schedule
from ..sched.runq import drop_fresh
from .cells import XG, XP, XRing, XSched, here
from .choices import Key, Mark
from .port import ExplorerPort

__all__ = ["Explored", "ScheduleError", "explore"]

LEARNING: Final = 40  #: random walks before an exhaustive search

DIFFERS: Final = "the program differs from run to run: with the same schedule it does something else"

WORLDS: Final = {"host": HOST, "host-gil": HOST_GIL, "go": GO}

ARGUMENTS: Final = {
    "preemptions": whole(0),
    "procs": PROCS,
    "walks": whole(0),
    "seed": INT,
    "most": whole(1),
    "replay": Rule("a sequence of ints", (Sequence, NoneType), lambda schedule: True),
}


@dataclass(frozen=True, slots=True)
class Explored:
    """What an exploration came to, if no schedule failed.

    Attributes:
        schedules: how many were run in the last full pass, or in all walks.
        complete: every schedule with at most `preemptions` of them was run.
        points: the most choice points of one run.
        cells: how many cells two tasks share.
        seconds: wall time.
    """

    schedules: int
    complete: bool
    points: int
    cells: int
    seconds: float


class ScheduleError(MpgError, AssertionError):
    """A schedule has failed; its cause is what failed.

    Attributes:
        schedule: small ints; `explore(main, replay=schedule)` runs it again.
    """

    def __init__(self, schedule: Sequence[int], cause: BaseException, n: int) -> None:
        super().__init__(f"schedule {list(schedule)}, the {n}. tried, fails: {type(cause).__name__}: {cause}")
        self.schedule = list(schedule)


def explore(
    main: Callable[..., Any],
    *args: Any,
    preemptions: int = 2,
    procs: int = 2,
    like: str | Capabilities = "host",
    windowed: bool = False,
    walks: int = 0,
    seed: int = 0,
    replay: Sequence[int] | None = None,
    most: int = 1_000_000,
    checks: bool = False,
) -> Explored:
    """Run `main(*args)` under every schedule of its M's with at most so many preemptions, on the real scheduler.

    Args:
        main: an ordinary mpg program that can be run again and again: what it uses it makes itself. It fails by
            raising, by a deadlock, or by breaking an invariant of the scheduler. `mpg.work` and `explorer.pause`
            compute until everybody else has nothing left to do.
        procs: of P's. Two or three are enough for most bugs; the time grows quickly.
        like: the world, as for `mpg.simulate`.
        windowed: choose only inside of `with explorer.window():` in main.
        walks: instead, so many random walks from `seed`, of up to `preemptions` preemptions each.
        replay: instead, this one schedule, of a ScheduleError.
        checks: check the invariants that hold at every step at every choice point too. For the development of the
            scheduler: it takes three times as long.
        most: schedules after which an exhaustive search is given up; the result then is not `complete`.

    Raises:
        ScheduleError: a schedule fails.
        RuntimeError: inside a run.
        TypeError, ValueError: bad arguments.
        ValueError: `replay` does not fit the program; or the program differs from run to run, so that
            no schedule says what it does.

    Warns:
        RuntimeWarning: no cell was shared by two tasks, so there was only one schedule and nothing has been shown.
    """
    if tls.m is not PLAIN or here.port is not None:
        raise RuntimeError("mpg.explore inside a run: call it from an ordinary thread")
    if not callable(main):
        raise TypeError(f"mpg.explore needs a function, not {type(main).__name__}")
    if not isinstance(like, Capabilities) and not (isinstance(like, str) and like in WORLDS):
        raise ValueError(f"like is one of {', '.join(WORLDS)}, or Capabilities, not {like!r}")
    numbers = {"preemptions": preemptions, "procs": procs, "walks": walks, "seed": seed, "most": most}
    check_arguments(ARGUMENTS, {**numbers, "replay": replay})
    caps = like if isinstance(like, Capabilities) else WORLDS[like]
    search = Search(main, args, caps, procs, windowed, checks)
    if replay is not None:
        search.replay(replay)
        return search.result()
    search.run_twice()
    if walks:
        search.walk(walks, seed, preemptions)
    else:
        search.exhaust(preemptions, most)
    found = search.result()
    if not found.cells and (walks or found.schedules == 1):
        lazy = "" if caps.eager_wakep else ": in this world M's are woken by sysmon, which is not explored"
        warnings.warn(
            f"no two M's or threads shared anything, so there is one schedule{lazy}",
            RuntimeWarning,
            stacklevel=2,
        )
    return found


class Search:
    """The schedules of one program."""

    def __init__(
        self, main: Any, args: Any, caps: Capabilities, procs: int, windowed: bool, checks: bool = False
    ) -> None:
        self.main, self.args, self.caps, self.procs, self.windowed = main, args, caps, procs, windowed
        self.checks = checks
        self.active: set[Key] = set()
        self.grown = False  # the last run has shown a new shared cell
        self.schedules = 0
        self.complete = False
        self.points = 0
        self.began = time.perf_counter()

    def result(self) -> Explored:
        seconds = time.perf_counter() - self.began
        return Explored(self.schedules, self.complete, self.points, len(self.active), seconds)

    def replay(self, schedule: Sequence[int]) -> None:
        """Run the one schedule."""
        if len(schedule) % 2 or not all(isinstance(n, int) and not isinstance(n, bool) for n in schedule):
            raise ValueError(f"a schedule is pairs of ints, a choice point and a task each, not {schedule!r}")
        pairs = list(zip(schedule[::2], schedule[1::2], strict=True))
        if not self.run(pairs, 0):
            raise ValueError(f"this schedule does not fit the program: {list(schedule)}")

    def run_twice(self) -> None:
        """The same schedule twice must be the same run."""
        logs: list[list[Any]] = [[], []]
        for log in logs:
            self.run([], 0, Random(0), log=log)
        if logs[0] != logs[1]:
            raise ValueError(DIFFERS)
        self.schedules = 0

    def exhaust(self, preemptions: int, most: int) -> None:
        """Passes over all schedules, until one of them shows no new shared cell."""
        failure = None
        for n in range(LEARNING):
            try:
                self.walk(1, n, LEARNING // 4)
            except ScheduleError as exc:  # the search may find a shorter one
                failure = failure or exc
        for bound in range(preemptions + 1):  # what needs fewer is found with fewer
            while not self.one_pass(bound, most):
                pass
        if failure is not None:
            raise failure

    def one_pass(self, preemptions: int, most: int) -> bool:
        """False if a new shared cell has been seen."""
        self.schedules = 0
        stack: list[tuple[list[tuple[int, int]], int, dict[int, Mark]]] = [([], preemptions, {})]
        while stack and self.schedules < most:
            plan, budget, marks = stack.pop()
            port = self.run(plan, budget, marks=marks)
            if port is None:
                raise ValueError(DIFFERS)
            if self.grown:
                return False
            for n, tasks, cost, mark in port.branches:
                if cost <= budget:
                    where = {**marks, n: mark}
                    stack.extend(([*plan, (n, index)], budget - cost, where) for index in tasks)
        self.complete = not stack
        return True

    def learn(self, port: ExplorerPort) -> bool:
        """True if a run has shown a new shared cell."""
        shared = {key for key, (_, others, written) in port.touched.items() if others and written}
        new = not shared <= self.active
        self.active |= shared
        return new

    def walk(self, walks: int, seed: int, preemptions: int) -> None:
        """Random walks; every cell is a choice point."""
        for n in range(walks):
            self.run([], preemptions, Random(f"{seed} {n}"))

    def run(
        self,
        plan: list[tuple[int, int]],
        budget: int,
        walker: Random | None = None,
        *,
        marks: dict[int, Mark] | None = None,
        log: list[Any] | None = None,
    ) -> ExplorerPort | None:
        """One run; None if the plan does not fit. Raises ScheduleError if it fails."""
        self.schedules += 1
        active: Any = Everything() if walker is not None else self.active
        port = ExplorerPort(self.caps, plan, active, budget)
        port.walker, port.log, port.marks, port.checks = walker, log, marks or {}, self.checks
        try:
            execute(port, self.main, self.args, self.procs, self.windowed)
        except Exception as exc:
            if port.misfit or port.unmet:
                return None
            deviations = plan if walker is None else port.taken
            flat = [number for pair in deviations for number in pair]
            raise ScheduleError(flat, exc, self.schedules) from exc
        finally:
            self.grown = self.learn(port)
        self.points = max(self.points, port.n)
        return None if port.misfit or port.unmet else port


class Everything:
    """A set of all keys."""

    def __contains__(self, key: object) -> bool:
        return True


def execute(port: ExplorerPort, main: Any, args: Any, procs: int, windowed: bool) -> Any:
    """One run of the program on this port."""
    context = copy_context()
    here.port = port

    def prepare(sched: Any) -> None:
        port.sched = sched
        sched.__class__ = XSched
        sched.globq = XRing(("global queue",))
        sched.new_m_object = port.m_class()
        sched.new_p = XP
        sched.stall_report_ns = 0

    def world() -> None:
        port.hub = getcurrent()
        tls.m = port.outside
        sched, m0 = boot(port, procs, main, args, context, prepare=prepare)
        sched.main.__class__ = XG

        def m0_main(mp: Any) -> None:
            port.open = not windowed
            schedule(mp)
            port.ending = True
            drop_fresh(sched)
            end_m(mp)

        port.start_m(m0, m0_main)
        port.loop()

    try:
        greenlet(world).switch()
        value = outcome(port.sched)
        for gp in port.sched.failed_late:  # what a `finally` asserts counts
            assert gp.exc is not None
            raise gp.exc
        return value
    finally:
        here.port = None
        tls.m = PLAIN
