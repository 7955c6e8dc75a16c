"""Signal handlers and finalizers that strike while their own thread has a lock of the scheduler."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import pytest
from conformance.worlds import PATIENCE, is_parked, park, until
from host.interruptions import Inbox, Interruption, elsewhere

import mpg
from mpg.port import HOST
from mpg.sched import deadlock, mlife, runq
from mpg.sched import park as parking


@pytest.mark.parametrize(
    ("module", "name", "first", "then"),
    [
        pytest.param(mlife, "pidleget_spinning_locked", 1, 1, id="wakep"),
        pytest.param(mlife, "pidleget_spinning_locked", 1, 400, id="wakep and a full queue"),
        pytest.param(runq, "put_global_locked", 300, 1, id="overflow"),
        pytest.param(runq, "put_global_locked", 300, 400, id="overflow and a full queue"),
        pytest.param(mlife, "mget_locked", 1, 400, id="startm"),
    ],
)
def test_gs_that_are_started_in_the_middle_of_a_start(
    module: Any, name: str, first: int, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the scheduler's lock, which they need: for the M that is to be woken, or the queue that is full."""

    def main() -> None:
        interruption = Interruption()
        interruption.entering(monkeypatch, module, name)
        done = mpg.sync.WaitGroup()

        def start(n: int) -> None:
            for _ in range(n):
                done.go(int)

        deadline = time.monotonic() + PATIENCE
        while not interruption.finished:
            assert time.monotonic() < deadline
            interruption.call = partial(start, then)
            start(first)
            interruption.call = None
            done.wait()

    mpg.run(main, procs=4, caps=HOST)


@pytest.mark.parametrize("who", ["a G", "an ordinary thread"])
def test_a_wake_in_the_middle_of_a_wake(who: str) -> None:
    """Of two G's of another M, whose lock both need."""

    def main() -> list[Any]:
        one, two, got = mpg.Chan[int](), mpg.Chan[int](), mpg.Chan[Any](2)

        def receiver(ch: mpg.Chan[int]) -> None:
            got.send(ch.recv())

        mpg.lock_os_thread()  # so that what is started begins on other M's
        while (mp := elsewhere(receiver, one)) is not elsewhere(receiver, two):
            for ch in (one, two):  # on two of them
                ch.send(0)
                got.recv()

        def send() -> None:
            interruption = Interruption()
            interruption.call = partial(two.send, 2)
            mp.inbox = Inbox(interruption)
            one.send(1)
            assert interruption.finished

        if who == "a G":
            send()
        else:
            thread = threading.Thread(target=send)
            thread.start()
            mpg.to_thread(thread.join)
        return sorted([got.recv(), got.recv()])

    assert mpg.run(main, procs=2, caps=HOST) == [1, 2]


def test_a_finalizer_that_wakes_a_g_of_a_thread_that_has_its_own_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interruption = Interruption()

    def main() -> tuple[int | None, bool]:
        ch = mpg.Chan[int]()
        mp = mpg.current.tls.m

        def asleep(*args: Any) -> None:
            monkeypatch.undo()
            mp.inbox = Inbox(interruption)
            interruption.call = ch.close
            sleep(*args)

        sleep = parking.sleep
        mpg.go(mpg.sleep, 60)  # so that it is no deadlock
        mpg.gosched()
        monkeypatch.setattr(parking, "sleep", asleep)
        return ch.recv_ok()

    assert mpg.run(main, procs=1) == (None, False)
    assert interruption.finished


def test_a_wake_of_an_m_in_the_middle_of_a_wake_of_a_g() -> None:
    """As of the M that was idle last, which a G that is made in between may need."""

    def main() -> int:
        interruption = Interruption()
        one, got = mpg.Chan[int](), mpg.Chan[int](1)
        mpg.lock_os_thread()
        mp = elsewhere(lambda: got.send(one.recv()))
        interruption.call = partial(mlife.wake, mp)
        mp.inbox = Inbox(interruption)
        one.send(1)
        assert interruption.finished
        return got.recv()

    assert mpg.run(main, procs=2, caps=HOST) == 1


def test_a_timer_in_the_middle_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def main() -> str:
        interruption = Interruption()
        interruption.entering(monkeypatch, mlife, "pidleget_spinning_locked")
        fired = mpg.Chan[str](9)
        while not interruption.finished:
            interruption.call = partial(mpg.after_func, 1e-3, lambda: fired.send("fired"))
            mpg.go(int).join()
        return fired.recv()

    assert mpg.run(main, procs=2, caps=HOST) == "fired"


def test_gomaxprocs_in_the_middle_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[RuntimeError] = []

    def resize() -> None:
        try:
            mpg.gomaxprocs(3)
        except RuntimeError as exc:
            raised.append(exc)

    def main() -> int:
        interruption = Interruption()
        interruption.entering(monkeypatch, mlife, "pidleget_spinning_locked")
        while not interruption.finished:
            interruption.call = resize
            mpg.go(int).join()
        return mpg.gomaxprocs()

    assert mpg.run(main, procs=2, caps=HOST) == 2
    assert "let a G do that" in str(raised[0])


@pytest.mark.parametrize(
    ("where", "then"),
    [("put", 0), ("put", 600), ("get_global_batch_locked", 0), ("get_global_batch_locked", 600)],
)
def test_wakes_and_starts_in_the_middle_of_queueing(
    where: str, then: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is lost: neither who was next to run, nor those for whom the queue is full."""
    woken: list[int] = []

    def main() -> None:
        interruption = Interruption()
        interruption.entering(monkeypatch, runq, where)
        chans = [mpg.Chan[int]() for _ in range(3)]
        done = mpg.sync.WaitGroup()

        def receiver(ch: mpg.Chan[int]) -> None:
            woken.append(ch.recv())
            done.done()

        done.add(3)
        for ch in chans:
            park(receiver, ch)

        def strike() -> None:
            chans[2].send(2)
            for _ in range(then):
                done.go(int)

        interruption.call = strike
        chans[0].send(0)
        chans[1].send(1)
        for _ in range(600 if where != "put" else 0):
            done.go(int)
        done.wait()
        assert interruption.finished

    mpg.run(main, procs=1)
    assert sorted(woken) == [0, 1, 2]


def test_an_unlock_that_would_hand_over_in_the_middle_of_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutex that starves is handed over, and who unlocks it yields: nobody may who holds the scheduler's lock."""

    def main() -> None:
        interruption = Interruption()
        interruption.entering(monkeypatch, mlife, "pidleget_spinning_locked")
        mutex = mpg.sync.Mutex()
        done = mpg.sync.WaitGroup()

        def waiter() -> None:
            with mutex:
                mpg.go(int).join()  # needs the lock of the scheduler
            done.done()

        mutex.lock()
        done.add(2)
        gs = [mpg.go(waiter) for _ in range(2)]
        for g in gs:
            until(partial(is_parked, g))
        while not mutex._starving:
            mutex.unlock()
            assert mutex.try_lock()
            mpg.sleep(0.002)
        while not interruption.finished:
            interruption.call = mutex.unlock
            mpg.go(int).join()
        done.wait()

    mpg.run(main, procs=2, caps=HOST)


def test_a_finalizer_that_wakes_somebody_while_a_deadlock_is_being_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interruption = Interruption()
    interruption.entering(monkeypatch, deadlock, "live_gs")

    def main() -> int:
        ch = mpg.Chan[int]()
        interruption.call = partial(ch.send, 1)
        return ch.recv()

    assert mpg.run(main, procs=1) == 1
    assert interruption.finished
