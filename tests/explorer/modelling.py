"""What the models are made of: how one is declared, and how it puts G's on two M's, or does what sysmon does.

A model is an ordinary mpg program. `pause()` computes until everybody else has nothing to do; two G's that pause at the
same time, on two M's, go on at the same time. Only what happens inside of `window()` is explored. A model fails by
an assertion, a deadlock, a lost wake-up, or an invariant of the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpg
from mpg.current import tls
from mpg.explorer import Explored, explore, pause, point
from mpg.explorer.cells import here
from mpg.sched import sysmon


@dataclass(frozen=True)
class Model:
    """One program and how to explore it."""

    main: Callable[[], Any]
    like: str
    procs: int
    preemptions: int

    @property
    def name(self) -> str:
        return f"{self.main.__name__}-{self.like}"

    def explore(self, *, checks: bool = False) -> Explored:
        return explore(
            self.main,
            like=self.like,
            procs=self.procs,
            preemptions=self.preemptions,
            windowed=True,
            checks=checks,
        )


MODELS: dict[str, Model] = {}


def model(
    *likes: str, procs: int = 2, preemptions: int = 2
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def note(main: Callable[[], Any]) -> Callable[[], Any]:
        for like in likes:
            one = Model(main, like, procs, preemptions)
            MODELS[one.name] = one
        return main

    return note


def port() -> Any:
    assert here.port is not None
    return here.port


def beside(fn: Callable[[], Any]) -> Any:
    """A G that runs `fn` on another M, from the moment on when main returns from this call."""

    def child() -> None:
        pause()
        fn()

    g = mpg.go(child)
    pause()
    return g


def pass_time() -> None:
    """Two milliseconds in which nobody of the program moved."""
    point()
    port().time += 2_000_000


def sysmon_does(act: Callable[[Any], Any]) -> None:
    """Have a thread like sysmon's do `act(sched)`."""
    sched = tls.m.sched
    mp = sched.new_m_object(sched, sched.mnext)
    sched.mnext += 1
    mp.thread = None
    port().thread(lambda: act(sched), mp)


def take_and_hand_off(sched: Any, pp: Any) -> None:
    """What retake does once it has decided."""
    mp = pp.m
    if mp is not None and sysmon.take_p(mp, pp):
        sysmon.handoffp(sched, pp)
