"""simulate: run a program on virtual P's in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from greenlet import getcurrent, greenlet

from ..current import PLAIN, tls
from ..port import GO, HOST, HOST_GIL
from ..sched.boot import boot, end_m, outcome, start_sysmon
from ..sched.proc import schedule
from ..sched.runq import drop_fresh
from .port import SimPort

__all__ = ["SimResult", "simulate"]

LIKE = {"go": GO, "host": HOST, "host-gil": HOST_GIL}


@dataclass(frozen=True, slots=True)
class SimResult:
    """What a simulation came to.

    Attributes:
        value: what main returned.
        now: virtual seconds elapsed.
    """

    value: Any
    now: float


def simulate(
    main: Callable[..., Any],
    *args: Any,
    procs: int = 4,
    seed: int = 0,
    like: str = "go",
    deadlock: bool = True,
) -> SimResult:
    """Run `main(*args)` on `procs` virtual P's in virtual time; the same seed gives the same run.

    Args:
        main: an ordinary mpg program: channels, select, sync, timers, `go`.
        like: "go" (stacks move between M's), "host" or "host-gil" (what `mpg.run` does).

    Raises:
        RuntimeError: inside a run or another simulation.
        ValueError: bad procs or like.
        SimulationError: the program asks for what virtual time has no meaning for.
    """
    if tls.m is not PLAIN:
        raise RuntimeError("mpg.simulate inside a run: call it from an ordinary thread")
    if not callable(main):
        raise TypeError(f"mpg.simulate needs a function, not {type(main).__name__}")
    if not isinstance(procs, int) or procs < 1:
        raise ValueError(f"procs must be a positive int, not {procs!r}")
    if like not in LIKE:
        raise ValueError(f"like is one of {', '.join(LIKE)}, not {like!r}")
    context = copy_context()
    port = SimPort(LIKE[like], seed)
    result: list[Any] = []

    def world() -> None:
        port.hub = getcurrent()
        tls.m = SimBoot(port)
        sched, m0 = boot(port, procs, main, args, context)
        sched.detect_deadlock = deadlock
        result.append(sched)

        def m0_main(mp: Any) -> None:
            schedule(mp)
            drop_fresh(sched)
            end_m(mp)

        port.start_m(m0, m0_main)
        tls.m = m0
        start_sysmon(sched)
        port.world_loop()

    try:
        greenlet(world).switch()
    finally:
        tls.m = PLAIN
    sched = result[0]
    return SimResult(outcome(sched), (port.time - 1) / 1e9)


class SimBoot:
    """What `tls.m` is while the world is being built."""

    def __init__(self, port: SimPort) -> None:
        self.world = port.world
        self.sched = None
        self.curg = None
        self.run_id = 0
