"""Ticker: when it ticks, ticks that nobody takes, stop and reset."""

from __future__ import annotations

from itertools import pairwise

import pytest
from conformance.times import FAR_BACK, MS, check_time, ms, never_comes, pass_time
from conformance.worlds import World

import mpg


def test_ticks_come_at_equal_distances(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        ticker = mpg.Ticker(2 * MS)
        ticks = []
        for n in range(1, 6):
            ticks.append(ms(ticker.chan.recv() - before))
            check_time(world, before, 2 * n)
        ticker.stop()
        if world.virtual:
            assert ticks == [2, 4, 6, 8, 10]
        else:
            distances = [b - a for a, b in pairwise(ticks)]
            assert all(d > 0 and d / 2 == pytest.approx(round(d / 2), abs=1e-3) for d in distances)

    world.run(main)


def test_ticks_that_nobody_takes_are_dropped_and_the_phase_is_kept(world: World) -> None:
    """Read first at 3.5 periods: the first tick of all, then those to come."""

    def main() -> list[float]:
        before = mpg.now()
        ticker = mpg.Ticker(2 * MS)
        pass_time(7)
        ticks = [ms(ticker.chan.recv() - before) for _ in range(3)]
        ticker.stop()
        return ticks

    ticks = world.run(main)
    if world.virtual:
        assert ticks == [2, 8, 10]
    else:
        late = [round((tick - ticks[0]) / 2, 3) for tick in ticks]
        assert late == sorted(set(late)), late
        assert all(n == int(n) for n in late), late
        assert late[1] >= 3


def test_reset_of_a_ticker(world: World) -> None:
    def main() -> None:
        ticker = mpg.Ticker(2 * MS)
        for stop in (False, True):
            pass_time(3)  # a tick is waiting, and is taken back
            if stop:
                ticker.stop()
            before = mpg.now()
            ticker.reset(3 * MS)
            for n in (1, 2):
                value = ticker.chan.recv()
                check_time(world, before, 3 * n)
                assert value >= before + 3 * n * MS - 1e-9
        ticker.stop()

    world.run(main)


def test_a_stopped_ticker_is_silent_but_not_closed(world: World) -> None:
    def main() -> None:
        ticker = mpg.Ticker(MS)
        pass_time(2)
        ticker.stop()
        never_comes(world, ticker)

    world.run(main)


@pytest.mark.parametrize("seconds", [0, -0.0, 1e-12, *FAR_BACK])
def test_a_ticker_needs_a_period(world: World, seconds: float) -> None:
    def main() -> None:
        ticker = mpg.Ticker(MS)
        with pytest.raises(ValueError, match=r"^non-positive interval for NewTicker$"):
            mpg.Ticker(seconds)
        with pytest.raises(ValueError, match=r"^non-positive interval for Ticker\.Reset$"):
            ticker.reset(seconds)
        assert ticker.chan.recv_ok()[1], "it runs on as it was"
        ticker.stop()

    world.run(main)


def test_a_ticker_in_a_for_loop(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        ticker = mpg.Ticker(MS)
        for n, _ in enumerate(ticker.chan, 1):
            check_time(world, before, n)
            if n == 4:
                break
        ticker.stop()

    world.run(main)
