"""run: what it returns, where it may be called, and the exceptions that come out of it."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest
from conformance.gs import line_of, stuck
from conformance.worlds import KINDS, World, join_all, park

import mpg

# run


def test_run_returns_what_main_returns(world: World) -> None:
    thing = object()
    assert world.run(lambda: thing) is thing
    assert world.run(lambda: None) is None
    assert world.run(divmod, 17, 5) == (3, 2)


def test_run_after_run(world: World) -> None:
    def main(n: int) -> int:
        ch: mpg.Chan[int] = mpg.Chan()
        mpg.go(ch.send, n)
        park(stuck)
        return ch.recv()

    assert [world.run(main, n) for n in range(5)] == list(range(5))


def test_no_run_within_a_run(world: World) -> None:
    def main() -> None:
        def again() -> None:
            for run in (mpg.run, mpg.simulate):
                with pytest.raises(RuntimeError):
                    run(lambda: 1)

        again()
        mpg.go(again).join()
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_run_on_another_thread(world: World) -> None:
    results: list[object] = []
    threads = [threading.Thread(target=lambda n=n: results.append(world.run(lambda: n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results, key=repr) == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_run_of_what_is_no_function(kind: str) -> None:
    wrong: Any
    for wrong in (42, None, "main"):
        with pytest.raises(TypeError):
            World(kind, 1).run(wrong)
    assert World(kind, 1).run(lambda: 1) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("procs", [0, -1, 1.5, "2"], ids=repr)
def test_run_on_a_bad_number_of_ps(kind: str, procs: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        World(kind, procs).run(lambda: 1)
    assert mpg.current_g() is None


# Failures


class Odd(BaseException):
    """Not even an Exception."""


@pytest.mark.parametrize("kind", [KeyError, Odd, SystemExit])
def test_an_exception_of_main_comes_out_of_run(world: World, kind: type[BaseException]) -> None:
    error = kind("mine")

    def main() -> None:
        raise error

    with pytest.raises(kind) as caught:
        world.run(main)
    assert caught.value is error
    notes = getattr(error, "__notes__", [])
    if world.virtual:  # where in virtual time, which the traceback does not say
        assert notes[0].startswith("in goroutine 1 (")
        assert notes[1].startswith("at virtual time 0.0")
    else:
        assert notes == []


@pytest.mark.parametrize("kind", [KeyError, Odd, SystemExit])
def test_an_exception_of_a_g_ends_the_run(world: World, kind: type[BaseException]) -> None:
    """It says which G raised it, and where that was created."""
    error = kind("its")
    ids = []

    def fail() -> None:
        me = mpg.current_g()
        assert me is not None
        ids.append(me.id)
        mpg.gosched()
        raise error

    def main() -> None:
        mpg.go(fail)
        stuck()

    with pytest.raises(kind) as caught:
        world.run(main)
    assert caught.value is error
    note, *more = error.__notes__
    assert note == f"in goroutine {ids[0]} ({fail.__qualname__}), created at {line_of(main, 1)}"
    assert [text.partition(" 0.")[0] for text in more] == ["at virtual time"] * world.virtual
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    assert frame is not None
    assert frame.tb_frame.f_code is fail.__code__, "the traceback leads to the line that raised"


def test_an_exception_that_is_handled_ends_nothing(world: World) -> None:
    def main() -> str:
        def fail() -> None:
            with contextlib.suppress(KeyError):
                mpg.gosched()
                raise KeyError

        join_all([mpg.go(fail) for _ in range(5)])
        return "done"

    assert world.run(main) == "done"


def test_only_the_first_failure_counts(world: World) -> None:
    def fail_too() -> None:
        raise ValueError("second")

    def main() -> None:
        park(stuck, fail_too)
        park(stuck, fail_too)
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        world.run(main)


def test_the_exception_in_flight_is_each_g_s_own(world: World) -> None:
    def main() -> None:
        def handle(who: int) -> None:
            error = KeyError(who)
            try:
                raise error
            except KeyError:
                for _ in range(3):
                    mpg.gosched()
                    with pytest.raises(ValueError) as inner:
                        int("no number")
                    assert inner.value.__context__ is error

        join_all([mpg.go(handle, who) for who in range(5)])

    world.run(main)
