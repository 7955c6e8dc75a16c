"""Signal handlers and finalizers between two G's and where there is no G; what is the program's in frames of mpg."""

from __future__ import annotations

import contextvars
import gc
import os
import sys
import threading
import weakref
from typing import Any

import greenlet
import pytest
from conformance.worlds import park
from host.interruptions import Finalized, Inbox, Interruption

import mpg
from mpg.port import HOST
from mpg.sched import park as parking
from mpg.sched import sysmon
from mpg.sched.stacks import carrier


def test_a_result_that_yields_when_it_dies() -> None:
    """Its G has ended and the next one has not begun: it cannot, and says so; nobody is torn apart."""
    raised: list[str] = []

    def dying() -> None:
        try:
            mpg.gosched()
        except (RuntimeError, mpg.Unwind) as exc:  # if it dies late a G can yield, until it is unwound
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
    assert any("gosched needs a run" in text for text in raised)


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
    """It makes no G's; but what it wakes is woken, and put off while sysmon has the lock of that M."""
    raised: list[str] = []
    ch = mpg.Chan[str]()
    m0: Any = None

    def strike() -> None:
        try:
            mpg.go(int)
        except RuntimeError as exc:
            raised.append(str(exc))
        with m0.lock:  # as if sysmon rang its bell
            ch.send("woken")

    def main() -> tuple[str, int]:
        retake = sysmon.retake

        def interrupted(*args: Any) -> int:
            if not raised and main_g.status == "waiting":
                strike()
            return retake(*args)

        nonlocal m0
        m0 = mpg.current.tls.m
        main_g = mpg.current_g()
        mpg.go(mpg.sleep, 60)  # so that it is no deadlock
        mpg.gosched()
        monkeypatch.setattr(sysmon, "retake", interrupted)
        return ch.recv(), mpg.num_goroutine()

    assert mpg.run(main, procs=1) == ("woken", 2)
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
        holder.start()
        try:
            two.send(2)
        except BaseException as exc:
            raised.append(exc)

    class Buffer(list[Any]):
        def append(self, item: Any) -> None:
            interruption.now()
            super().append(item)

    one.buf = Buffer()
    holder = threading.Timer(0.2, lambda: two.lock.append(None))
    interruption.call = strike
    one.send(Lazy())
    holder.join()
    assert not raised
    assert two.recv() == 2


def test_what_forks_in_a_greenlet_of_its_own_is_no_m_either() -> None:
    def main() -> int:
        pid = greenlet.greenlet(os.fork).switch()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os._exit(77 if hasattr(greenlet.getcurrent(), "mpg_m") or mpg.current_g() is not None else 3)

    assert mpg.run(main, procs=1) == 3


def test_an_idle_carrier_keeps_no_context() -> None:
    class Value:
        pass

    var: contextvars.ContextVar[Value] = contextvars.ContextVar("var")

    def main() -> object:
        def user() -> weakref.ref[Value]:
            value = Value()
            var.set(value)
            mpg.gosched()
            return weakref.ref(value)

        g = mpg.go(user)
        g.join()
        mpg.gosched()
        gc.collect()
        return g.result()

    assert mpg.run(main, procs=1) is None
