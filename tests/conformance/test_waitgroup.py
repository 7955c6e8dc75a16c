"""WaitGroup: what it promises, and Go's words for its misuse."""

from __future__ import annotations

import pytest
from conformance.locks import panic_text
from conformance.worlds import World, check_order, is_parked, join_all, park, until

import mpg
from mpg import sync


def test_wait_returns_once_all_are_done(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        wg.wait()
        wg.add(3)
        finished = 0

        def one() -> None:
            nonlocal finished
            mpg.gosched()
            finished += 1
            wg.done()

        def wait() -> None:
            wg.wait()
            assert finished == 3

        waiters = [park(wait, reason="sync.WaitGroup.Wait") for _ in range(4)]
        for n in range(3):
            assert all(map(is_parked, waiters))
            mpg.go(one).join()
            until(lambda n=n: finished == n + 1)
        join_all(waiters)
        wg.wait()

    world.run(main)


def test_add_counts_in_any_portions(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        wg.add(0)
        wg.add()
        wg.add(4)
        wg.add(-3)
        g = park(wg.wait)
        wg.done()
        assert is_parked(g), "one is left"
        wg.add(1)
        wg.add(-2)
        g.join()

    world.run(main)


def test_a_waitgroup_can_be_used_again(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        done: list[int] = []
        for lap in range(3):
            for _ in range(5):
                wg.go(done.append, lap)
            wg.wait()
            assert done.count(lap) == 5

    world.run(main)


def test_a_negative_counter_panics(world: World) -> None:
    def main() -> None:
        assert panic_text(sync.WaitGroup().done) == "sync: negative WaitGroup counter"
        wg = sync.WaitGroup()
        wg.add(2)
        assert panic_text(lambda: wg.add(-3)) == "sync: negative WaitGroup counter"

    world.run(main)


def test_reuse_before_wait_has_returned_panics(one_p: World) -> None:
    def main() -> list[str]:
        wg = sync.WaitGroup()
        wg.add(1)
        texts: list[str] = []
        g = park(lambda: texts.append(panic_text(wg.wait)))
        wg.done()
        wg.add(1)
        g.join()
        return texts

    check_order(one_p, main, ["sync: WaitGroup is reused before previous Wait has returned"])


def test_waitgroup_go(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        gate: mpg.Chan[None] = mpg.Chan()
        ran: list[tuple[int, int]] = []

        def member(a: int, b: int) -> None:
            gate.recv_ok()
            ran.append((a, b))

        gs = [wg.go(member, i, -i) for i in range(3)]
        assert all(isinstance(g, mpg.G) for g in gs)
        assert {g.name for g in gs} == {member.__qualname__}
        waiter = park(wg.wait)
        gate.close()
        waiter.join()
        assert sorted(ran) == [(0, 0), (1, -1), (2, -2)]

    world.run(main)


def test_waitgroup_go_names_its_g_as_go_does(world: World) -> None:
    def main() -> tuple[str, str, str, str]:
        fn = lambda: None  # noqa: E731
        wg = sync.WaitGroup()
        a, b = wg.go(fn), mpg.go(fn)
        wg.wait()
        b.join()
        return a.name, b.name, a.created, b.created

    a, b, created_a, created_b = world.run(main)
    assert a == b
    assert created_a == created_b


def test_goexit_counts_as_done(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        wg.go(mpg.goexit)
        wg.wait()

    world.run(main)


def test_a_failure_does_not_count_as_done(world: World) -> None:
    after_wait = []

    def main() -> None:
        wg = sync.WaitGroup()

        def fail() -> None:
            raise KeyError("lost")

        park(lambda: (wg.add(1), wg.wait(), after_wait.append(1)))
        wg.go(fail)
        wg.done()
        wg.wait()
        after_wait.append(2)

    with pytest.raises(KeyError, match="lost"):
        world.run(main)
    assert after_wait == []


def test_waitgroup_go_of_what_is_no_function_counts_nobody(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        with pytest.raises(TypeError):
            wg.go(42)  # type: ignore[arg-type]
        wg.wait()

    world.run(main)
