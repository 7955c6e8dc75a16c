"""after_func: when and where its function runs, what stop and reset do to it, and how it fails."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.times import BAD_TIMES, FAR_BACK, MS, check_time, pass_time
from conformance.worlds import World

import mpg


def test_after_func_runs_in_a_g_of_its_own(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        seen: mpg.Chan[Any] = mpg.Chan()

        def late(*args: Any) -> None:
            check_time(world, before, 2)
            seen.send((mpg.current_g(), args))

        timer = mpg.after_func(2 * MS, late, 1, "b")
        assert mpg.num_goroutine() == 1, "it does not exist before its time"
        g, args = seen.recv()
        assert args == (1, "b")
        assert g is not mpg.current_g()
        assert g.name == late.__qualname__
        assert timer.stop() is False

    world.run(main)


@pytest.mark.parametrize("seconds", [0, *FAR_BACK])
def test_after_func_of_no_time(world: World, seconds: float) -> None:
    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        mpg.after_func(seconds, ch.send, 1)
        assert ch.recv() == 1

    world.run(main)


def test_stop_keeps_a_function_from_running(world: World) -> None:
    def main() -> None:
        ran: list[int] = []
        timer = mpg.after_func(5 * MS, ran.append, 1)
        stopped = timer.stop()
        assert stopped or not world.virtual
        assert timer.stop() is False
        pass_time(7)
        assert ran == [] or not stopped
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_stop_does_not_wait_for_the_function(world: World) -> None:
    def main() -> None:
        begun, gate = mpg.Chan[int](), mpg.Chan[int]()
        results: list[bool] = []

        def slow() -> None:
            results.append(timer.stop())
            begun.send(1)
            gate.recv()

        timer = mpg.after_func(MS, slow)
        begun.recv()
        assert timer.stop() is False
        assert results == [False]
        gate.send(1)

    world.run(main)


def test_reset_of_after_func(world: World) -> None:
    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        timer = mpg.after_func(60, ch.send, 1)
        before = mpg.now()
        assert timer.reset(2 * MS) is True
        ch.recv()
        check_time(world, before, 2)
        before = mpg.now()
        assert timer.reset(3 * MS) is False, "it has run, and will again"
        ch.recv()
        check_time(world, before, 3)
        timer.reset(60)
        assert timer.stop() is True
        assert timer.reset(MS) is False, "it was stopped"
        ch.recv()

    world.run(main)


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_reset_of_after_func_to_what_is_no_time(world: World, bad: str) -> None:
    seconds: Any
    seconds, error = BAD_TIMES[bad]

    def main() -> None:
        timer = mpg.after_func(60, pytest.fail)
        with pytest.raises(error):
            timer.reset(seconds)
        assert timer.stop() is True, "it runs on as it was"

    world.run(main)


def test_after_func_wants_a_function_and_a_run(world: World) -> None:
    def main() -> None:
        with pytest.raises(TypeError):
            mpg.after_func(MS, 42)  # type: ignore[arg-type]

    world.run(main)
    with pytest.raises(RuntimeError):
        mpg.after_func(MS, print)


def test_a_failure_in_after_func_ends_the_run(world: World) -> None:
    def main() -> None:
        def fail() -> None:
            raise KeyError("late")

        mpg.after_func(MS, fail)
        mpg.sleep(60)

    with pytest.raises(KeyError, match="late"):
        world.run(main)


def test_many_timers(world: World) -> None:
    """Each fires once, at its time; those that are stopped do not."""

    def main() -> None:
        before = mpg.now()
        fired: list[int] = []
        wg = mpg.sync.WaitGroup()

        def fire(n: int) -> None:
            check_time(world, before, n % 10 + 1)
            fired.append(n)
            wg.done()

        wg.add(100)
        timers = [mpg.after_func((n % 10 + 1) * MS + (0 if n % 2 else 60), fire, n) for n in range(200)]
        stopped = [timer.stop() for timer in timers[::2]]
        wg.wait()
        assert all(stopped)
        assert sorted(fired) == list(range(1, 200, 2))

    world.run(main)
