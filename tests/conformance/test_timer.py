"""after and Timer: when they fire, and what stop and reset leave behind."""

from __future__ import annotations

import pytest
from conformance.times import FAR_BACK, MS, check_time, ms, never_comes, pass_time
from conformance.worlds import NOTHING, World, is_parked, join_all, park, until

import mpg
from mpg import recv_case, select


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
