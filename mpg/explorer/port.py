"""ExplorerPort: a world in which another M may go on before any operation on a shared cell.

M's are greenlets, as in the simulator, and nothing takes time. Who goes on, and when, is `choices.py`; what stops
before each operation is `cells.py`; this is what the scheduler asks of a port.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from greenlet import GreenletExit, greenlet

from ..current import Carrier, tls
from ..port import Capabilities, Lock, Rng, Stack, TokenLock
from ..sched.doorbell import checkpoint
from ..sched.netpoll import PollDesc, deliver
from .cells import XLock, XMovableM, XPinnedM, XRing, XSlot, here
from .choices import Choices, Key
from .invariants import LockOrder
from .tasks import ASLEEP, DONE, LOCK, TIMED, Outside, Spare, Task

if TYPE_CHECKING:
    from ..sched.schedt import Sched
    from ..sched.structs import M

__all__ = ["ExplorerPort"]

LOOP_NS: Final = 1_000  #: whoever sleeps towards a deadline that is over loops, and even that takes time

_worlds = count(1_000_000_000)


class ExplorerPort(Choices):
    """`mpg.port.Port` for one run of an exploration."""

    StackExit = GreenletExit

    def __init__(
        self, caps: Capabilities, plan: list[tuple[int, int]], active: set[Key], budget: int, seed: int = 0
    ) -> None:
        super().__init__(plan, active, budget)
        self.world = next(_worlds)
        self.caps = caps
        self.rng = Random(seed)
        self.outside = Outside(self)
        self.prepared = count(1)
        self.timer_locks: list[XLock] = []
        self.armed: dict[int, PollDesc] = {}
        self.events: list[tuple[M, int, int]] = []  # that their M has not seen

    # The order of locks.

    def took(self, lock: XLock) -> None:
        """The current task has acquired a lock."""
        if self.current is not None:
            self.current.order.took(lock)

    def gave_back(self, lock: XLock) -> None:
        if self.current is not None:
            self.current.order.gave_back(lock)

    def rank(self, lock: XLock) -> int:
        """Whose lock it is, as an index of RANKS."""
        sched = self.sched
        if lock is sched.lock:
            return 1
        sysmon = [sched.sysmon] if sched.sysmon is not None else []
        if any(lock is mp.lock for mp in (*sched.allm, *sysmon)):
            return 3
        return 2 if any(lock is other for other in self.timer_locks) else 0

    # Threads.

    def thread(self, run: Callable[[], None], who: Any = None) -> None:
        """Start a task that runs `run()`, as an ordinary thread unless `who` is an M."""
        task = Task(len(self.tasks), who or self.outside, LockOrder(self.rank))
        self.tasks.append(task)

        def main() -> None:
            run()
            task.state = DONE

        task.glet = greenlet(main, self.hub)

    # M's.

    def now(self) -> int:
        return self.time

    def name(self, what: str) -> Key:
        task = self.current
        return (what, "setup", next(self.prepared)) if task is None else (what, task.index, next(task.made))

    def new_lock(self) -> Lock:
        return XLock(self.name("lock"))

    new_owned_lock = new_lock

    def new_token_lock(self) -> TokenLock:
        return XLock(self.name("lock"))

    def new_ring(self) -> Any:
        return XRing(self.name("ring"))

    def new_slot(self) -> Any:
        return XSlot(self.name("slot"))

    def new_rng(self) -> Rng:
        return self.rng

    def new_stack(self, mp: M, run: Callable[..., None]) -> Stack:
        return Carrier(run, mp)

    def m_class(self) -> Any:
        return XMovableM if self.caps.stacks_move else XPinnedM

    def start_m(self, mp: M, run: Callable[[M], None]) -> None:
        task = Task(len(self.tasks), mp, LockOrder(self.rank))
        self.tasks.append(task)
        mp.thread = task

        def main() -> None:
            run(mp)
            mp.exited = True
            task.state = DONE

        mp.g0 = task.glet = greenlet(main, self.hub)

    def sleep(self, mp: M, until: int) -> None:
        task = mp.thread
        if task.noted:
            task.noted = False
        elif until:
            task.when = max(until, self.time + LOOP_NS)
            self.wait(TIMED)
        else:
            self.wait(ASLEEP)
        self.netpoll(mp)

    def wakeup(self, mp: M) -> None:
        task = mp.thread
        task.noted = True
        if task.state is TIMED:
            task.state = ASLEEP

    def usleep(self, mp: M, ns: int) -> None:
        task = self.current
        assert task is not None
        task.when = self.time + ns
        self.wait(TIMED)

    def work(self, mp: Any, ns: int) -> None:
        if mp.attn and not mp.insyscall:
            checkpoint(mp)
        self.pause()
        mp = tls.m
        if mp.attn and not mp.insyscall:
            checkpoint(mp)

    def stall(self, mp: Any, ns: int) -> None:
        self.usleep(mp, ns)

    def wait_for_lock(self, lock: XLock) -> None:
        assert self.current is not None
        self.current.lock = lock
        self.wait(LOCK)

    def blocking_call(self, fn: Callable[..., Any], cost: float | None) -> Callable[..., Any]:
        return fn

    def offload(self, call: Callable[[Any], None]) -> None:
        spare = Spare(self)
        self.thread(partial(call, spare), spare)

    # I/O: descriptors without sockets, which become ready when the program under exploration says so.

    def arm(self, mp: M, pd: PollDesc, write: bool) -> None:
        pd.armed = True
        self.armed[pd.fd] = pd

    def stir(self, fd: int, mask: int) -> None:
        """The kernel makes a descriptor ready and ends the sleep of the M that watches it."""
        pd = self.armed[fd]
        self.events.append((pd.mp, fd, mask))
        self.wakeup(pd.mp)

    def netpoll(self, mp: M) -> bool:
        mine = [(fd, mask) for owner, fd, mask in self.events if owner is mp]
        self.events = [event for event in self.events if event[0] is not mp]
        return bool(mine) and deliver(mp, mine, self.armed) > 0

    # What there is none of.

    def watch_term(self, sched: Sched, on: bool) -> None:
        """Signals are the real world's."""

    def foreign_threads(self) -> bool:
        return any(t.state is not DONE and t.who is self.outside for t in self.tasks)

    def others_alive(self, idents: set[int]) -> bool:
        return False

    def cpu_time(self, mp: M) -> int:
        return -1

    def where(self, mp: M) -> str:
        return ""

    def close(self, mp: M) -> None:
        """Nothing to close."""


assert here.port is None
