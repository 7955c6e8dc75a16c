"""Mutex: what it promises, its fairness, and Go's words for its misuse."""

from __future__ import annotations

from conformance.locks import Crowd, panic_text
from conformance.worlds import World, check_order, is_parked, join_all, park, until

import mpg
from mpg import sync


def test_one_at_a_time(world: World) -> None:
    def main() -> None:
        m, crowd = sync.Mutex(), Crowd()

        def visit() -> None:
            for _ in range(10):
                with m:
                    crowd.visit()

        join_all([mpg.go(visit) for _ in range(10)])
        assert (crowd.most, crowd.visits) == (1, 100)

    world.run(main)


def test_lock_waits_for_unlock(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        m.lock()
        gs = [park(m.lock, reason="sync.Mutex.Lock") for _ in range(3)]
        for i, g in enumerate(gs):
            assert all(map(is_parked, gs[i:]))
            m.unlock()
            g.join()
        assert not m.try_lock(), "the last of them has not unlocked"
        m.unlock()
        assert m.try_lock()

    world.run(main)


def test_try_lock(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        assert m.try_lock() is True
        assert m.try_lock() is False
        m.unlock()
        with m:
            assert m.try_lock() is False
        assert m.try_lock() is True

    world.run(main)


def test_a_mutex_is_not_tied_to_a_g(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        mpg.go(m.lock).join()
        assert m.try_lock() is False
        m.unlock()
        m.lock()
        mpg.go(m.unlock).join()
        assert m.try_lock() is True

    world.run(main)


def test_unlock_of_an_unlocked_mutex(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        for _ in range(2):
            assert panic_text(m.unlock) == "sync: unlock of unlocked mutex"
            m.lock()
            m.unlock()

    world.run(main)


def test_a_mutex_may_be_overtaken_while_waits_are_short(one_p: World) -> None:
    """Normal mode: whoever runs takes it; the woken waiter goes back to the front of the queue."""

    def main() -> list[object] | None:
        m = sync.Mutex()
        log: list[object] = []

        def wait(who: int) -> None:
            with m:
                log.append(who)

        start = mpg.now()
        m.lock()
        gs = [park(wait, who) for who in range(3)]
        m.unlock()
        log.append(m.try_lock())  # though the first waiter has been woken
        until(lambda: gs[0].status == "waiting")
        m.unlock()
        if mpg.now() - start >= 0.001:  # the machine was slow: the waits were not short
            return None
        join_all(gs)
        return log

    check_order(one_p, main, [True, 0, 1, 2])


def test_a_starving_mutex_is_handed_over(one_p: World) -> None:
    """A waiter that is overtaken after more than 1 ms: from then on each unlock hands the mutex to the first
    in the queue and yields to it, until the queue is empty. Then the mode is normal again."""

    def main() -> list[object]:
        m = sync.Mutex()
        log: list[object] = []

        def wait(who: int) -> None:
            m.lock()
            log.append(("in", who))
            m.unlock()
            log.append(("out", who))

        m.lock()
        gs = [park(wait, who) for who in range(3)]
        mpg.sleep(0.002)
        m.unlock()
        m.lock()  # overtakes 0, which is starving when it sees that
        mpg.gosched()
        m.unlock()
        log.append("main")
        join_all(gs)
        with m:
            g = park(wait, 3)
        log.append(m.try_lock())
        m.unlock()
        g.join()
        return log

    expected = [("in", 0), ("in", 1), ("in", 2), ("out", 2), "main", ("out", 0), ("out", 1)]
    check_order(one_p, main, [*expected, True, ("in", 3), ("out", 3)])


def test_a_hog_does_not_starve_the_others(world: World) -> None:
    """It locks again at once after each unlock, and yields only while it holds the mutex."""

    def main() -> None:
        m = sync.Mutex()
        turns: list[int] = []

        def wait(who: int) -> None:
            with m:
                turns.append(who)

        m.lock()
        gs = [park(wait, who) for who in range(3)]
        mpg.sleep(0.002)
        while len(turns) < 3:
            m.unlock()
            m.lock()
            mpg.gosched()
        m.unlock()
        join_all(gs)
        assert turns == [0, 1, 2]

    world.run(main)
