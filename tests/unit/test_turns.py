"""Turns: what begins them, what ends them, and what comes in between. (`test_turns_order.py`: that nobody notices.)"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

import mpg
from mpg.current import tls
from mpg.sched import sysmon
from mpg.sched.g import new_g
from mpg.sched.pinned import PinnedM
from mpg.sched.policy import FAIR_TICK
from mpg.sched.ready import new_goid
from mpg.sched.turns import begin_turns
from mpg.status import GRUNNABLE


@pytest.fixture(autouse=True)
def _no_preemption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what a test does may end turns."""
    monkeypatch.setattr(sysmon, "retake", lambda sched, now: 0)


def wait_for_turns() -> None:
    """Yield until `pick` has granted some: at the latest after the next 61st slice."""
    for _ in range(2 * FAIR_TICK):
        if tls.m.turns:
            return
        mpg.gosched()
    raise AssertionError("no turns")


def taking_turns(then: Callable[[], Any]) -> Any:
    """Call `then` in a G that takes turns with another."""

    def main() -> Any:
        end = False

        def other() -> None:
            while not end:
                mpg.gosched()

        mpg.go(other)
        wait_for_turns()
        value = then()
        end = True
        return value

    return mpg.run(main, procs=1)


def test_every_turn_is_a_slice() -> None:
    def slices() -> list[int]:
        out = []
        for _ in range(3 * FAIR_TICK):
            out.append(tls.m.p.slices)
            mpg.gosched()
        return out

    counted = taking_turns(slices)
    assert counted == list(range(counted[0], counted[0] + 2 * len(counted), 2))


def enter_blocking() -> None:
    with mpg.blocking():
        assert not tls.m.turns


def answer_the_doorbell() -> None:
    tls.m.ring_bell()
    mpg.num_goroutine()


@pytest.mark.parametrize(
    "act",
    [
        lambda: mpg.go(print, end=""),
        lambda: mpg.after_func(1000.0, print),
        enter_blocking,
        answer_the_doorbell,
    ],
    ids=["a fresh G", "a timer", "a system call", "the doorbell"],
)
def test_what_ends_turns(act: Callable[[], Any]) -> None:
    def then() -> None:
        pp, before = tls.m.p, tls.m.p.slices
        act()
        assert tls.m.turns == 0
        assert pp.slices == pp.schedtick == before

    taking_turns(then)


def test_g0_has_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a `__del__` or a signal handler does there must not run as a G of those who take turns."""
    seen: list[tuple[int, int]] = []
    real = PinnedM.execute

    def execute(mp: Any) -> None:
        seen.append((mp.turns, mp.grant))
        real(mp)

    monkeypatch.setattr(PinnedM, "execute", execute)
    taking_turns(lambda: mpg.sleep(0.001))  # the timer is run on g0
    taking_turns(lambda: mpg.go(print, end="").join())  # which also makes the stack
    assert len(seen) > 4
    assert set(seen) == {(0, 0)}


def test_a_signal_handler_may_do_what_ends_turns() -> None:
    """In the middle of a yield, of `begin_turns` and of `end_turns`: nobody is lost."""
    hits = ran = 0

    def noop() -> None:
        nonlocal ran
        ran += 1

    def handler(number: int, frame: Any) -> None:
        nonlocal hits
        if mpg.current_g() is None:  # on g0 they raise
            return
        hits += 1
        if hits % 2:
            mpg.go(noop)
        else:
            mpg.after_func(1e-9, noop)

    def main() -> list[int]:
        counts = [0] * 3
        going = True

        def other(i: int) -> None:
            while going:
                mpg.gosched()
                counts[i] += 1

        for i in range(3):
            mpg.go(other, i)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        try:
            while hits < 500:
                mpg.gosched()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        while ran < hits:
            mpg.gosched()
        going = False
        return counts

    old = signal.signal(signal.SIGALRM, handler)
    try:
        counts = mpg.run(main, procs=1)
    finally:
        signal.signal(signal.SIGALRM, old)
    assert min(counts) > 0.9 * max(counts)
    assert ran == hits


def test_a_g_that_was_placed_here_has_no_stack_yet() -> None:
    """It is queued among the started ones, and nobody can switch to it."""
    ran: list[int] = []

    def then() -> None:
        answer_the_doorbell()
        mp, pp = tls.m, tls.m.p
        gp = new_g(new_goid(mp), ran.append, (1,), copy_context())
        gp.home = mp
        gp.atomicstatus = GRUNNABLE
        mp.lq.append(gp)
        pp.fair_at = pp.schedtick + 5
        begin_turns(mp, pp)
        assert not mp.turns
        mpg.gosched()
        assert ran == [1]
        pp.fair_at = pp.schedtick + 5
        begin_turns(mp, pp)
        assert mp.turns == 5

    taking_turns(then)


def test_a_timer_that_fires_finds_its_g_among_those_that_yield() -> None:
    def then() -> bool:
        woken = False

        def sleeper() -> None:
            nonlocal woken
            mpg.sleep(0.001)
            woken = True

        mpg.go(sleeper)
        for _ in range(10_000_000):
            if woken:
                return True
            mpg.gosched()
        return False

    assert taking_turns(then)


def test_the_end_of_a_run_unwinds_those_that_take_turns() -> None:
    log: list[str] = []

    def spin(name: str) -> None:
        try:
            while True:
                mpg.gosched()
        finally:
            log.append(name)
            mpg.gosched()  # raises once more, and runs nobody else
            log.append("never")

    def main() -> None:
        mpg.go(spin, "a")
        mpg.go(spin, "b")
        wait_for_turns()

    mpg.run(main, procs=1)
    assert sorted(log) == ["a", "b"]


def test_those_that_take_turns_make_headway(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To sysmon: nobody is said to keep a P."""
    monkeypatch.undo()

    def then() -> None:
        mp = tls.m
        end = mp.now() + 150_000_000
        while mp.now() < end:
            mpg.gosched()

    def main() -> None:
        mpg.go(then)
        then()

    with caplog.at_level(logging.WARNING, "mpg"):
        mpg.run(main, procs=1, stall_report=0.03)
    assert not caplog.records
