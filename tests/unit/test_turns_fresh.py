"""Turns of fresh G's, which start and end one after the other: what begins them, and what ends them."""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import mpg
from mpg.current import tls
from mpg.sched import sysmon
from mpg.sched.policy import RING
from mpg.sched.turns import OFTEN


@pytest.fixture(autouse=True)
def _no_preemption(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what a test does may end turns."""
    monkeypatch.setattr(sysmon, "retake", lambda sched, now: 0)


def spawn_until_turns() -> list[mpg.G]:
    """Start G's until spawns are turns."""
    out = []
    for _ in range(4 * OFTEN):
        if tls.m.spawns:
            return out
        out.append(mpg.go(int))
    raise AssertionError("no turns")


def while_ends_are_turns(act: Callable[[], Any], *, trace: Any = None) -> list[Any]:
    """Call `act` in a fresh G whose end is a turn: how many turns were left before and after it, and its value."""
    out: list[Any] = []

    def fresh() -> None:
        if tls.m.ends > 5 and not out:
            out.append(tls.m.ends)
            value = act()
            out.extend((tls.m.ends, value))

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(RING // 2):
            wg.go(fresh)
        wg.wait()

    mpg.run(main, procs=1, trace=trace)
    assert out, "no turns"
    return out


def call() -> None:
    with mpg.blocking():
        assert not tls.m.ends
        assert not tls.m.spawns


def answer_the_doorbell() -> None:
    tls.m.ring_bell()
    mpg.num_goroutine()


ENDING = {
    "a timer": lambda: mpg.after_func(1000.0, print),
    "a system call": call,
    "the doorbell": answer_the_doorbell,
    "another P": lambda: (mpg.gomaxprocs(2), mpg.num_goroutine()),
    "a yield": mpg.gosched,
    "a wait": lambda: mpg.sleep(1e-6),
}


@pytest.mark.parametrize("act", [*ENDING.values(), lambda: mpg.go(int)], ids=[*ENDING, "a fresh G"])
def test_what_ends_the_turns_of_those_that_end(act: Callable[[], Any]) -> None:
    before, after, _ = while_ends_are_turns(act)
    assert after == 0 or after > before, "they have ended, and others may have begun"


@pytest.mark.parametrize("act", ENDING.values(), ids=ENDING)
def test_what_ends_the_turns_of_those_that_start(act: Callable[[], Any]) -> None:
    def main() -> None:
        gs = spawn_until_turns()
        act()
        assert not tls.m.spawns
        for g in gs:
            g.join()

    mpg.run(main, procs=1)


def test_the_doorbell_is_answered_between_two_ends() -> None:
    rung: list[bool] = []

    def fresh() -> None:
        if rung:
            rung.append(tls.m.attn)
        elif tls.m.ends > 5:
            tls.m.ring_bell()
            rung.append(tls.m.attn)

    def main() -> None:
        gs = [mpg.go(fresh) for _ in range(RING // 2)]  # which do nothing else that would look at it
        gs[-2].join()

    mpg.run(main, procs=1)
    assert rung[:2] == [True, False]


def test_timers_are_looked_at_after_each_end() -> None:
    ends: list[int] = []

    def main() -> None:
        timer = mpg.after_func(1000.0, print)
        wg = mpg.sync.WaitGroup()
        for _ in range(RING // 2):
            wg.go(lambda: ends.append(tls.m.ends))
        wg.wait()
        timer.stop()

    mpg.run(main, procs=1)
    assert set(ends) == {0}


def test_every_end_is_a_slice() -> None:
    slices: list[int] = []

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(RING):
            wg.go(lambda: slices.append(tls.m.p.slices))
        wg.wait()

    mpg.run(main, procs=1)
    first = slices[0]  # of runnext, which inherits
    assert slices == [first, *range(first + 1, first + RING)]


@pytest.mark.parametrize("traced", [False, True])
def test_those_that_end_are_counted(traced: bool) -> None:
    """By `num_goroutine`, in the middle of it."""
    recorder = mpg.trace.Recorder() if traced else None
    before, after, count = while_ends_are_turns(
        lambda: (mpg.num_goroutine(), len(tls.m.p.ring)), trace=recorder
    )
    assert before == after
    assert count[0] == count[1] + 2, "main, this one, and those in the ring"
    if recorder is not None:
        recorder.trace.validate()


def test_nobody_who_records_starts_g_s_as_turns() -> None:
    def main() -> None:
        for _ in range(4 * OFTEN):
            mpg.go(int)
            assert not tls.m.spawns

    mpg.run(main, procs=1, trace=mpg.trace.Recorder())


def test_with_another_p_spawns_are_no_turns() -> None:
    def main() -> None:
        gs = [mpg.go(int) for _ in range(4 * OFTEN) if not tls.m.spawns]
        assert len(gs) == 4 * OFTEN
        for g in gs:
            g.join()

    mpg.run(main, procs=2)


def test_a_signal_handler_may_do_what_ends_them() -> None:
    """In the middle of a start, of an end, and of what grants and ends turns: each G runs once."""
    hits = 0
    ran: Counter[int] = Counter()
    made = itertools.count()

    def start() -> None:
        number = next(made)
        mpg.go(lambda: ran.update((number,)))

    def handler(number: int, frame: Any) -> None:
        nonlocal hits
        if mpg.current_g() is not None:  # on g0 they raise
            hits += 1
            with contextlib.suppress(RuntimeError):  # who is interrupted uses the same timers or channel
                acts[hits % 3]()
        if hits < 500:
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

    def main() -> None:
        mpg.go(lambda: [start() for _ in bell])
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while hits < 500:
            for _ in range(50):
                start()
            mpg.gosched()
        bell.close()
        while mpg.num_goroutine() > 1:
            mpg.gosched()

    bell: mpg.Chan[int] = mpg.Chan(1)
    acts = (start, lambda: mpg.after_func(1e-9, start), lambda: bell.try_send(hits))
    old = signal.signal(signal.SIGALRM, handler)
    try:
        mpg.run(main, procs=1)
    finally:
        signal.signal(signal.SIGALRM, old)
    assert set(ran.values()) == {1}
    assert set(ran) == set(range(next(made)))
