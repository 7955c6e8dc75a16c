"""RWMutex: who shares it, who waits for whom, and Go's words for its misuse."""

from __future__ import annotations

import pytest
from conformance.locks import panic_text
from conformance.worlds import World, is_parked, join_all, park, until

import mpg
from mpg import sync


def test_readers_share(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        meet: mpg.Chan[None] = mpg.Chan()

        def read() -> None:
            with rw.reading():
                meet.recv_ok()

        with rw.reading():
            gs = [park(read, reason="chan receive") for _ in range(5)]
        assert all(map(is_parked, gs)), "all of them are inside"
        assert rw.try_lock() is False
        meet.close()
        join_all(gs)
        assert rw.try_lock() is True

    world.run(main)


def test_a_writer_is_alone(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        rw.lock()
        readers = [park(rw.rlock, reason="sync.RWMutex.RLock") for _ in range(2)]
        writer = park(rw.lock, reason="sync.Mutex.Lock")
        assert rw.try_lock() is False
        rw.unlock()
        join_all(readers)
        assert is_parked(writer, "sync.RWMutex.Lock")
        rw.runlock()
        mpg.gosched()
        assert is_parked(writer, "sync.RWMutex.Lock")
        rw.runlock()
        writer.join()
        rw.unlock()
        assert rw.try_lock() is True

    world.run(main)


def test_a_waiting_writer_keeps_new_readers_out(world: World) -> None:
    def main() -> list[str]:
        rw = sync.RWMutex()
        log: list[str] = []

        def write() -> None:
            with rw:
                log.append("writer")

        def read() -> None:
            with rw.reading():
                log.append("reader")

        rw.rlock()
        gs = [park(write, reason="sync.RWMutex.Lock")]
        gs += [park(read, reason="sync.RWMutex.RLock") for _ in range(3)]
        assert log == []
        rw.runlock()
        join_all(gs)
        return log

    assert world.run(main) == ["writer", "reader", "reader", "reader"]


def test_unlock_lets_all_waiting_readers_in_before_the_next_writer(world: World) -> None:
    def main() -> list[str]:
        rw = sync.RWMutex()
        log: list[str] = []
        inside = 0
        gate: mpg.Chan[None] = mpg.Chan()

        def write() -> None:
            with rw:
                log.append("writer")

        def read() -> None:
            nonlocal inside
            with rw.reading():
                inside += 1
                gate.recv_ok()
                log.append("reader")

        rw.lock()
        gs = [park(write, reason="sync.Mutex.Lock")]  # it came first
        gs += [park(read, reason="sync.RWMutex.RLock") for _ in range(3)]
        rw.unlock()
        until(
            lambda: (
                is_parked(gs[0], "sync.RWMutex.Lock") and all(is_parked(g, "chan receive") for g in gs[1:])
            )
        )
        assert (inside, log) == (3, [])
        gs.append(park(read, reason="sync.RWMutex.RLock"))  # the writer is next
        gate.close()
        join_all(gs)
        return log

    assert world.run(main) == ["reader", "reader", "reader", "writer", "reader"]


def test_readers_and_writers_keep_apart(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        readers = writers = 0

        def read() -> None:
            nonlocal readers
            for _ in range(10):
                with rw.reading():
                    assert writers == 0
                    if world.procs == 1:
                        readers += 1
                    mpg.gosched()
                    assert writers == 0
                    if world.procs == 1:
                        readers -= 1

        def write() -> None:
            nonlocal writers
            for _ in range(10):
                with rw:
                    assert (readers, writers) == (0, 0)
                    writers += 1
                    mpg.gosched()
                    assert (readers, writers) == (0, 1)
                    writers -= 1

        join_all([mpg.go(read if i % 3 else write) for i in range(9)])

    world.run(main)


def test_rwmutex_try_lock(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        assert rw.try_lock() is True
        assert rw.try_lock() is False
        rw.unlock()
        with rw.reading():
            assert rw.try_lock() is False
            with rw.reading():
                pass
        assert rw.try_lock() is True
        g = park(rw.rlock, reason="sync.RWMutex.RLock")
        rw.unlock()
        g.join()

    world.run(main)


def test_reading_lets_go_when_the_block_raises(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        with pytest.raises(KeyError):
            with rw.reading():
                raise KeyError
        assert rw.try_lock() is True

    world.run(main)


def test_misuse_of_a_rwmutex(world: World) -> None:
    def main() -> None:
        rw = sync.RWMutex()
        for _ in range(2):
            assert panic_text(rw.runlock) == "sync: RUnlock of unlocked RWMutex"
            assert panic_text(rw.unlock) == "sync: Unlock of unlocked RWMutex"
            with rw:
                assert panic_text(rw.runlock) == "sync: RUnlock of unlocked RWMutex"
            with rw.reading():
                assert panic_text(rw.unlock) == "sync: Unlock of unlocked RWMutex"

    world.run(main)


def test_reading_twice_across_a_writer_is_a_deadlock(world: World) -> None:
    """Recursive reading is wrong in Go for this reason."""

    def main() -> None:
        rw = sync.RWMutex()
        rw.rlock()
        park(rw.lock)
        rw.rlock()

    with pytest.raises(mpg.DeadlockError):
        world.run(main)
