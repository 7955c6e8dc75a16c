"""Sleep and the clock; and what neither sleep nor a timer takes for a time."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.times import BAD_TIMES, FAR_AHEAD, FAR_BACK, MS, check_time, ms, pass_time
from conformance.worlds import World, is_parked, join_all, park

import mpg


def test_sleep_lasts(world: World) -> None:
    def main() -> None:
        for milliseconds in (1, 2.5, 0.05):
            before = mpg.now()
            assert mpg.sleep(milliseconds * MS) is None  # type: ignore[func-returns-value]
            check_time(world, before, milliseconds)

    world.run(main)


def test_sleep_takes_ints(world: World) -> None:
    def main() -> None:
        mpg.sleep(0)
        before = mpg.now()
        if world.virtual:
            mpg.sleep(3600)
            check_time(world, before, 3_600_000)

    world.run(main)


@pytest.mark.parametrize("seconds", [0, -0.0, -0.5, *FAR_BACK])
def test_sleep_that_is_not_positive_does_not_even_yield(one_p: World, seconds: float) -> None:
    def main() -> None:
        g = mpg.go(lambda: None)
        before = mpg.now()
        mpg.sleep(seconds)
        assert g.status == "runnable" or (not one_p.virtual and mpg.now() - before > 5 * MS)
        check_time(one_p, before, 0)
        g.join()

    one_p.run(main)


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_what_is_no_time(world: World, bad: str) -> None:
    seconds: Any
    seconds, error = BAD_TIMES[bad]

    def main() -> None:
        timer, ticker = mpg.Timer(60), mpg.Ticker(60)
        for use in (
            mpg.sleep,
            mpg.after,
            mpg.Timer,
            mpg.Ticker,
            lambda s: mpg.after_func(s, pytest.fail),
            timer.reset,
            ticker.reset,
        ):
            with pytest.raises(error):
                use(seconds)
        assert (timer.stop(), ticker.stop()) == (True, True), "they run on as they were"

    world.run(main)


def test_sleep_without_an_end(world: World) -> None:
    def main() -> None:
        gs = [park(mpg.sleep, seconds, reason="sleep") for seconds in FAR_AHEAD]
        pass_time(1_000_000 if world.virtual else 1)
        assert all(is_parked(g, "sleep") for g in gs)

    world.run(main)


def test_sleepers_wake_when_their_time_has_come(world: World) -> None:
    """In virtual time in the order of their deadlines, each at its own."""

    def main() -> list[tuple[int, float]]:
        start = mpg.now()
        log: list[tuple[int, float]] = []

        def sleeper(who: int) -> None:
            mpg.sleep(start + who * 2 * MS - mpg.now())
            log.append((who, ms(mpg.now() - start)))

        join_all([mpg.go(sleeper, who) for who in (3, 1, 4, 5, 2)])
        return log

    log = world.run(main)
    assert sorted(who for who, _ in log) == [1, 2, 3, 4, 5]
    if world.virtual:
        assert [who for who, _ in log] == [1, 2, 3, 4, 5]
        assert [at for _, at in log] == pytest.approx([2, 4, 6, 8, 10], abs=0.01)
    else:
        assert all(at >= who * 2 - 0.001 for who, at in log)


def test_others_run_during_a_sleep(world: World) -> None:
    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        got: list[int] = []
        g = mpg.go(lambda: got.extend(ch))
        sleeper = park(mpg.sleep, 60, reason="sleep")
        for item in range(100):
            ch.send(item)
        ch.close()
        g.join()
        assert got == list(range(100))
        assert is_parked(sleeper)

    world.run(main)


def test_the_clock_never_goes_back(world: World) -> None:
    def main() -> None:
        times = [mpg.now()]
        for _ in range(20):
            mpg.go(lambda: times.append(mpg.now())).join()
            times.append(mpg.now())
        assert times == sorted(times)
        if world.virtual:
            assert times[-1] - times[0] < 0.1 * MS, "computing takes no time"

    world.run(main)
