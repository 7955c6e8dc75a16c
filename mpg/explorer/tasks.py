"""Tasks: who may run in an exploration. An M, a spare M, or an ordinary thread of the test; each is a greenlet."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..errors import SimulationError

if TYPE_CHECKING:
    from .invariants import LockOrder
    from .port import ExplorerPort

__all__ = ["ASLEEP", "DONE", "LOCK", "PAUSED", "READY", "TIMED", "Outside", "Spare", "Task"]

READY: Final = "ready"
LOCK: Final = "waits for a lock"
ASLEEP: Final = "sleeps"
TIMED: Final = "sleeps towards a deadline"
PAUSED: Final = "computes"
DONE: Final = "done"


class Task:
    """Somebody who may run: `who` is what `tls.m` is meanwhile."""

    __slots__ = ("glet", "index", "lock", "made", "noted", "order", "state", "when", "who")

    def __init__(self, index: int, who: Any, order: LockOrder) -> None:
        self.index = index
        self.who = who
        self.glet: Any = None
        self.state = READY
        self.lock: Any = None  # that it waits for
        self.order = order
        self.when = 0
        self.noted = False
        self.made = count(1)  # names what it makes


class Outside:
    """An ordinary thread in this world: in a task of the test, and in spare M's."""

    id = -1
    attn = True
    curg = None
    p = None
    rec = None
    sched = None
    turns = 0
    run_id = 0
    insyscall = False

    def __init__(self, port: ExplorerPort) -> None:
        self.port = port
        self.world = port.world
        self.rng = port.rng
        self.now = self.clock = port.now

    def stall(self, ns: int) -> None:
        self.port.stall(self, ns)

    def work(self, ns: int) -> None:
        self.port.pause()

    sleep = stall

    def getg(self, lock: Any = None) -> NoReturn:
        if lock is not None:
            lock.release()
        raise SimulationError("a thread of an exploration cannot wait for a G: let a G do that")


class Spare(Outside):
    """A spare M."""

    pen = None
