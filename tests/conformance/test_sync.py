"""mpg.sync: what each primitive promises, its fairness, and Go's words for its misuse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from conformance.worlds import World, check_order, is_parked, join_all, park, until

import mpg
from mpg import sync


def panic_text(operation: Callable[[], object]) -> str:
    """The text of the panic that `operation()` ends in."""
    with pytest.raises(mpg.SyncPanic) as caught:
        operation()
    return str(caught.value)


class Crowd:
    """Counts who is inside at the same time; only the lock under test protects its counters."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.visits = 0

    def visit(self) -> None:
        """Go in, let others try, go out."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        mpg.gosched()
        self.visits += 1
        self.inside -= 1


# All of them


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


# WaitGroup


def test_wait_returns_once_all_are_done(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        wg.wait()
        wg.add(3)
        finished = 0

        def one() -> None:
            nonlocal finished
            mpg.gosched()
            finished += 1
            wg.done()

        def wait() -> None:
            wg.wait()
            assert finished == 3

        waiters = [park(wait, reason="sync.WaitGroup.Wait") for _ in range(4)]
        for n in range(3):
            assert all(map(is_parked, waiters))
            mpg.go(one).join()
            until(lambda n=n: finished == n + 1)
        join_all(waiters)
        wg.wait()

    world.run(main)


def test_add_counts_in_any_portions(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        wg.add(0)
        wg.add()
        wg.add(4)
        wg.add(-3)
        g = park(wg.wait)
        wg.done()
        assert is_parked(g), "one is left"
        wg.add(1)
        wg.add(-2)
        g.join()

    world.run(main)


def test_a_waitgroup_can_be_used_again(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        done: list[int] = []
        for lap in range(3):
            for _ in range(5):
                wg.go(done.append, lap)
            wg.wait()
            assert done.count(lap) == 5

    world.run(main)


def test_a_negative_counter_panics(world: World) -> None:
    def main() -> None:
        assert panic_text(sync.WaitGroup().done) == "sync: negative WaitGroup counter"
        wg = sync.WaitGroup()
        wg.add(2)
        assert panic_text(lambda: wg.add(-3)) == "sync: negative WaitGroup counter"

    world.run(main)


def test_reuse_before_wait_has_returned_panics(one_p: World) -> None:
    def main() -> list[str]:
        wg = sync.WaitGroup()
        wg.add(1)
        texts: list[str] = []
        g = park(lambda: texts.append(panic_text(wg.wait)))
        wg.done()
        wg.add(1)
        g.join()
        return texts

    check_order(one_p, main, ["sync: WaitGroup is reused before previous Wait has returned"])


def test_waitgroup_go(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        gate: mpg.Chan[None] = mpg.Chan()
        ran: list[tuple[int, int]] = []

        def member(a: int, b: int) -> None:
            gate.recv_ok()
            ran.append((a, b))

        gs = [wg.go(member, i, -i) for i in range(3)]
        assert all(isinstance(g, mpg.G) for g in gs)
        assert {g.name for g in gs} == {member.__qualname__}
        waiter = park(wg.wait)
        gate.close()
        waiter.join()
        assert sorted(ran) == [(0, 0), (1, -1), (2, -2)]

    world.run(main)


def test_waitgroup_go_names_its_g_as_go_does(world: World) -> None:
    def main() -> tuple[str, str, str, str]:
        fn = lambda: None  # noqa: E731
        wg = sync.WaitGroup()
        a, b = wg.go(fn), mpg.go(fn)
        wg.wait()
        b.join()
        return a.name, b.name, a.created, b.created

    a, b, created_a, created_b = world.run(main)
    assert a == b
    assert created_a == created_b


def test_goexit_counts_as_done(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        wg.go(mpg.goexit)
        wg.wait()

    world.run(main)


def test_a_failure_does_not_count_as_done(world: World) -> None:
    after_wait = []

    def main() -> None:
        wg = sync.WaitGroup()

        def fail() -> None:
            raise KeyError("lost")

        park(lambda: (wg.add(1), wg.wait(), after_wait.append(1)))
        wg.go(fail)
        wg.done()
        wg.wait()
        after_wait.append(2)

    with pytest.raises(KeyError, match="lost"):
        world.run(main)
    assert after_wait == []


def test_waitgroup_go_of_what_is_no_function_counts_nobody(world: World) -> None:
    def main() -> None:
        wg = sync.WaitGroup()
        with pytest.raises(TypeError):
            wg.go(42)  # type: ignore[arg-type]
        wg.wait()

    world.run(main)


# Mutex


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


# RWMutex


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
        until(lambda: all(is_parked(g, "chan receive") for g in gs[1:]))
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


# Once


def test_once_of_no_function(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        with pytest.raises(TypeError, match=r"Once\.do needs a function, not int"):
            once.do(3)  # type: ignore[arg-type]
        ran: list[int] = []
        once.do(lambda: ran.append(1))
        assert ran == [1]

    world.run(main)


def test_once_runs_once(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        calls: list[str] = []
        for who in "abc":
            once.do(lambda who=who: calls.append(who))
        assert calls == ["a"]

    world.run(main)


def test_nobody_returns_from_once_before_it_has_run(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        gate: mpg.Chan[None] = mpg.Chan()
        finished: list[int] = []

        def slow() -> None:
            gate.recv_ok()
            finished.append(1)

        def use() -> None:
            once.do(slow)
            assert finished == [1]

        gs = [park(use) for _ in range(5)]
        gate.close()
        join_all(gs)

    world.run(main)


def test_once_that_raised_counts_as_done(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        calls: list[int] = []
        gate: mpg.Chan[None] = mpg.Chan()

        def fail() -> None:
            calls.append(1)
            gate.recv_ok()
            raise KeyError("first")

        def first() -> None:
            with pytest.raises(KeyError, match="first"):
                once.do(fail)

        gs = [park(first), park(lambda: once.do(fail))]  # the second is already waiting for the first
        gate.close()
        join_all(gs)
        once.do(fail)
        assert calls == [1]

    world.run(main)


def test_once_that_ended_by_goexit_counts_as_done(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        mpg.go(once.do, mpg.goexit).join()
        once.do(pytest.fail)

    world.run(main)


def test_once_within_itself_is_a_deadlock(world: World) -> None:
    def main() -> None:
        once = sync.Once()
        once.do(lambda: once.do(lambda: None))

    with pytest.raises(mpg.DeadlockError):
        world.run(main)


# Cond


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


# Semaphore


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


@pytest.mark.stress
@pytest.mark.usefixtures("fast_switches")
def test_stress_sync(host: World) -> None:
    for _ in range(20):
        for which in range(3):
            test_many_gs_count_together(host, which)
        test_at_most_n_at_a_time(host)
        test_a_queue_on_a_cond(host)
        test_readers_and_writers_keep_apart(host)
