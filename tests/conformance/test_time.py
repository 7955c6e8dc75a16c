"""Sleep and timers: when they end, and what stop and reset leave behind.

Where time is virtual it is compared exactly: nothing but sleeping takes time there. On the host nothing may
come too early; how late it comes is the machine's affair.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from conformance.worlds import World, is_parked, join_all, park, until

import mpg
from mpg import recv_case, select, send_case

NOTHING = (-1, None, False, None)
MS = 0.001
BAD_TIMES = {
    "NaN": (float("nan"), ValueError),
    "str": ("1", TypeError),
    "None": (None, TypeError),
    "bool": (True, TypeError),
}
FAR_BACK = [-1, -1e300, float("-inf")]
FAR_AHEAD = [1e9, 1e300, float("inf")]


def ms(seconds: float) -> float:
    """A time in milliseconds, free of the noise of floats."""
    return round(seconds * 1000, 6)


def check_time(world: World, since: float, expected_ms: float) -> None:
    """So many milliseconds have passed since `since`; on the host at least."""
    passed = ms(mpg.now() - since)
    if world.virtual:
        assert passed == expected_ms
    else:
        assert passed >= expected_ms


def pass_time(milliseconds: float) -> None:
    """Let time pass in any world, without a look at any timer channel."""
    mpg.sleep(milliseconds * MS)


def never_comes(world: World, timer: mpg.Timer | mpg.Ticker) -> None:
    """Nothing is delivered, now or later."""
    assert timer.chan.try_recv() == NOTHING
    if world.virtual:
        pass_time(1_000_000)
        assert timer.chan.try_recv() == NOTHING
    g = park(timer.chan.recv_ok)
    for _ in range(10):
        mpg.gosched()
    assert is_parked(g)


# Sleep and the clock


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


# after and Timer


def test_after(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        ch = mpg.after(2 * MS)
        fired_for = ch.recv()
        check_time(world, before, 2)
        assert fired_for <= mpg.now()
        if world.virtual:
            assert ms(fired_for - before) == 2
        else:
            assert fired_for - before >= 2 * MS - 1e-9
        assert ch.try_recv() == NOTHING

    world.run(main)


@pytest.mark.parametrize("seconds", [0, *FAR_BACK])
def test_a_timer_of_no_time_has_fired(world: World, seconds: float) -> None:
    def main() -> None:
        for ch in (mpg.after(seconds), mpg.Timer(seconds).chan):
            assert ch.try_recv().ok
            assert ch.try_recv() == NOTHING
        timer = mpg.Timer(60)
        timer.reset(seconds)
        assert timer.chan.recv_ok()[1]

    world.run(main)


def test_a_timer_channel_shows_no_place_and_no_item(world: World) -> None:
    def main() -> None:
        timer, ticker = mpg.Timer(MS), mpg.Ticker(MS)
        for _ in range(2):
            for ch in (timer.chan, ticker.chan):
                assert (len(ch), ch.cap) == (0, 0)
            pass_time(2)
        timer.chan.recv()
        assert (len(timer.chan), timer.chan.cap) == (0, 0)
        ticker.stop()

    world.run(main)


def test_a_timer_that_nobody_watches_fires_for_its_time(world: World) -> None:
    def main() -> None:
        before = mpg.now()
        timer = mpg.Timer(2 * MS)
        after = mpg.now()
        pass_time(7)
        value = timer.chan.recv()
        assert before + 2 * MS - 1e-9 <= value <= after + 2 * MS + 1e-9
        never_comes(world, timer)

    world.run(main)


def test_stop_before_it_fires(world: World) -> None:
    def main() -> None:
        timer = mpg.Timer(60)
        assert timer.stop() is True
        assert timer.stop() is False
        never_comes(world, timer)

    world.run(main)


def test_stop_after_it_fired_unseen(world: World) -> None:
    """Go 1.23: the value that nobody has received is taken back, so stop has kept it from firing."""

    def main() -> None:
        timer = mpg.Timer(MS)
        pass_time(2)
        assert timer.stop() is True
        assert timer.stop() is False
        never_comes(world, timer)

    world.run(main)


def test_stop_after_it_was_received_from(world: World) -> None:
    def main() -> None:
        timer = mpg.Timer(MS)
        timer.chan.recv()
        assert timer.stop() is False
        never_comes(world, timer)

    world.run(main)


def test_reset_of_a_running_timer(world: World) -> None:
    def main() -> None:
        for first, second in ((60, 3), (1, 3)):
            timer = mpg.Timer(first if first == 60 else 50 * MS)
            before = mpg.now()
            assert timer.reset(second * MS) is True
            timer.chan.recv()
            check_time(world, before, second)
            never_comes(world, timer)

    world.run(main)


def test_reset_after_it_fired_unseen(world: World) -> None:
    """Go 1.23: reset takes back the old value; what comes is the new one."""

    def main() -> None:
        timer = mpg.Timer(MS)
        pass_time(2)
        before = mpg.now()
        assert timer.reset(3 * MS) is True
        value = timer.chan.recv()
        check_time(world, before, 3)
        assert value >= before + 3 * MS - 1e-9
        never_comes(world, timer)

    world.run(main)


def test_reset_of_a_timer_that_is_over(world: World) -> None:
    def main() -> None:
        received, stopped = mpg.Timer(MS), mpg.Timer(60)
        received.chan.recv()
        stopped.stop()
        for timer in (received, stopped):
            before = mpg.now()
            assert timer.reset(2 * MS) is False
            timer.chan.recv()
            check_time(world, before, 2)

    world.run(main)


def test_reset_reaches_who_waits_already(world: World) -> None:
    def main() -> None:
        for seconds, new_ms in ((60, 2), (0.3, 310)):  # sooner, and later
            timer = mpg.Timer(seconds)
            before = mpg.now()

            def wait(timer: mpg.Timer = timer, before: float = before, new_ms: int = new_ms) -> None:
                value, ok = timer.chan.recv_ok()
                assert ok
                assert value >= before + new_ms * MS - 1e-9
                check_time(world, before, new_ms)

            g = park(wait)
            if world.virtual:
                assert mpg.now() == before
            assert timer.reset(new_ms * MS) is True
            g.join()

    world.run(main)


def test_stop_reaches_who_waits_already(world: World) -> None:
    def main() -> None:
        timer = mpg.Timer(300 * MS)
        plain = park(timer.chan.recv)
        selecting = park(lambda: select(recv_case(timer.chan), recv_case(mpg.Chan())))
        assert timer.stop() is True
        pass_time(1_000_000 if world.virtual else 310)
        assert is_parked(plain)
        assert is_parked(selecting)
        timer.reset(MS)
        pass_time(2)
        until(lambda: (plain.status == "dead") != (selecting.status == "dead"))
        timer.reset(MS)
        join_all([plain, selecting])

    world.run(main)


def test_one_value_for_many_receivers(world: World) -> None:
    def main() -> None:
        timer = mpg.Timer(60)
        gs = [park(timer.chan.recv) for _ in range(4)]
        assert timer.reset(2 * MS) is True
        pass_time(3)
        until(lambda: sum(g.status == "dead" for g in gs) == 1)
        for left in (3, 2, 1):
            assert timer.reset(0) is False
            until(lambda left=left: sum(g.status != "dead" for g in gs) == left - 1)

    world.run(main)


# Ticker


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


# after_func


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


# Timers in select


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
