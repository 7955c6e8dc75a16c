"""Locks of a simulation: one M runs at a time and never sleeps with a lock held, so they only check.

Where invariants are checked, the order in which locks are taken is too (`OrderedLock`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..current import tls
from ..errors import MpgError, SimulationError

if TYPE_CHECKING:
    from ..sched.schedt import Sched
    from .port import SimPort

__all__ = ["OrderedLock", "SimLock", "rank"]


class SimLock:
    """A lock in a world where one M runs at a time and never sleeps with a lock held: it only checks that."""

    __slots__ = ("held", "world")

    def __init__(self, world: int) -> None:
        self.world = world
        self.held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if tls.m.world != self.world:
            raise MpgError("a primitive of a simulation is used outside of it")
        if self.held:
            raise SimulationError("a lock is held across a switch")
        self.held = True
        return True

    def release(self) -> None:
        self.held = False

    def _is_owned(self) -> bool:
        return False  # nobody interrupts a simulation

    def pop(self) -> None:
        self.acquire()

    def append(self, token: None) -> None:
        self.held = False

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.held = False


class OrderedLock(SimLock):
    """The same where invariants are checked: locks are taken in their order."""

    __slots__ = ("order", "primitive")

    def __init__(self, port: SimPort, *, primitive: bool = False) -> None:
        super().__init__(port.world)
        self.order = port.order
        self.primitive = primitive

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        self.order.took(self)
        return super().acquire()

    def release(self) -> None:
        self.held = False
        self.order.gave_back(self)

    def append(self, token: None) -> None:
        self.release()

    def __exit__(self, *exc: object) -> None:
        self.release()


def rank(sched: Sched, lock: OrderedLock) -> int:
    """Whose lock it is, as an index of `invariants.RANKS`."""
    if lock.primitive or lock is sched.lock:
        return 0 if lock.primitive else 1
    sysmon = [sched.sysmon] if sched.sysmon is not None else []
    return 3 if any(lock is mp.lock for mp in (*sched.allm, *sysmon)) else 2
