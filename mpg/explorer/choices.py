"""Choices: one task runs at a time, and the plan says at which choice points another one goes on.

At each choice point (`point`) the plan says whether another task goes on; where the current one cannot go on, the plan
may say which one does, and else the first that can does. So a plan is a short list of deviations, and a run is
determined by its program and its plan.

* Choice points count only while the window is open (`open`): what comes before prepares the state, what comes after
  brings the run to its end.
* Time stands still until nobody can go on, then it jumps to the first deadline; going on earlier to somebody who
  sleeps towards a deadline is a deviation too, since the others may be arbitrarily slow.
* `pause` is a computation of the program that lasts until everybody else has nothing to do. When all that is left
  are pauses, the invariants are checked: no M is inside the scheduler. With `checks` those that hold at every step
  are checked at every choice point too, which takes three times as long.
* A deviation belongs to a task and a cell (`Mark`). One that is not met, or names somebody who cannot go on, makes the
  plan a misfit: it was made for another program, or the program is not the same each time.
* Somebody may wait in a loop for what another is about to do. So after `PATIENCE` choice points it is another's turn.

Whoever waits for ever for a lock, or sleeps while there is work, is found when nobody can go on.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from greenlet import getcurrent

from ..current import tls
from ..errors import SimulationError
from .invariants import check, check_step
from .tasks import ASLEEP, DONE, LOCK, PAUSED, READY, TIMED, Task

if TYPE_CHECKING:
    from ..sched.schedt import Sched

__all__ = ["YIELD", "Branch", "Choices", "Key", "Mark", "Stuck"]

#: The name of a cell
Key = tuple[Any, ...]
#: Where a deviation belongs: the task that is about to operate, and on which cell; None where nobody can go on
Mark = tuple[int, Key] | None
#: (choice point, the tasks that might go on, what that costs, where)
Branch = tuple[int, list[int], int, Mark]

YIELD: Final = ("yield",)  #: the cell of `explorer.point`

PATIENCE: Final = 2_000  #: choice points after which a task that waits in a loop lets others go on
LONGEST: Final = 20_000  #: choice points of one run; beyond that it goes round in circles


class Stuck(SimulationError):
    """Nobody can go on, and the run is not over; or it never ends."""


class Choices:
    """The tasks of one run, and who goes on."""

    sched: Sched

    def __init__(self, plan: list[tuple[int, int]], active: set[Key], budget: int) -> None:
        self.plan = dict(plan)
        self.last = max(self.plan, default=-1)  # branches are looked for behind it
        self.active = active
        self.budget = budget  # preemptions that are left behind `last`
        self.walker: Random | None = None  # walks at random instead
        self.time = 1
        self.hub: Any = None
        self.tasks: list[Task] = []
        self.current: Task | None = None
        self.next: Task | None = None
        self.open = False
        self.ending = False  # the run ends: no more choices
        self.n = 0
        self.steps = 0
        self.resumed = 0  # the choice point at which the current task was resumed
        self.branches: list[Branch] = []
        self.touched: dict[Key, list[Any]] = {}  # cell: [first task, others too?, written?]
        self.taken: list[tuple[int, int]] = []  # deviations of a random walk
        self.marks: dict[int, Mark] = {}  # where the deviations of the plan belong, as far as is known
        self.unmet = set(self.plan)  # deviations that have not come up
        self.misfit = False
        self.log: list[Mark] | None = None  # every choice point, to compare two runs
        self.checks = False

    # Choice points.

    def point(self, key: Key, write: bool) -> None:
        """The current task is about to operate on a cell."""
        task = self.current
        if task is None:
            return
        found = self.touched.get(key)
        if found is None:
            self.touched[key] = [task, False, write]
        else:
            if found[0] is not task:
                found[1] = True
            if write:
                found[2] = True
        n = self.n
        self.n = n + 1
        if self.log is not None:
            self.log.append((task.index, key))
        if self.checks:
            self.check_step()
        if n > LONGEST:
            raise Stuck(f"{LONGEST} operations on shared cells, and no end")
        if n - self.resumed > PATIENCE:
            self.resumed = n
            others = self.others(task)
            if others:
                self.next = self.tasks[others[0]]
                self.leave(task)
        if self.ending or (key not in self.active and key is not YIELD and n not in self.plan):
            return
        index = self.decide(n, task, key)
        if index is not None:
            self.next = self.tasks[index]
            self.leave(task)

    def check_step(self) -> None:
        """What holds at every step; looking is no operation on a cell."""
        was_open, self.open = self.open, False
        try:
            if not self.sched.stopping:
                check_step(self.sched)
        finally:
            self.open = was_open

    def decide(self, n: int, task: Task, key: Key) -> int | None:
        """Who goes on at choice point `n` instead of `task`; None: nobody."""
        if n in self.plan:
            return self.planned(n, self.others(task), (task.index, key))
        if self.walker is not None:
            others = self.others(task)
            if self.budget and others and self.walker.random() < 0.1:
                self.budget -= 1
                index = others[int(self.walker.random() * len(others))]
                self.taken.append((n, index))
                return index
        elif n > self.last and self.budget:
            others = self.others(task)
            if others:
                self.branches.append((n, others, 1, (task.index, key)))
        return None

    def planned(self, n: int, able: list[int], mark: Mark) -> int | None:
        """Who goes on by the plan, if that fits."""
        index = self.plan[n]
        self.unmet.discard(n)
        if index in able and self.marks.get(n, mark) == mark:
            return index
        self.misfit = True
        return None

    def others(self, task: Task) -> list[int]:
        """The tasks that could go on instead."""
        out = [t.index for t in self.tasks if t is not task and self.can_go_on(t)]
        first = self.first_deadline()
        if first is not None:
            out.append(first.index)
        return out

    @staticmethod
    def can_go_on(task: Task) -> bool:
        state = task.state
        return state is READY or (state is LOCK and not task.lock.held) or (state is ASLEEP and task.noted)

    def first_deadline(self) -> Task | None:
        timed = [t for t in self.tasks if t.state is TIMED]
        return min(timed, key=lambda t: (t.when, t.index)) if timed else None

    def leave(self, task: Task) -> None:
        """To the hub, which resumes somebody; back when it is this task's turn."""
        task.glet = getcurrent()
        self.hub.switch()

    def wait(self, state: str) -> None:
        """The current task cannot go on."""
        task = self.current
        assert task is not None
        task.state = state
        self.leave(task)

    # The hub.

    def loop(self) -> None:
        """Resume one task after another until none is left."""
        while True:
            task = self.next or self.choose()
            if task is None:
                return
            self.next = None
            if task.state is TIMED and task.when > self.time:
                self.time = task.when
            task.state = READY
            task.noted = False
            self.current = task
            self.resumed = self.n
            tls.m = task.who
            task.glet.switch()

    def choose(self) -> Task | None:
        """The last one cannot go on: who does?"""
        self.steps += 1
        if self.steps > LONGEST:
            raise Stuck("the M's wake each other for ever")
        able = [t for t in self.tasks if self.can_go_on(t)]
        if len(able) > 1 and self.open and not self.ending:
            n = self.n
            self.n = n + 1
            if n in self.plan:
                index = self.planned(n, [t.index for t in able], None)
                return able[0] if index is None else self.tasks[index]
            if self.walker is not None:
                task = able[int(self.walker.random() * len(able))]
                self.taken.append((n, task.index))
                return task
            if n > self.last:
                self.branches.append((n, [t.index for t in able[1:]], 0, None))
        if able:
            return able[0]
        return self.first_deadline() or self.resume_paused()

    def resume_paused(self) -> Task | None:
        """All is quiet."""
        locked = [t for t in self.tasks if t.state is LOCK]
        if locked:
            raise Stuck(f"{len(locked)} threads wait for each other's locks: {[t.lock.name for t in locked]}")
        if not self.sched.stopping:
            check(self.sched)
        paused = [t for t in self.tasks if t.state is PAUSED]
        for task in paused:
            task.state = READY
        if paused:
            return paused[0]
        left = [t for t in self.tasks if t.state is not DONE]
        if left:
            raise Stuck(f"lost wake-up: {len(left)} threads sleep, and nobody will wake them")
        return None

    def pause(self) -> None:
        """Compute until everybody else has nothing to do."""
        self.wait(PAUSED)
