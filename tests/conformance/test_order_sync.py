"""Go's order on one P: those who wait for what is in mpg.sync, or for the end of a G."""

from __future__ import annotations

import pytest
from conformance.order import LAST_FIRST, Log, parked
from conformance.worlds import World, check_order, join_all, park

import mpg
from mpg import sync


def test_waitgroup_wakes(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        wg = sync.WaitGroup()
        wg.add(1)
        gs = parked(lambda who: (wg.wait(), log.append(who)))
        wg.done()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


@pytest.mark.parametrize("holding", [False, True])
@pytest.mark.parametrize("how", ["broadcast", "signal"])
def test_cond_wakes(one_p: World, how: str, holding: bool) -> None:
    def main() -> Log:
        log: Log = []
        m = sync.Mutex()
        cond = sync.Cond(m)

        def wait(who: int) -> None:
            with m:
                cond.wait()
                log.append(who)

        gs = parked(wait)
        if holding:
            m.lock()
        if how == "broadcast":
            cond.broadcast()
        else:
            for _ in gs:
                cond.signal()
        if holding:
            m.unlock()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_mutex_wakes(one_p: World) -> None:
    """One at a time: each wakes the next."""

    def main() -> Log:
        log: Log = []
        m = sync.Mutex()

        def take(who: int) -> None:
            with m:
                log.append(who)

        m.lock()
        gs = parked(take)
        m.unlock()
        join_all(gs)
        return log

    check_order(one_p, main, [0, 1, 2, 3, 4])


def test_rwmutex_wakes_readers(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        rw = sync.RWMutex()

        def read(who: int) -> None:
            with rw.reading():
                log.append(who)

        rw.lock()
        gs = parked(read)
        rw.unlock()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_rwmutex_wakes_readers_before_writers(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        rw = sync.RWMutex()

        def visit(who: int) -> None:
            with rw if who % 2 else rw.reading():
                log.append(who)

        rw.lock()
        gs = parked(visit)  # 1 and 3 write
        rw.unlock()
        join_all(gs)
        return log

    # The readers 0, 2, 4 and then the writer 1 are made ready. So 1 runs first, and finds readers.
    check_order(one_p, main, [0, 2, 4, 1, 3])


def test_semaphore_wakes(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        sem = sync.Semaphore(5)
        for _ in range(5):
            sem.acquire()
        gs = parked(lambda who: (sem.acquire(), log.append(who)))
        for _ in range(5):
            sem.release()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_the_end_of_a_g_wakes_those_who_join_it(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        ch: mpg.Chan[int] = mpg.Chan()
        joined = park(ch.recv)
        gs = parked(lambda who: (joined.join(), log.append(who)))
        ch.send(1)
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)
