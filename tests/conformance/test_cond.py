"""Cond: whom signal and broadcast wake, the lock around a wait, and its misuse."""

from __future__ import annotations

import pytest
from conformance.locks import Crowd, panic_text
from conformance.worlds import World, is_parked, join_all, park, until

import mpg
from mpg import sync


def test_signal_wakes_in_the_order_of_arrival(world: World) -> None:
    def main() -> list[int]:
        m = sync.Mutex()
        cond = sync.Cond(m)
        log: list[int] = []

        def wait(who: int) -> None:
            with m:
                cond.wait()
                log.append(who)

        gs = [park(wait, who, reason="sync.Cond.Wait") for who in range(5)]
        for who, g in enumerate(gs):
            assert all(map(is_parked, gs[who:]))
            cond.signal()
            g.join()
        return log

    assert world.run(main) == [0, 1, 2, 3, 4]


def test_a_waiter_holds_the_lock_again(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        cond = sync.Cond(m)
        assert cond.lock is m

        def wait() -> None:
            m.lock()
            cond.wait()
            assert m.try_lock() is False
            m.unlock()

        g = park(wait, reason="sync.Cond.Wait")
        with m:  # wait has let go of it
            cond.signal()
            until(lambda: is_parked(g, "sync.Mutex.Lock"))
        g.join()

    world.run(main)


def test_broadcast_wakes_all(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        cond = sync.Cond(m)
        crowd = Crowd()

        def wait() -> None:
            with m:
                cond.wait()
                crowd.visit()

        gs = [park(wait, reason="sync.Cond.Wait") for _ in range(6)]
        cond.broadcast()
        join_all(gs)
        assert (crowd.most, crowd.visits) == (1, 6)

    world.run(main)


def test_a_signal_to_nobody_is_lost(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        cond = sync.Cond(m)
        cond.signal()
        cond.broadcast()

        def wait() -> None:
            with m:
                cond.wait()

        g = park(wait, reason="sync.Cond.Wait")
        for _ in range(5):
            mpg.gosched()
        assert is_parked(g)
        cond.signal()
        g.join()

    world.run(main)


def test_a_broadcast_does_not_reach_who_comes_later(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        cond = sync.Cond(m)
        waits: list[int] = []

        def wait() -> None:
            with m:
                for lap in range(2):
                    cond.wait()
                    waits.append(lap)

        gs = [park(wait, reason="sync.Cond.Wait") for _ in range(3)]
        cond.broadcast()
        until(lambda: len(waits) == 3 and all(is_parked(g, "sync.Cond.Wait") for g in gs))
        assert waits == [0, 0, 0]
        cond.broadcast()
        join_all(gs)

    world.run(main)


def test_a_queue_on_a_cond(world: World) -> None:
    """Several producers and consumers of a bounded list: the ordinary use."""

    def main() -> list[int]:
        m = sync.Mutex()
        not_empty, not_full = sync.Cond(m), sync.Cond(m)
        items: list[int] = []
        got: list[int] = []

        def produce(first: int) -> None:
            for item in range(first, first + 20):
                with m:
                    while len(items) == 2:
                        not_full.wait()
                    items.append(item)
                    not_empty.signal()

        def consume() -> None:
            for _ in range(20):
                with m:
                    while not items:
                        not_empty.wait()
                    got.append(items.pop(0))
                    not_full.signal()

        join_all([mpg.go(fn, *args) for i in range(3) for fn, args in ((produce, (20 * i,)), (consume, ()))])
        return sorted(got)

    assert world.run(main) == list(range(60))


def test_a_cond_on_a_rwmutex(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        cond = sync.Cond(rw)

        def wait() -> None:
            with rw:
                cond.wait()
                assert rw.try_lock() is False

        g = park(wait, reason="sync.Cond.Wait")
        cond.signal()
        g.join()
        assert rw.try_lock() is True

    world.run(main)


def test_misuse_of_a_cond(world: World) -> None:
    def main() -> None:
        with pytest.raises(TypeError):
            sync.Cond(object())  # type: ignore[arg-type]
        m = sync.Mutex()
        assert panic_text(sync.Cond(m).wait) == "sync: unlock of unlocked mutex"
        assert m.try_lock() is True

    world.run(main)


def test_a_wait_that_panicked_takes_no_signal(world: World) -> None:
    def main() -> None:
        m = sync.Mutex()
        cond = sync.Cond(m)
        panic_text(cond.wait)

        def wait() -> None:
            with m:
                cond.wait()

        g = park(wait, reason="sync.Cond.Wait")
        cond.signal()
        g.join()

    world.run(main)
