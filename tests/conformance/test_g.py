"""What a G tells about itself: its number, its names, where it was created, its status and why it waits."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import Any

import pytest
from conformance.gs import REASONS, line_of, stuck
from conformance.worlds import World, is_parked, join_all, park, until

import mpg

HERE = __file__


def test_ids(world: World) -> None:
    def main() -> None:
        me = mpg.current_g()
        assert me is not None
        assert me.id == 1
        seen: list[mpg.G | None] = []
        gs = [mpg.go(lambda: seen.append(mpg.current_g())) for _ in range(100)]
        join_all(gs)
        assert {id(g) for g in seen} == {id(g) for g in gs}
        ids = [g.id for g in gs]
        assert len({1, *ids}) == 101
        assert all(isinstance(goid, int) and goid > 1 for goid in ids)
        if world.procs == 1:
            assert ids == sorted(ids)
        assert mpg.current_g() is me

    world.run(main)


class Callme:
    def __call__(self) -> None:
        pass

    def method(self) -> None:
        pass


def test_names(world: World) -> None:
    def main() -> None:
        def local() -> None:
            pass

        first_lambda = lambda: None  # noqa: E731
        names: dict[Any, str] = {
            local: local.__qualname__,
            first_lambda: line_of(first_lambda),
            functools.partial(local): local.__qualname__,
            functools.partial(first_lambda): line_of(first_lambda),
            Callme(): "Callme",
            Callme().method: "Callme.method",
            Callme: "Callme",
            print: "print",
        }
        for fn, name in names.items():
            g = mpg.go(fn)
            assert g.name == name
            g.join()
            assert g.name == name, "it keeps its name when it is dead"

    world.run(main)


def test_a_name_can_be_given(world: World) -> None:
    def main() -> None:
        g = park(stuck)
        g.name = "the stuck one"
        assert g.name == "the stuck one"
        assert "the stuck one" in repr(g)

    world.run(main)


def test_the_name_of_main(world: World) -> None:
    def main() -> tuple[str, str]:
        me = mpg.current_g()
        assert me is not None
        return me.name, me.created

    anonymous = lambda: main()  # noqa: E731
    assert world.run(main) == (main.__qualname__, "")
    assert world.run(anonymous) == (line_of(anonymous), "")


def test_created_says_where_go_was_called(world: World) -> None:
    def main() -> None:
        start = main.__code__.co_firstlineno
        one = mpg.go(lambda: None)
        several = mpg.go(
            lambda: None,
        )
        wg = mpg.sync.WaitGroup()
        member = wg.go(lambda: None)
        wg.wait()
        got: mpg.Chan[mpg.G | None] = mpg.Chan()
        mpg.after_func(0, lambda: got.send(mpg.current_g()))
        late = got.recv()
        assert late is not None
        assert one.created == f"{HERE}:{start + 2}"
        assert several.created in [f"{HERE}:{start + 3 + i}" for i in range(3)]
        assert member.created == f"{HERE}:{start + 7}"
        assert late.created.startswith(HERE)

    world.run(main)


def test_statuses(world: World) -> None:
    def main() -> None:
        me = mpg.current_g()
        assert me is not None
        assert me.status == "running"
        ch: mpg.Chan[int] = mpg.Chan()
        g = mpg.go(ch.recv)
        assert g.status in ("runnable", "running", "waiting") if world.procs > 1 else g.status == "runnable"
        until(lambda: g.status == "waiting")
        assert g.waitreason == "chan receive"
        assert "chan receive" in repr(g)
        ch.send(1)
        g.join()
        assert g.status == "dead"
        assert "dead" in repr(g)

    world.run(main)


@pytest.mark.parametrize("reason", REASONS)
def test_wait_reasons_are_in_the_words_of_go(world: World, reason: str) -> None:
    world.run(lambda: park(REASONS[reason], reason=reason).status)


def test_who_keeps_a_g_does_not_keep_those_that_were_unwound(world: World) -> None:
    class Waits:
        def __call__(self) -> None:
            mpg.Chan[int]().recv()

    def main() -> Any:
        for _ in range(5):
            one = Waits()
            gs.append(weakref.ref(one))
            mpg.go(one)
            del one
            mpg.gosched()
        kept = mpg.go(int)
        kept.join()
        return kept

    gs: list[Any] = []
    kept = world.run(main)
    gc.collect()
    assert kept.status == "dead"
    assert not any(g() for g in gs)


def test_what_an_unwound_g_held_dies_in_it(world: World) -> None:
    log: list[Any] = []

    class Held:
        def __del__(self) -> None:
            log.append(mpg.current_g())

    def holder() -> None:
        held = Held()
        mpg.Chan[int]().recv()
        del held

    def main() -> Any:
        g = mpg.go(holder)
        until(lambda: is_parked(g))
        return g

    g = world.run(main)
    assert log == [g]


def test_results_that_nobody_wants_any_more_are_not_kept(world: World) -> None:
    """Not by the stacks that G's ran on, which wait for others, nor by g0."""

    class Result:
        pass

    def make(alone: bool) -> Result:
        if not alone:  # its stack is left for a G that has begun, not for the next fresh one
            mpg.go(mpg.gosched)
            mpg.gosched()
        return Result()

    def main() -> None:
        gs = [mpg.go(make, n % 2 == 0) for n in range(20)]
        join_all(gs)
        results = [weakref.ref(g.result) for g in gs]
        gs.clear()

        def are_gone() -> bool:
            gc.collect()  # free-threaded, what was made on an M that sleeps by now needs this
            return not any(result() for result in results)

        until(are_gone)  # another M may be about to leave its last G

    world.run(main)


def test_who_keeps_a_g_does_not_keep_what_it_was_given(world: World) -> None:
    class Given:
        pass

    def takes(*args: Given, **kwargs: Given) -> int:
        return len(args) + len(kwargs)

    def main() -> None:
        one, two = Given(), Given()
        gs = [mpg.go(takes, one), mpg.go(takes, one, other=two)]
        given = [weakref.ref(one), weakref.ref(two)]
        del one, two
        join_all(gs)
        assert [g.result for g in gs] == [1, 2]
        assert {g.name for g in gs} == {takes.__qualname__}
        gc.collect()
        assert not any(it() for it in given)

    world.run(main)
