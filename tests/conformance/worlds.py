"""The worlds that the conformance suite runs in, and how a test waits for a state without sleeping."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import mpg

T = TypeVar("T")

#: So many runs of a test are recorded and their traces validated; some make hundreds.
RECORDED = 5
runs: Counter[str] = Counter()

#: No test waits longer than this, in real time, for a state that must come.
PATIENCE = 30.0

#: How long a G keeps its P before it may be preempted, in seconds.
SLICE = 0.01

#: What `select` and `try_recv` return when nothing is ready.
NOTHING = (-1, None, False, None)


@dataclass(frozen=True)
class World:
    """One kind of world with a number of P's: where a test's `main` is run."""

    kind: str
    procs: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.procs}"

    @property
    def virtual(self) -> bool:
        """True where time is virtual, so that times can be compared exactly."""
        return self.kind != "host"

    def run(self, main: Callable[..., T], *args: Any) -> T:
        """Run `main(*args)` as the main G of this world; its value, or its exception."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        runs[test] += 1
        recorder = mpg.trace.Recorder() if runs[test] <= RECORDED else None
        try:
            if self.kind == "host":
                return mpg.run(main, *args, procs=self.procs, trace=recorder)
            like = self.kind.removeprefix("sim-")
            return mpg.simulate(
                main, *args, procs=self.procs, seed=0, like=like, costs="zero", trace=recorder or False
            ).value
        finally:
            if (
                recorder is not None and recorder.metadata
            ):  # whatever came of it, the recording keeps the rules
                recorder.trace.validate()


KINDS = ("host", "sim-go", "sim-host")
WORLDS = [World(kind, procs) for kind in KINDS for procs in (1, 4)]
HOSTS = [world for world in WORLDS if world.kind == "host"]
ONE_P = [world for world in WORLDS if world.procs == 1]


def until(condition: Callable[[], object]) -> None:
    """Yield to the other G's until `condition` holds."""
    deadline = 0.0
    while not condition():
        if not deadline:
            deadline = time.monotonic() + PATIENCE
        elif time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s in vain")
        mpg.gosched()


def is_parked(g: mpg.G, reason: str | None = None) -> bool:
    """True while `g` waits, for `reason` if one is given."""
    return g.status == "waiting" and (reason is None or g.waitreason == reason)


def park(fn: Callable[..., object], *args: Any, reason: str | None = None) -> mpg.G:
    """Start `fn(*args)` and come back when it has parked."""
    g = mpg.go(fn, *args)
    until(lambda: is_parked(g, reason))
    return g


def join_all(gs: list[mpg.G]) -> None:
    """Wait until all these G's have ended."""
    for g in gs:
        g.join()


def check_order(
    one_p: World, program: Callable[[], object], expected: object, patience: float = PATIENCE
) -> None:
    """`program`, run as main, returns `expected`, which depends on the order in which G's run.

    On the host a G that the machine holds up for a whole slice is preempted at its next operation, as in Go.
    So there a run that took that long proves nothing, nor does one that returns None, and another is made.
    """
    deadline = time.monotonic() + patience
    while True:
        start = time.monotonic()
        got = one_p.run(program)
        end = time.monotonic()
        disturbed = not one_p.virtual and (got is None or end - start >= SLICE)
        if got == expected or not disturbed or end > deadline:
            assert got == expected
            return
