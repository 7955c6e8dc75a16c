"""gosched, goexit, num_goroutine and gomaxprocs."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.worlds import World, is_parked, join_all, park, until

import mpg


def test_gosched_lets_the_others_run(world: World) -> None:
    def main() -> None:
        flags: list[int] = []
        mpg.go(flags.append, 1)
        until(lambda: flags)  # nothing but gosched
        assert mpg.gosched() is None  # type: ignore[func-returns-value]

    world.run(main)


def test_goexit_runs_the_finally_blocks_and_nothing_else(world: World) -> None:
    def main() -> list[str]:
        log: list[str] = []

        def inner() -> None:
            try:
                mpg.goexit()
            finally:
                log.append("inner")

        def outer() -> None:
            try:
                inner()
                log.append("never")
            except Exception:
                log.append("never")
            finally:
                mpg.gosched()  # blocking is allowed here
                log.append("outer")

        mpg.go(outer).join()
        return log

    assert world.run(main) == ["inner", "outer"]


def test_goexit_of_main_leaves_the_others_running(world: World) -> None:
    log: list[object] = []

    def main() -> None:
        def other() -> None:
            mpg.sleep(0.001)
            mpg.go(log.append, "grandchild").join()
            log.append("child")

        mpg.go(other)
        try:
            mpg.goexit()
        finally:
            log.append("finally")

    with pytest.raises(mpg.DeadlockError) as caught:
        world.run(main)
    assert str(caught.value) == "no goroutines (main called runtime.Goexit) - deadlock!"
    assert log == ["finally", "grandchild", "child"]


def test_a_failure_after_goexit_of_main(world: World) -> None:
    def main() -> None:
        def fail() -> None:
            mpg.sleep(0.001)
            raise KeyError("later")

        mpg.go(fail)
        mpg.goexit()

    with pytest.raises(KeyError, match="later"):
        world.run(main)


def test_num_goroutine(world: World) -> None:
    def main() -> None:
        assert mpg.num_goroutine() == 1
        gate: mpg.Chan[None] = mpg.Chan()
        gs = [mpg.go(gate.recv_ok) for _ in range(10)]
        assert mpg.num_goroutine() == 11, "started or not"
        until(lambda: all(map(is_parked, gs)))
        assert mpg.num_goroutine() == 11
        gate.close()
        join_all(gs)
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_gomaxprocs_tells(world: World) -> None:
    def main() -> None:
        assert mpg.gomaxprocs() == world.procs
        assert mpg.gomaxprocs(0) == world.procs
        assert mpg.gomaxprocs(world.procs) == world.procs

    world.run(main)


@pytest.mark.parametrize("sizes", [(8, 2, 1, 5), (1, 7, 1), (2, 1, 2, 1, 16)], ids=str)
def test_gomaxprocs_changes(world: World, sizes: tuple[int, ...]) -> None:
    def main() -> None:
        done: list[int] = []

        def work(n: int) -> None:
            for _ in range(3):
                mpg.gosched()
            mpg.sleep(0.0001)
            done.append(n)

        before, gs = world.procs, []
        for size in sizes:
            assert mpg.gomaxprocs(size) == before
            assert mpg.gomaxprocs() == size
            before = size
            gs += [mpg.go(work, n) for n in range(20)]
            mpg.gosched()
        join_all(gs)
        assert sorted(done) == sorted([*range(20)] * len(sizes))

    world.run(main)


def test_gomaxprocs_while_gs_wait(world: World) -> None:
    """Those who wait when the number shrinks lose nothing: neither their place, nor their timers."""

    def main() -> None:
        mpg.gomaxprocs(4)
        ch: mpg.Chan[int] = mpg.Chan()
        got: list[int] = []
        gs = [park(lambda: got.append(ch.recv())) for _ in range(4)]
        gs += [park(mpg.sleep, 0.001 * n, reason="sleep") for n in (1, 2, 3)] if world.virtual else []
        timers = [mpg.after(0.001 * n) for n in (1, 2, 3)]
        mpg.after_func(0.002, ch.send, -1)
        mpg.gomaxprocs(1)
        for item in range(3):
            ch.send(item)
        for timer in timers:
            timer.recv()
        join_all(gs)
        assert sorted(got) == [-1, 0, 1, 2]

    world.run(main)


@pytest.mark.parametrize("bad", [-1, 10**8, "2", 1.5, True, None], ids=repr)
def test_gomaxprocs_of_a_bad_number(world: World, bad: Any) -> None:
    def main() -> None:
        with pytest.raises((ValueError, TypeError)):
            mpg.gomaxprocs(bad)
        assert mpg.gomaxprocs() == world.procs

    world.run(main)


def test_gosched_needs_a_g(world: World) -> None:
    def main() -> None:
        with pytest.raises(RuntimeError, match=r"needs a run|inside mpg.blocking"):
            mpg.to_thread(mpg.gosched, cost=0.0)  # on a spare M, or as Go does it

    world.run(main)
