"""The end of a run: every other G is unwound, and its finally blocks run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conformance.gs import REASONS, stuck
from conformance.worlds import World, check_order, is_parked, park, until

import mpg
from mpg.current import tls


def test_main_returns_and_the_finally_blocks_of_the_others_run(world: World) -> None:
    log: list[int] = []

    def main() -> str:
        for who in range(10):
            park(stuck, lambda who=who: log.append(who))
        return "main's"

    assert world.run(main) == "main's"
    assert sorted(log) == list(range(10))


def test_the_finally_blocks_run_in_the_order_of_creation(one_p: World) -> None:
    def main() -> list[int]:
        log: list[int] = []
        gs = [mpg.go(stuck, lambda who=who: log.append(who)) for who in range(6)]
        until(lambda: all(map(is_parked, gs)))
        return log

    check_order(one_p, main, [0, 1, 2, 3, 4, 5])


REASONS_TO_WAIT: dict[str, Callable[[], object]] = {
    **REASONS,
    "join": lambda: park(stuck).join(),
    "timer": lambda: mpg.Timer(60).chan.recv(),
    "timeout": lambda: mpg.select(mpg.recv_case(mpg.Chan()), timeout=60),
    "sync.WaitGroup.Wait": lambda: [(wg.add(1), wg.wait()) for wg in [mpg.sync.WaitGroup()]],
    "sync.Mutex.Lock": lambda: [(m.lock(), m.lock()) for m in [mpg.sync.Mutex()]],
    "sync.RWMutex.Lock": lambda: [(rw.rlock(), rw.lock()) for rw in [mpg.sync.RWMutex()]],
    "sync.RWMutex.RLock": lambda: [(rw.lock(), rw.rlock()) for rw in [mpg.sync.RWMutex()]],
    "sync.Cond.Wait": lambda: [(m.lock(), mpg.sync.Cond(m).wait()) for m in [mpg.sync.Mutex()]],
    "semacquire": lambda: mpg.sync.Semaphore(0).acquire(),
}


@pytest.mark.parametrize("reason", REASONS_TO_WAIT)
def test_whatever_a_g_waits_for_its_finally_block_runs(world: World, reason: str) -> None:
    log: list[str] = []

    def waiter() -> None:
        try:
            REASONS_TO_WAIT[reason]()
        except Exception:
            log.append("an error")
        except mpg.Unwind:
            log.append("unwound")
            raise
        finally:
            log.append("finally")

    def main() -> None:
        park(waiter)

    world.run(main)
    assert log == ["unwound", "finally"]


def test_gs_that_run_are_unwound_at_their_next_operation(world: World) -> None:
    log: list[str] = []

    def busy() -> None:
        log.append("begun")
        try:
            while True:
                mpg.gosched()
        finally:
            log.append("finally")

    def main() -> None:
        for _ in range(3):
            mpg.go(busy)
        until(lambda: len(log) == 3)

    world.run(main)
    assert log == ["begun"] * 3 + ["finally"] * 3


def test_gs_that_have_not_begun_are_dropped(one_p: World) -> None:
    def main() -> list[int]:
        log: list[int] = []
        for who in range(300):
            mpg.go(log.append, who)
        return log

    check_order(one_p, main, [])


def test_a_g_that_parks_in_its_finally(world: World) -> None:
    """The park raises again, and so does the next: the outer blocks run all the same."""
    log: list[str] = []

    def main() -> None:
        def stubborn() -> None:
            try:
                try:
                    stuck(lambda: log.append("first"))
                finally:
                    log.append("second")
                    mpg.Chan().recv()
                    log.append("never")
            finally:
                log.append("third")
                try:
                    mpg.sleep(60)
                except Exception:
                    log.append("never")
                finally:
                    log.append("fourth")

        park(stubborn)

    world.run(main)
    assert log == ["first", "second", "third", "fourth"]


def test_a_g_that_swallows_its_end(world: World) -> None:
    """One that goes on after it has been unwound gets the same at its next park, and ends when it returns."""
    log: list[int] = []

    def main() -> None:
        def stubborn() -> None:
            for lap in range(20):
                with contextlib.suppress(mpg.Unwind):
                    mpg.Chan().recv()
                log.append(lap)

        park(stubborn)

    world.run(main)
    assert log == list(range(20))


def test_a_g_that_never_gives_up_is_abandoned(host: World) -> None:
    laps = 0

    def main() -> str:
        def stubborn() -> None:
            nonlocal laps
            while True:
                with contextlib.suppress(mpg.Unwind):
                    mpg.Chan().recv()
                laps += 1

        park(stubborn).name = "the stubborn one"
        return "main's"

    with pytest.warns(ResourceWarning, match="the stubborn one"):
        assert host.run(main) == "main's"
    assert laps == 100


def test_finally_blocks_may_use_what_does_not_wait(world: World) -> None:
    def main() -> list[object]:
        log: list[object] = []
        ch: mpg.Chan[int] = mpg.Chan(5)
        m = mpg.sync.Mutex()

        def tidy() -> None:
            with m:
                ch.send(1)
                log.append(ch.recv())
            log.append(ch.try_recv().ok)
            ch.close()

        park(stuck, tidy)
        return log

    assert world.run(main) == [1, False]


@pytest.mark.parametrize("what", ["after_func", "reset", "gomaxprocs", "blocking"])
def test_finally_blocks_after_a_deadlock(world: World, what: str) -> None:
    """No M has a P any more."""
    log: list[object] = []

    def tidy() -> None:
        if what == "after_func":
            mpg.after_func(1, log.append, 2)
        elif what == "reset":
            assert timer[0].reset(1) is False
        elif what == "gomaxprocs":
            mpg.gomaxprocs(1)
        else:
            with mpg.blocking():
                pass
        log.append(1)

    def main() -> None:
        timer.append(mpg.after_func(1, int))
        timer[0].stop()
        stuck(tidy)

    timer: list[Any] = []
    with pytest.raises(mpg.DeadlockError):
        world.run(main)
    assert log == [1]


def test_the_end_during_a_cond_wait_unlocks_nothing_of_others(world: World) -> None:
    """The waiter cannot lock again, and its `with` must not unlock what another G holds."""
    log: list[bool] = []

    def main() -> None:
        m = mpg.sync.Mutex()
        cond = mpg.sync.Cond(m)

        def waiter() -> None:
            with m:
                cond.wait()

        def holder() -> None:
            with m:
                try:
                    mpg.Chan[int]().recv()
                finally:
                    log.append(m.try_lock())

        park(waiter)
        park(holder)

    world.run(main)
    assert log == [False]


def test_go_in_a_finally_block_starts_nothing(world: World) -> None:
    def main() -> list[int]:
        log: list[int] = []
        park(stuck, lambda: mpg.go(log.append, 1))
        return log

    assert world.run(main) == []


def test_no_thread_is_left_behind(world: World) -> None:
    before = set(threading.enumerate())

    def main() -> None:
        for _ in range(20):
            mpg.go(stuck)
        mpg.gosched()

    for _ in range(5):
        world.run(main)
    assert set(threading.enumerate()) <= before


def test_the_run_ends_before_anybody_sees_that_a_g_has_failed(world: World) -> None:
    """Main, which joins it, might otherwise end the run with a value."""
    seen: list[str] = []

    def fails() -> None:
        raise KeyError("a failure")

    def main() -> None:
        tls.m.sched.ended = lambda gp: seen.append(gp.status)
        mpg.go(fails).join()

    with pytest.raises(KeyError, match="a failure"):
        world.run(main)
    assert seen[0] == "running"
