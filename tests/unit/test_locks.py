"""TokenLock: what a lock of `_thread` does, as a one-slot list."""

from __future__ import annotations

import sys
import threading
import time

import pytest

import mpg
from mpg.current import TokenLock
from mpg.locks import acquire_slow
from mpg.sched.g import G, new_g


def test_one_token() -> None:
    lock = TokenLock()
    assert lock.acquire(False)
    assert not lock.acquire(False)
    with pytest.raises(IndexError):
        lock.pop()
    lock.release()
    lock.pop()
    lock.append(None)
    with lock:
        assert not lock.acquire(False)
    assert len(lock) == 1


def test_waiting_for_it_has_an_end() -> None:
    lock = TokenLock()
    lock.acquire()
    start = time.monotonic()
    assert not lock.acquire(timeout=0.02)
    assert time.monotonic() - start >= 0.02


def test_a_with_block_that_raises_gives_it_back() -> None:
    lock = TokenLock()
    with pytest.raises(ZeroDivisionError), lock:
        1 / 0
    assert lock.acquire(False)


def test_mutual_exclusion() -> None:
    lock, count = TokenLock(), [0]

    def add() -> None:
        for n in range(2000):
            if n % 2:
                with lock:
                    count[0] += 1
                continue
            try:
                lock.pop()
            except IndexError:
                acquire_slow(lock)
            count[0] += 1
            lock.append(None)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert count == [8000]
    assert len(lock) == 1


def test_go_makes_a_g_as_new_g_does() -> None:
    def set_slots(gp: G) -> dict[str, object]:
        return {name: getattr(gp, name) for name in G.__slots__ if hasattr(gp, name)}

    made: list[dict[str, object]] = []

    def main() -> None:
        gp = mpg.go(int)
        made.append(set_slots(gp))
        gp.join()

    mpg.run(main, procs=1)
    plain = set_slots(new_g(2, int, (), None))
    queued = {"atomicstatus", "context", "ticket"}
    told = {"id", "site", "site_lasti"}
    assert set(made[0]) - queued == set(plain) - queued
    for name in set(plain) - queued - told:
        assert made[0][name] == plain[name], name
