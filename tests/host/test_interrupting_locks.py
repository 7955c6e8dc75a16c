"""Signal handlers and finalizers that strike while their own thread has a lock of the scheduler, or is between two G's.

They are made to: a function that is called there, or an inbox, runs what they would do.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import greenlet
import pytest
from conformance.worlds import PATIENCE, is_parked, park, until

import mpg
from mpg.port import HOST
from mpg.sched import deadlock, mlife, runq, sysmon
from mpg.sched import park as parking
from mpg.sched.stacks import carrier


class Interruption:
    """Runs `call` once, as a finalizer or a signal handler would: on the thread of the test, when `now` is reached."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.call: Callable[[], object] | None = None
        self.finished = False

    def now(self) -> None:
        if self.call is not None and threading.get_ident() == self.thread:
            call, self.call = self.call, None
            call()
            self.finished = True

    def entering(self, patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        """`now` is the beginning of this function."""
        original = getattr(module, name)

        def interrupted(*args: Any) -> Any:
            self.now()
            return original(*args)

        patch.setattr(module, name, interrupted)


class Inbox(list[Any]):
    """An inbox that is interrupted when its M looks into it, or when it is given a letter."""

    def __init__(self, interruption: Interruption) -> None:
        super().__init__()
        self.interruption = interruption

    def __len__(self) -> int:
        self.interruption.now()
        return super().__len__()

    def append(self, item: Any) -> None:
        self.interruption.now()
        super().append(item)


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

    def main() -> int:
        interruption = Interruption()
        interruption.entering(monkeypatch, module, name)
        done = mpg.sync.WaitGroup()
        count = 0

        def start(n: int) -> None:
            for _ in range(n):
                done.go(int)

        deadline = time.monotonic() + PATIENCE
        while not interruption.finished:
            assert time.monotonic() < deadline
            interruption.call = partial(start, then)
            start(first)
            count += 1
            interruption.call = None
            done.wait()
        return count

    assert mpg.run(main, procs=4, caps=HOST) > 0


@pytest.mark.parametrize("who", ["a G", "an ordinary thread"])
def test_a_wake_in_the_middle_of_a_wake(who: str) -> None:
    """Of two G's of another M, whose lock both need."""

    def main() -> list[Any]:
        one, two, got = mpg.Chan[int](), mpg.Chan[int](), mpg.Chan[Any](2)

        def receiver(ch: mpg.Chan[int]) -> None:
            got.send(ch.recv())

        mpg.lock_os_thread()  # so that what is started begins on other M's
        while True:
            gs = [mpg.go(receiver, one), mpg.go(receiver, two)]
            for g in gs:
                until(partial(is_parked, g))
            mp = gs[0].home
            if mp is gs[1].home:
                break
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


def elsewhere(*fns: Callable[[], Any]) -> Any:
    """Start these on one M that is not ours, and wait until all of them have parked. That M."""
    while True:
        gs = [mpg.go(fn) for fn in fns]
        for g in gs:
            until(partial(is_parked, g))
        if len({g.home for g in gs}) == 1:
            return gs[0].home


def test_a_wake_of_an_m_in_the_middle_of_a_wake_of_a_g() -> None:
    """As of the M that was idle last, which a G that is made in between may need."""

    def main() -> int | None:
        interruption = Interruption()
        one = mpg.Chan[int]()
        got = mpg.Chan[int | None](1)
        mpg.lock_os_thread()
        mp = elsewhere(lambda: got.send(one.recv_ok()[0]))
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


class Finalized:
    """Calls something when it dies."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call

    def __del__(self) -> None:
        self.call()


def test_a_result_that_yields_when_it_dies() -> None:
    """Its G has ended and the next one has not begun: it cannot, and says so; nobody is torn apart."""
    raised: list[str] = []

    def dying() -> None:
        try:
            mpg.gosched()
        except RuntimeError as exc:
            raised.append(str(exc))

    def main() -> list[int]:
        ch, got = mpg.Chan[int](), mpg.Chan[int](6)

        def receiver() -> None:
            for item in ch:
                got.send(item)

        def sender(n: int) -> Finalized:
            ch.send(n)
            return Finalized(dying)

        for _ in range(3):
            park(receiver)
        for n in range(6):
            mpg.go(sender, n)
        mpg.go(int)
        mpg.gosched()
        items = sorted(got.recv() for _ in range(6))
        assert mpg.num_goroutine() == 4
        return items

    assert mpg.run(main, procs=1) == list(range(6))


def test_a_handler_between_two_gs_finds_nobody_to_preempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """sysmon wants the G that has just ended to yield: it stays dead."""

    class Ring:
        """The ring of a P, interrupted when the head is taken."""

        def __init__(self, ring: Any) -> None:
            self.ring = ring

        def popleft(self) -> Any:
            gp = self.ring.popleft()
            if sys._getframe(1).f_code is carrier.__code__:
                mp = mpg.current.tls.m
                mp.p.preempt = mp.attn = True
                struck.append(mpg.Chan[int](1).try_send(1))
            return gp

        def __getattr__(self, name: str) -> Any:
            return getattr(self.ring, name)

        def __len__(self) -> int:
            return len(self.ring)

        def __getitem__(self, index: int) -> Any:
            return self.ring[index]

    struck: list[bool] = []

    def main() -> list[str]:
        mpg.current.tls.m.p.ring = Ring(mpg.current.tls.m.p.ring)
        done = mpg.sync.WaitGroup()
        gs = [done.go(int) for _ in range(200)]
        done.wait()
        mpg.gosched()
        return [g.status for g in gs]

    assert mpg.run(main, procs=1) == ["dead"] * 200
    assert struck


def test_a_finalizer_of_an_m_that_sleeps_starts_a_g() -> None:
    """There is no current G then; the new one runs all the same."""

    def main() -> object:
        interruption = Interruption()
        mp = mpg.current.tls.m
        ran = mpg.Chan[object](1)

        mpg.go(mpg.sleep, 60)
        mpg.gosched()
        interruption.call = lambda: mpg.go(ran.send, "it ran")
        mp.inbox = Inbox(interruption)
        return ran.recv()

    assert mpg.run(main, procs=1) == "it ran"


def test_what_a_finalizer_starts_on_sysmons_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes no G's; but what it wakes is woken."""
    raised: list[str] = []
    struck = threading.Event()

    def strike() -> None:
        try:
            mpg.go(int)
        except RuntimeError as exc:
            raised.append(str(exc))
        struck.set()

    def main() -> int:
        retake = sysmon.retake

        def interrupted(*args: Any) -> int:
            if not struck.is_set():
                strike()
            return retake(*args)

        monkeypatch.setattr(sysmon, "retake", interrupted)
        until(struck.is_set)
        return mpg.num_goroutine()

    assert mpg.run(main, procs=1) == 1
    assert "needs a run" in raised[0]


def test_a_g_that_was_started_on_g0_has_a_status_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    interruption = Interruption()
    interruption.entering(monkeypatch, parking, "sleep")
    seen: list[str] = []

    def main() -> None:
        def strike() -> None:
            g = mpg.go(ch.close)
            seen.extend([g.status, repr(g)])

        ch = mpg.Chan[int]()
        mpg.go(mpg.sleep, 60)
        mpg.gosched()
        interruption.call = strike
        ch.recv_ok()

    mpg.run(main, procs=1)
    assert seen[0] == "runnable"


def test_a_result_that_blocks_its_thread_when_it_dies_is_helped_out() -> None:
    """Between two G's no G runs; sysmon sees the stall all the same."""
    gate = threading.Event()
    opened: list[bool] = []

    def main() -> None:
        ch = mpg.Chan[int]()
        done = mpg.sync.WaitGroup()

        def sender() -> Finalized:
            ch.send(1)
            return Finalized(lambda: opened.append(gate.wait(5)))

        park(ch.recv)
        for _ in range(4):
            done.go(gate.set)  # on another thread, since this one will wait
        mpg.go(sender)  # the first to run; then who receives, which has begun
        done.wait()

    mpg.run(main, procs=1, caps=HOST, stall_report=None)
    assert opened == [True]


def test_a_greenlet_of_the_programs_with_attributes_of_its_own() -> None:
    class Mine(greenlet.greenlet):
        m = "mine"

    def use() -> int:
        ch = mpg.Chan[int](1)
        ch.send(7)
        return ch.recv()

    assert Mine(use).switch() == 7
    assert mpg.run(lambda: Mine(use).switch()) == 7


def test_an_object_whose_attributes_raise_is_not_asked_for_a_lock() -> None:
    """What looks for the holder of a lock sees the program's objects in the frames of mpg."""

    class Lazy:
        def __getattr__(self, name: str) -> Any:
            raise KeyError(name)

    one, two = mpg.Chan[Any](1), mpg.Chan[int](1)
    interruption = Interruption()
    raised: list[BaseException] = []

    def strike() -> None:
        two.lock.pop()  # as another thread would have it, for longer than one waits before one looks for the holder
        threading.Timer(0.2, lambda: two.lock.append(None)).start()
        try:
            two.send(2)
        except BaseException as exc:
            raised.append(exc)

    class Buffer(list[Any]):
        def append(self, item: Any) -> None:
            interruption.now()
            super().append(item)

    one.buf = Buffer()
    interruption.call = strike
    one.send(Lazy())
    assert not raised
    assert two.recv() == 2


def test_what_forks_in_a_greenlet_of_its_own_is_no_m_either() -> None:
    def main() -> int:
        pid = greenlet.greenlet(os.fork).switch()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(77 if hasattr(greenlet.getcurrent(), "mpg_m") or mpg.current_g() is not None else 3)

    assert mpg.run(main, procs=1) == 3
