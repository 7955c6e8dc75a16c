"""SimPort: M's are greenlets, time is virtual.

The world is a heap of (time, seq, M): M's run one at a time, each until it sleeps, and time jumps to the next
entry. Ties go by sequence number, all randomness comes from one seeded Random, so a run is determined by its
program and its seed. `tls.m` is rewritten each time an M is resumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit, getcurrent, greenlet

from ..current import tls
from ..errors import MpgError, SimulationError
from ..port import Capabilities, Lock, Rng, Stack

if TYPE_CHECKING:
    from ..sched.structs import M, Sched

__all__ = ["SimLock", "SimPort"]

_worlds = count(1)


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

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.held = False


class SimPort:
    """`mpg.port.Port` in virtual time."""

    StackExit = GreenletExit

    def __init__(self, caps: Capabilities, seed: int) -> None:
        self.world = next(_worlds)
        self.caps = caps
        self.rng = Random(seed)
        self.time = 1  # 0 means "no deadline" everywhere
        self.seq = count()
        self.heap: list[tuple[int, int, M]] = []
        self.hub: Any = None

    def now(self) -> int:
        return self.time

    def new_lock(self) -> Lock:
        return SimLock(self.world)

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
        self.schedule(mp, self.time)

    def schedule(self, mp: M, when: int) -> None:
        """Resume `mp` at `when`; a later call for the same M replaces this one."""
        mp.note = next(self.seq)
        heappush(self.heap, (when, mp.note, mp))

    def world_loop(self) -> None:
        """Resume M's in the order of their times until none is left. On the hub."""
        while self.heap:
            when, seq, mp = heappop(self.heap)
            if mp.note != seq or mp.exited:
                continue
            self.time = max(self.time, when)
            mp.note = 0
            tls.m = mp
            mp.thread.switch()

    def sleep(self, mp: M, until: int) -> None:
        if until:
            self.schedule(mp, max(until, self.time))
        mp.thread = getcurrent()
        self.hub.switch()

    def wakeup(self, mp: M) -> None:
        self.schedule(mp, self.time)

    def usleep(self, mp: M, ns: int) -> None:
        self.sleep(mp, self.time + ns)

    def netpoll(self, mp: M) -> bool:
        return False

    def arm(self, mp: M, pd: Any, write: bool) -> None:
        raise SimulationError("sockets cannot be simulated")

    def offload(self, call: Callable[[], None]) -> None:
        raise SimulationError("to_thread cannot be simulated: a real call takes no virtual time")

    def watch_term(self, sched: Sched, on: bool) -> None:
        """Signals are the real world's."""

    def foreign_threads(self) -> bool:
        return False

    def others_alive(self, idents: set[int]) -> bool:
        return False

    def where(self, mp: M) -> str:
        return ""

    def close(self, mp: M) -> None:
        """Nothing to close."""
