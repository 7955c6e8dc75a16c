"""go, join, and what needs a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import World, join_all, park

import mpg

# go


def test_go_runs_a_function_with_its_arguments(world: World) -> None:
    def main() -> None:
        got: list[Any] = []

        def fn(*args: Any, **kwargs: Any) -> str:
            got.append((args, kwargs))
            return "dropped"

        for g in (mpg.go(fn), mpg.go(fn, 1, "b"), mpg.go(fn, 2, c=3), mpg.go(fn, fn=4)):
            assert isinstance(g, mpg.G)
            assert g.join() is None  # type: ignore[func-returns-value]
        assert sorted(got, key=repr) == sorted(
            [((), {}), ((1, "b"), {}), ((2,), {"c": 3}), ((), {"fn": 4})], key=repr
        )

    world.run(main)


def test_go_of_what_is_no_function(world: World) -> None:
    def main() -> None:
        wrong: Any
        for wrong in (42, "print", None):
            with pytest.raises(TypeError):
                mpg.go(wrong)
        assert mpg.num_goroutine() == 1

    world.run(main)


def test_wrong_arguments_fail_in_the_g(world: World) -> None:
    def main() -> None:
        wrong: Any = mpg.sleep
        mpg.go(wrong, 1, 2, 3).join()

    with pytest.raises(TypeError):
        world.run(main)


def test_many_gs(world: World) -> None:
    def main() -> int:
        total = [0] * 2000

        def add(n: int) -> None:
            if n % 7 == 0:
                mpg.gosched()
            total[n] += n

        join_all([mpg.go(add, n) for n in range(2000)])
        return sum(total)

    assert world.run(main) == 1999 * 1000


def test_a_chain_of_gs(world: World) -> None:
    """Each starts the next: starting one inside another costs no stack."""

    def main() -> int:
        done: mpg.Chan[int] = mpg.Chan()

        def link(n: int) -> None:
            if n == 3000:
                done.send(n)
            else:
                mpg.go(link, n + 1)

        mpg.go(link, 0)
        return done.recv()

    assert world.run(main) == 3000


def test_a_g_may_recurse_deeply(world: World) -> None:
    def main() -> None:
        def deep(n: int) -> int:
            if n == 0:
                mpg.gosched()
                return 0
            return 1 + deep(n - 1)

        join_all([mpg.go(deep, 500) for _ in range(10)])

    world.run(main)


OUTSIDE: dict[str, Callable[[], object]] = {
    "go": lambda: mpg.go(print),
    "gosched": mpg.gosched,
    "goexit": mpg.goexit,
    "gomaxprocs": mpg.gomaxprocs,
    "WaitGroup.go": lambda: mpg.sync.WaitGroup().go(print),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_needs_a_run(name: str) -> None:
    with pytest.raises(RuntimeError):
        OUTSIDE[name]()


def test_an_ordinary_thread_is_no_g() -> None:
    assert mpg.current_g() is None
    assert mpg.num_goroutine() == 0


# join


def test_join_waits_for_the_end(world: World) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        joined: list[int] = []
        gs = [park(lambda who=who: (g.join(), joined.append(who)), reason="join") for who in range(5)]
        assert joined == []
        gate.close()
        join_all(gs)
        assert sorted(joined) == list(range(5))
        g.join()
        g.join(timeout=0)

    world.run(main)


def test_join_with_a_timeout(world: World) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        for seconds in (0, -1, 0.002):
            before = mpg.now()
            with pytest.raises(TimeoutError):
                g.join(seconds)
            passed = mpg.now() - before
            if world.virtual:
                assert passed == pytest.approx(max(seconds, 0), abs=1e-12)
            else:
                assert passed >= seconds - 1e-9
        gate.close()
        g.join(60)
        assert g.status == "dead"

    world.run(main)


def test_join_without_an_end(world: World) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        gs = [park(g.join, seconds, reason="join") for seconds in (1e9, 1e300, float("inf"))]
        gate.close()
        join_all(gs)

    world.run(main)


@pytest.mark.parametrize(("bad", "error"), [(float("nan"), ValueError), ("1", TypeError)], ids=["NaN", "str"])
def test_join_for_what_is_no_time(world: World, bad: Any, error: type[Exception]) -> None:
    def main() -> None:
        gate: mpg.Chan[None] = mpg.Chan()
        g = park(gate.recv_ok)
        with pytest.raises(error):
            g.join(bad)
        gate.close()
        g.join()

    world.run(main)


def test_a_g_cannot_join_itself(world: World) -> None:
    def main() -> None:
        me = mpg.current_g()
        assert me is not None
        with pytest.raises(RuntimeError):
            me.join()

    world.run(main)


def test_join_after_goexit(world: World) -> None:
    world.run(lambda: mpg.go(mpg.goexit).join())
