"""Semaphore: how many it lets in, in which order, and its misuse."""

from __future__ import annotations

import pytest
from conformance.worlds import World, is_parked, join_all, park

import mpg
from mpg import sync


def test_at_most_n_at_a_time(world: World) -> None:
    def main() -> None:
        sem, m = sync.Semaphore(3), sync.Mutex()
        inside = most = 0

        def visit() -> None:
            nonlocal inside, most
            for _ in range(5):
                with sem:
                    with m:
                        inside += 1
                        most = max(most, inside)
                    mpg.gosched()
                    with m:
                        inside -= 1

        join_all([mpg.go(visit) for _ in range(10)])
        assert inside == 0
        assert 1 <= most <= 3

    world.run(main)


def test_acquire_in_the_order_of_arrival(world: World) -> None:
    def main() -> list[int]:
        sem = sync.Semaphore(1)
        log: list[int] = []

        def take(who: int) -> None:
            sem.acquire()
            log.append(who)

        sem.acquire()
        gs = [park(take, who, reason="semacquire") for who in range(5)]
        for who, g in enumerate(gs):
            assert all(map(is_parked, gs[who:]))
            sem.release()
            assert sem.try_acquire() is False, "it was handed over: nobody can come between"
            g.join()
        return log

    assert world.run(main) == [0, 1, 2, 3, 4]


def test_try_acquire(world: World) -> None:
    def main() -> None:
        sem = sync.Semaphore(2)
        assert [sem.try_acquire() for _ in range(3)] == [True, True, False]
        sem.release()
        assert [sem.try_acquire() for _ in range(2)] == [True, False]
        assert sync.Semaphore(0).try_acquire() is False

    world.run(main)


def test_misuse_of_a_semaphore(world: World) -> None:
    def main() -> None:
        sem = sync.Semaphore(1)
        with pytest.raises(mpg.SyncPanic):
            sem.release()
        sem.acquire()
        sem.release()
        with pytest.raises(mpg.SyncPanic):
            sem.release()
        assert [sem.try_acquire() for _ in range(2)] == [True, False], "the panics gave nothing away"
        with pytest.raises(ValueError):
            sync.Semaphore(-1)
        for wrong in ("1", 1.0, None):
            with pytest.raises((TypeError, ValueError)):
                sync.Semaphore(wrong)  # type: ignore[arg-type]

    world.run(main)
