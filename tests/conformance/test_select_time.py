"""Timers, tickers and timeouts in select."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.times import BAD_TIMES, FAR_AHEAD, FAR_BACK, MS, check_time, ms, pass_time
from conformance.worlds import NOTHING, World, park

import mpg
from mpg import recv_case, select, send_case


def test_the_earlier_timer_wins(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        slow, fast = mpg.Timer(60), mpg.Timer(2 * MS)
        index, value, ok, ch = select(recv_case(slow.chan), recv_case(mpg.Chan()), recv_case(fast.chan))
        assert (index, ok, ch) == (2, True, fast.chan)
        assert value >= before + 2 * MS - 1e-9
        check_time(world, before, 2)
        assert slow.stop() is True
        assert fast.stop() is False

    world.run(main)


def test_a_timer_that_has_fired_is_ready(world: World) -> None:
    def main() -> None:
        timer = mpg.Timer(2 * MS)
        if world.virtual:
            assert select(recv_case(timer.chan), default=True) == NOTHING
        pass_time(3)
        assert select(recv_case(timer.chan), default=True).index == 0
        assert select(recv_case(timer.chan), default=True) == NOTHING

    world.run(main)


def test_a_select_with_a_timer_takes_what_comes_first(world: World) -> None:
    def main() -> None:
        ch: mpg.Chan[str] = mpg.Chan()
        timer = mpg.Timer(60)
        g = park(lambda: select(recv_case(timer.chan), recv_case(ch)), reason="select")
        ch.send("came")
        g.join()
        assert timer.stop() is True

    world.run(main)


def test_a_ticker_beside_a_channel(world: World) -> None:
    def main() -> None:
        done: mpg.Chan[None] = mpg.Chan()
        before = mpg.now()
        ticker = mpg.Ticker(2 * MS)
        mpg.after_func(7 * MS, done.close)
        ticks = []
        while True:
            index, value, _, _ = select(recv_case(ticker.chan), recv_case(done))
            if index == 1:
                break
            ticks.append(ms(value - before))
        ticker.stop()
        check_time(world, before, 7)
        if world.virtual:
            assert ticks == [2, 4, 6]
        else:
            assert ticks == sorted(set(ticks))

    world.run(main)


def test_reset_reaches_a_select(world: World) -> None:
    def main() -> None:
        timer = mpg.Timer(60)
        before = mpg.now()

        def wait() -> None:
            assert select(recv_case(mpg.Chan()), recv_case(timer.chan)).index == 1
            check_time(world, before, 2)

        g = park(wait, reason="select")
        assert timer.reset(2 * MS) is True
        g.join()

    world.run(main)


def test_select_timeout(world: World) -> None:
    def main() -> None:
        empty, full = mpg.Chan[int](), mpg.Chan[int](1)
        full.send(0)
        for timeout in (2, 0.5):
            before = mpg.now()
            assert select(recv_case(empty), send_case(full, 1), timeout=timeout * MS) == NOTHING
            check_time(world, before, timeout)
        before = mpg.now()
        assert select(timeout=2 * MS) == NOTHING
        check_time(world, before, 2)

    world.run(main)


@pytest.mark.parametrize("timeout", [0, -0.0, -1e-9, *FAR_BACK])
def test_select_timeout_that_is_not_positive(world: World, timeout: float) -> None:
    def main() -> None:
        empty, full = mpg.Chan[int](), mpg.Chan[int](1)
        assert select(recv_case(empty), timeout=timeout) == NOTHING
        full.send(1)
        assert select(recv_case(full), timeout=timeout).index == 0, "a ready case comes before the timeout"

    world.run(main)


@pytest.mark.parametrize("timeout", FAR_AHEAD)
def test_select_timeout_without_an_end(world: World, timeout: float) -> None:
    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        g = park(lambda: select(recv_case(ch), timeout=timeout))
        ch.send(1)
        g.join()

    world.run(main)


@pytest.mark.parametrize("bad", ["NaN", "str"])
def test_select_timeout_that_is_no_time(world: World, bad: str) -> None:
    timeout: Any
    timeout, error = BAD_TIMES[bad]

    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan(1)
        with pytest.raises(error):
            select(recv_case(ch), timeout=timeout)
        ch.send(1)
        assert ch.recv() == 1, "the channel is as it was"

    world.run(main)


def test_a_timer_and_a_timeout(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        assert select(recv_case(mpg.after(60)), timeout=2 * MS) == NOTHING
        check_time(world, before, 2)
        before = mpg.now()
        assert select(recv_case(mpg.after(2 * MS)), timeout=60).index == 0
        check_time(world, before, 2)

    world.run(main)
