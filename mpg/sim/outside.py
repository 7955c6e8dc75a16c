"""Who else acts in a simulation, besides its M's: the world itself, and spare M's, which make calls for G's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from greenlet import greenlet

from ..errors import SimulationError
from ..seconds import FOREVER

if TYPE_CHECKING:
    from .port import SimPort

__all__ = ["Outsider", "Spare"]


class Outsider:
    """What `tls.m` is while the world is built or acts by itself, and on a spare M: in the world, without a G."""

    id = -1
    curg = None
    exited = False
    p = None
    rec = None
    sched = None
    turns = 0
    run_id = 0
    attn = False

    def __init__(self, port: SimPort) -> None:
        self.port = port
        self.world = port.world
        self.rng = port.rng
        self.now = self.clock = port.now
        self.debt = 0
        self.doing = 0
        self.note = 0
        self.thread: Any = None

    def stall(self, ns: int) -> None:
        self.port.stall(self, ns)

    def work(self, ns: int) -> None:
        if ns >= FOREVER:
            self.port.refuse("mpg.work")
        self.port.pass_time(self, ns)

    sleep = stall

    def getg(self, lock: Any = None) -> NoReturn:
        if lock is not None:
            lock.release()
        raise SimulationError("a call that to_thread makes cannot wait for anything of the simulation")


class Spare(Outsider):
    """A virtual thread without a P, which makes calls for G's."""

    def __init__(self, port: SimPort) -> None:
        super().__init__(port)
        self.call: Callable[[Any], None] | None = None
        self.pen: Any = None
        self.thread = greenlet(self.loop, port.hub)

    def loop(self) -> None:
        while True:
            assert self.call is not None
            self.call(self)
            self.port.spares.append(self)
            self.port.leave_to_hub(self)
