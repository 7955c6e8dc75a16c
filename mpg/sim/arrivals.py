"""Arrivals: G's that come from outside, at given times, to a given P.

A G that sleeps and then spawns could not arrive at a busy P: it would have to run there first. So the world
itself puts each G into the P's ring and starts an M for that P if it is idle, as a network card would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from random import Random
from typing import TYPE_CHECKING, Any

from ..current import tls
from ..errors import SimulationError
from ..sched.g import G, new_g
from ..sched.idle import pidletake_locked
from ..sched.mlife import startm, wakep
from ..sched.policy import RING
from ..sched.ready import new_goid
from ..sched.runq import put_global_locked
from ..seconds import FOREVER, to_ns
from ..status import GRUNNABLE
from ..trace.events import GlobqLen
from .port import SimPort

if TYPE_CHECKING:
    from ..sched.schedt import Sched
    from ..sched.structs import P

__all__ = ["arrivals", "rng"]

_elsewhere = Random()


def rng() -> Random:
    """The program's own random numbers: in a simulation determined by its seed, elsewhere not."""
    sched = tls.m.sched
    port = None if sched is None else sched.port
    return port.program_rng if isinstance(port, SimPort) else _elsewhere


def arrivals(p: int, gaps: Iterable[float], fn: Callable[[float], Any]) -> None:
    """From now on, start `fn(now)` in a new G on P number `p` after each of `gaps`, until they run dry.

    Args:
        gaps: virtual seconds between arrivals, such as an exponential distribution. Nothing comes after infinity.
        fn: called with the virtual time of the arrival, in seconds as `mpg.now` has it.

    Raises:
        SimulationError: outside a simulation.
        ValueError: there is no such P.
    """
    sched = tls.m.sched
    if sched is None or not isinstance(sched.port, SimPort):
        raise SimulationError("mpg.sim.arrivals needs a simulation: on the host nothing arrives by itself")
    if not isinstance(p, int) or not 0 <= p < sched.gomaxprocs:
        raise ValueError(f"there is no P {p!r}: there are {sched.gomaxprocs}")
    if not callable(fn):
        raise TypeError(f"arrivals need a function, not {type(fn).__name__}")
    Source(sched, p, iter(gaps), fn).next()


class Source:
    """One stream of arrivals."""

    def __init__(self, sched: Sched, p: int, gaps: Iterator[float], fn: Callable[[float], Any]) -> None:
        self.sched = sched
        self.port: SimPort = sched.port  # type: ignore[assignment]
        self.p = p
        self.gaps = gaps
        self.fn = fn
        self.context: Context = copy_context()
        self.port.arrivals += 1

    def next(self) -> None:
        """Plan the next arrival."""
        for gap in self.gaps:
            ns = to_ns(gap, "a gap between arrivals")
            if ns < 0:
                raise ValueError(f"a gap between arrivals is not negative: {gap!r}")
            if ns >= FOREVER:
                break
            self.port.at(self.port.time + ns, self.arrive)
            return
        self.port.arrivals -= 1

    def arrive(self) -> None:
        sched, port = self.sched, self.port
        if sched.stopping:
            return
        assert sched.m0 is not None
        gp = new_g(new_goid(sched.m0), self.fn, (port.time / 1e9,), self.context.copy())
        if sched.m0.rec is not None:
            sched.m0.rec.arrives(gp, sched.allp[self.p])
        inject(sched, sched.allp[self.p], gp)
        self.next()


def inject(sched: Sched, pp: P, gp: G) -> None:
    """Queue a fresh G at the tail of `pp`, whoever holds it, and see that somebody runs it."""
    gp.atomicstatus = GRUNNABLE
    gp.ticket = pp.ticket
    pp.ticket += 1
    with sched.lock:
        if len(pp.ring) < RING:
            idle = pidletake_locked(sched, pp)
        else:
            idle = False
            put_global_locked(sched, (gp,))
            if sched.m0 is not None and sched.m0.rec is not None:
                sched.m0.rec.world(GlobqLen, len(sched.globq))
    if len(pp.ring) < RING:
        pp.ring.append(gp)
    if idle:
        startm(sched, pp, False)
    elif pp.wake_hint:
        wakep(sched)
