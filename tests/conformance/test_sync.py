"""mpg.sync: what holds for all primitives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from conformance import test_cond, test_rwmutex, test_semaphore
from conformance.worlds import World, join_all

import mpg
from mpg import sync


def exclusives() -> list[AbstractContextManager[Any]]:
    return [sync.Mutex(), sync.RWMutex(), sync.Semaphore(1)]


@pytest.mark.parametrize("which", range(3), ids=["Mutex", "RWMutex", "Semaphore"])
def test_many_gs_count_together(world: World, which: int) -> None:
    def main() -> int:
        lock = exclusives()[which]
        total = 0

        def count() -> None:
            nonlocal total
            for i in range(20):
                with lock:
                    seen = total
                    if i % 4 == 0:
                        mpg.gosched()
                    total = seen + 1

        join_all([mpg.go(count) for _ in range(20)])
        return total

    assert world.run(main) == 400


@pytest.mark.parametrize("which", range(3), ids=["Mutex", "RWMutex", "Semaphore"])
def test_with_lets_go_when_the_block_raises(world: World, which: int) -> None:
    def main() -> None:
        lock = exclusives()[which]
        for _ in range(2):
            with pytest.raises(KeyError), lock:
                raise KeyError

    world.run(main)


OPERATIONS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "WaitGroup.add": (sync.WaitGroup, lambda wg: wg.add(1)),
    "WaitGroup.wait": (sync.WaitGroup, lambda wg: wg.wait()),
    "Mutex.lock": (sync.Mutex, lambda m: m.lock()),
    "Mutex.try_lock": (sync.Mutex, lambda m: m.try_lock()),
    "RWMutex.lock": (sync.RWMutex, lambda rw: rw.lock()),
    "RWMutex.try_lock": (sync.RWMutex, lambda rw: rw.try_lock()),
    "RWMutex.rlock": (sync.RWMutex, lambda rw: rw.rlock()),
    "Once.do": (sync.Once, lambda once: once.do(lambda: None)),
    "Cond.signal": (lambda: sync.Cond(sync.Mutex()), lambda cond: cond.signal()),
    "Cond.broadcast": (lambda: sync.Cond(sync.Mutex()), lambda cond: cond.broadcast()),
    "Semaphore.acquire": (lambda: sync.Semaphore(1), lambda sem: sem.acquire()),
    "Semaphore.try_acquire": (lambda: sync.Semaphore(1), lambda sem: sem.try_acquire()),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_they_belong_to_the_world_they_were_made_in(world: World, name: str) -> None:
    """What was made outside of a run serves the host, and is refused by a simulation."""
    make, operate = OPERATIONS[name]
    made_outside = make()
    if not world.virtual:
        world.run(operate, made_outside)
        return
    with pytest.raises(mpg.MpgError, match="another world"):
        world.run(operate, made_outside)


@pytest.mark.stress
@pytest.mark.usefixtures("fast_switches")
def test_stress_sync(host: World) -> None:
    for _ in range(20):
        for which in range(3):
            test_many_gs_count_together(host, which)
        test_semaphore.test_at_most_n_at_a_time(host)
        test_cond.test_a_queue_on_a_cond(host)
        test_rwmutex.test_readers_and_writers_keep_apart(host)
