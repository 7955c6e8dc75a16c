"""Calls that block: undeclared, offloaded, handed off; and locked threads."""

from __future__ import annotations

import contextvars
import logging
import threading
import time

import pytest
from conformance.worlds import until

import mpg
from mpg.status import CHAN_RECEIVE

VAR: contextvars.ContextVar[str] = contextvars.ContextVar("VAR", default="unset")


@pytest.fixture(params=[1, 2, 4])
def procs(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def test_fresh_gs_do_not_wait_for_an_undeclared_stall(procs: int, caplog: pytest.LogCaptureFixture) -> None:
    def the_culprit(done: list[float]) -> None:
        for _ in range(5):
            mpg.go(lambda: done.append(time.monotonic()))
        began = time.monotonic()
        time.sleep(0.5)
        assert len(done) == 5
        assert max(done) - began < 0.3

    def main() -> None:
        mpg.go(the_culprit, []).join()

    with caplog.at_level(logging.WARNING, "mpg"):
        mpg.run(main, procs=procs)
    (report,) = [record.getMessage() for record in caplog.records]
    assert "the_culprit" in report
    assert "time.sleep(0.5)" in report


def test_the_report_can_be_turned_off(caplog: pytest.LogCaptureFixture) -> None:
    mpg.run(lambda: time.sleep(0.2), procs=2, stall_report=None)
    assert caplog.records == []


def test_to_thread(procs: int) -> None:
    def call(*args: int, **kwargs: int) -> tuple[object, ...]:
        return args, kwargs, VAR.get(), threading.current_thread() is threading.main_thread()

    def main() -> None:
        VAR.set("main's")
        assert mpg.to_thread(call, 1, b=2) == ((1,), {"b": 2}, "main's", False)
        with pytest.raises(ZeroDivisionError):
            mpg.to_thread(divmod, 1, 0)
        with pytest.raises(TypeError, match="not int"):
            mpg.to_thread(3)  # type: ignore[arg-type]

    mpg.run(main, procs=procs)
    with pytest.raises(RuntimeError, match="needs a run"):
        mpg.to_thread(call)


def test_others_go_on_while_a_call_is_offloaded() -> None:
    def main() -> int:
        gate = threading.Event()
        call = mpg.go(mpg.to_thread, gate.wait)
        until(lambda: call.status == "syscall")
        ch = mpg.Chan[int]()
        mpg.go(ch.send, 7)
        value = ch.recv()
        assert call.status == "syscall"
        gate.set()
        call.join()
        return value

    assert mpg.run(main, procs=1) == 7


def test_blocking_hands_the_p_over(procs: int) -> None:
    def main() -> None:
        ran = threading.Event()
        mpg.go(ran.set)
        with mpg.blocking():
            assert ran.wait(20)  # only another M can do that
        mpg.gosched()

    mpg.run(main, procs=procs)


def test_no_operation_while_blocking() -> None:
    def main() -> None:
        ch = mpg.Chan[int](1)
        with mpg.blocking(), pytest.raises(RuntimeError, match="inside mpg"):
            ch.send(1)
        ch.send(2)
        assert ch.recv() == 2

    mpg.run(main)
    with mpg.blocking():  # on an ordinary thread it means nothing
        mpg.Chan[int](1).send(1)


def test_started_gs_go_on_after_blocking(procs: int) -> None:
    def main() -> list[str]:
        log: list[str] = []
        ch = mpg.Chan[None]()

        def started() -> None:
            ch.recv_ok()
            log.append("started")

        g = mpg.go(started)
        until(lambda: g.status == "waiting")
        fresh = threading.Event()
        mpg.go(fresh.set)
        with mpg.blocking():
            assert fresh.wait(20)
            log.append("blocked")
        ch.close()
        g.join()
        return log

    assert mpg.run(main, procs=procs) == ["blocked", "started"]


def test_a_locked_g_that_yields_lets_fresh_gs_run(procs: int) -> None:
    """They need another thread, and that needs the P."""

    def main() -> None:
        ran: list[int] = []
        mpg.lock_os_thread()
        mpg.go(ran.append, 1)
        until(lambda: ran)  # nothing but gosched

    mpg.run(main, procs=procs)


def test_a_stall_beside_an_idle_thread_that_is_locked() -> None:
    """Help for what waits behind a stalled thread is never asked of one that may start nothing."""

    def main() -> None:
        never = mpg.Chan[int]()

        def locks() -> None:
            mpg.lock_os_thread()
            never.recv_ok()

        g = mpg.go(locks)
        time.sleep(0.2)  # the stall is what is tested: a helping thread starts it
        until(lambda: g.waitreason == CHAN_RECEIVE)
        mpg.sleep(0.05)  # that thread goes idle
        for _ in range(3):
            ran = threading.Event()
            mpg.go(ran.set)
            assert ran.wait(20)
            mpg.gosched()
        never.close()
        g.join()

    mpg.run(main, procs=1, stall_report=None)


def test_a_locked_thread_starts_no_fresh_gs(procs: int) -> None:
    def main() -> None:
        here = threading.get_ident()
        seen: set[int] = set()
        mpg.lock_os_thread()
        mpg.lock_os_thread()
        wg = mpg.sync.WaitGroup()
        for _ in range(20):
            wg.go(lambda: (seen.add(threading.get_ident()), mpg.gosched()))
        wg.wait()
        assert here not in seen
        assert threading.get_ident() == here
        mpg.unlock_os_thread()
        mpg.unlock_os_thread()
        mpg.unlock_os_thread()

    mpg.run(main, procs=procs)
