"""Once: once, whatever becomes of it, and nobody returns sooner."""

from __future__ import annotations

import pytest
from conformance.worlds import World, join_all, park

import mpg
from mpg import sync


def test_once_of_no_function(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        with pytest.raises(TypeError, match=r"Once\.do needs a function, not int"):
            once.do(3)  # type: ignore[arg-type]
        ran: list[int] = []
        once.do(lambda: ran.append(1))
        assert ran == [1]

    world.run(main)


def test_once_runs_once(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        calls: list[str] = []
        for who in "abc":
            once.do(lambda who=who: calls.append(who))
        assert calls == ["a"]

    world.run(main)


def test_nobody_returns_from_once_before_it_has_run(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        gate: mpg.Chan[None] = mpg.Chan()
        finished: list[int] = []

        def slow() -> None:
            gate.recv_ok()
            finished.append(1)

        def use() -> None:
            once.do(slow)
            assert finished == [1]

        gs = [park(use) for _ in range(5)]
        gate.close()
        join_all(gs)

    world.run(main)


def test_once_that_raised_counts_as_done(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        calls: list[int] = []
        gate: mpg.Chan[None] = mpg.Chan()

        def fail() -> None:
            calls.append(1)
            gate.recv_ok()
            raise KeyError("first")

        def first() -> None:
            with pytest.raises(KeyError, match="first"):
                once.do(fail)

        gs = [park(first), park(lambda: once.do(fail))]  # the second is already waiting for the first
        gate.close()
        join_all(gs)
        once.do(fail)
        assert calls == [1]

    world.run(main)


def test_once_that_ended_by_goexit_counts_as_done(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        mpg.go(once.do, mpg.goexit).join()
        once.do(pytest.fail)

    world.run(main)


def test_once_within_itself_is_a_deadlock(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        once.do(lambda: once.do(lambda: None))

    with pytest.raises(mpg.DeadlockError):
        world.run(main)
