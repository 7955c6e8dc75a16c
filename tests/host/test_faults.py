"""Bad weather: faults in places where nobody expects them, after which everything must still be in order."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from conformance.worlds import PATIENCE, until

import mpg
from mpg import recv_case, select
from mpg.arguments import MAX_PROCS
from mpg.host.poller import EpollPoller, SelectorsPoller
from mpg.host.port import HostPort
from mpg.host.procs import default_procs
from mpg.host.signals import Signals
from mpg.sched import finish


def ours() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("mpg")}


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = ours()
    yield
    assert ours() == before
    assert mpg.run(lambda: 42) == 42  # and this thread can run again


@pytest.mark.parametrize("procs", [1, 2])
def test_a_deadlock_of_a_g_that_met_the_bell_at_its_first_park(procs: int) -> None:
    def main() -> None:
        mpg.lock_os_thread()
        mpg.Chan[int]().recv()

    with pytest.raises(mpg.DeadlockError, match=r"chan receive.*for 0\.\d s"):
        mpg.run(main, procs=procs)


def test_a_wrong_type_leaves_no_lock_behind() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for wrong in ("x", 1.5, None):
            with pytest.raises(TypeError, match="counts in ints"):
                wg.add(wrong)  # type: ignore[arg-type]
        wg.wait()

    mpg.run(main)


def test_a_deleter_that_blocks() -> None:
    class Deleted:
        def __del__(self) -> None:
            ch.send("deleted")

    ch: mpg.Chan[str] = mpg.Chan()
    ran = []

    def main() -> str:
        mpg.go(lambda arg: ran.append(1), Deleted())
        return ch.recv()

    # Free-threaded builds run `__del__` on the thread that made the object: main's, which is to wait for it.
    assert mpg.run(main, procs=1) == "deleted"
    assert ran == [1]


def test_what_was_handed_over_at_the_end_of_a_run_is_not_lost() -> None:
    semaphore, ch = mpg.sync.Semaphore(1), mpg.Chan[int]()
    got: list[object] = []

    def user() -> None:
        with semaphore:
            got.append("semaphore")

    def taker() -> None:
        got.append(ch.recv())

    def first() -> None:
        semaphore.acquire()
        gs = [mpg.go(user), mpg.go(taker)]
        until(lambda: all(g.status == "waiting" for g in gs))
        semaphore.release()
        ch.send(7)

    mpg.run(first, procs=1)
    assert got == ["semaphore", 7]
    mpg.run(semaphore.acquire, procs=1)


def test_finally_blocks_may_wait_after_a_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        finish, "CLAIM_LOOKS", sys.maxsize
    )  # nobody has claimed these waits: no letter will come
    seen = []

    def main() -> None:
        mutex = mpg.sync.Mutex()
        mutex.lock()
        try:
            mpg.Chan[int]().recv()
        finally:
            try:
                mpg.sleep(0.01)
            except BaseException as exc:
                seen.append(type(exc).__name__)
            mutex.unlock()
            seen.append(str(mutex.try_lock()))

    with pytest.raises(mpg.DeadlockError):
        mpg.run(main)
    assert seen == ["Unwind", "True"]


def test_joining_what_was_never_started() -> None:
    g = mpg.run(lambda: mpg.go(int), procs=1)
    g.join(timeout=PATIENCE)
    assert g.status == "dead"


@pytest.mark.parametrize("wrong", [None, -1, float("nan"), "5"])
def test_a_wrong_shutdown_timeout(wrong: Any) -> None:
    with pytest.raises(ValueError, match="shutdown_timeout"):
        mpg.run(int, shutdown_timeout=wrong)


@pytest.mark.parametrize(
    ("knobs", "error", "text"),
    [
        ({"procs": True}, TypeError, "procs"),
        ({"procs": 0}, ValueError, "procs is an int from 1 to 65536, not 0"),
        ({"procs": 10**8}, ValueError, "procs is an int from 1 to 65536, not 100000000"),
        ({"poller": "kqueue"}, ValueError, "poller is 'epoll' or 'selectors', not 'kqueue'"),
        ({"caps": "go"}, TypeError, "caps"),
        ({"stall_report": "x"}, TypeError, "stall_report is a number"),
        ({"stall_report": float("nan")}, ValueError, "stall_report is not NaN"),
        ({"schedtrace": -1}, ValueError, "not negative"),
    ],
    ids=str,
)
def test_wrong_options(knobs: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        mpg.run(int, **knobs)


def test_a_huge_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMAXPROCS", "100000000")
    assert default_procs() == MAX_PROCS


def test_a_stall_report_after_for_ever() -> None:
    assert mpg.run(lambda: 7, stall_report=float("inf")) == 7


def test_no_thread_for_sysmon(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(HostPort, "start_m", refuse)
        with pytest.raises(RuntimeError, match="new thread"):
            mpg.run(int)


def test_no_fd_for_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Signals) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Signals, "__enter__", refuse)
        with pytest.raises(OSError, match="Too many"):
            mpg.run(int)


@pytest.mark.parametrize("exc", [SystemExit(3), asyncio.CancelledError(), GeneratorExit()])
def test_a_handler_cannot_end_the_run(exc: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def handle(conn: mpg.net.Conn) -> None:
        raise exc

    def main() -> mpg.net.ServerStats:
        server = mpg.net.Server(mpg.net.listen("127.0.0.1:0"), handle)
        serving = mpg.go(server.serve)
        with mpg.net.dial(server.listener.addr) as conn:
            assert conn.recv() == b""
        until(lambda: server.stats.active == 0)
        server.close()
        serving.join()
        return server.stats

    assert mpg.run(main).failed == 1
    assert "failed" in caplog.text


def test_to_thread_sees_the_context_of_the_call() -> None:
    var = contextvars.ContextVar("var", default=0)

    def call() -> int:
        var.set(5)
        return mpg.to_thread(var.get)

    assert mpg.run(lambda: contextvars.copy_context().run(call)) == 5


# An operation that interrupts another one, as a signal handler would, at every few bytecodes of it.


def poll_both(a: mpg.Chan[int], b: mpg.Chan[int]) -> None:
    select(recv_case(a), recv_case(b), timeout=1e-4)


def use_second(a: mpg.Chan[int], b: mpg.Chan[int]) -> None:
    b.try_send(1)
    b.try_recv()


def send_first(a: mpg.Chan[int], b: mpg.Chan[int]) -> None:
    a.try_send(1)


def look_at_both(a: mpg.Chan[int], b: mpg.Chan[int]) -> None:
    select(recv_case(a), recv_case(b), default=True)


Operation = Callable[[mpg.Chan[int], mpg.Chan[int]], None]


def interrupted(operation: Operation, injected: Operation, at: int) -> bool:
    """Run one with the other injected at its bytecode number `at`. False if it has fewer."""
    state = {"n": 0, "done": False}
    said: list[str] = []

    def main() -> None:
        a, b = mpg.Chan[int](10), mpg.Chan[int](10)

        def inject(frame: FrameType, event: str, arg: Any) -> Any:
            if event == "opcode" and not state["done"]:
                if state["n"] == at:
                    state["done"] = True
                    try:
                        injected(a, b)
                    except RuntimeError as exc:
                        said.append(str(exc))
                state["n"] += 1
            return inject

        def calls(frame: FrameType, event: str, arg: Any) -> Any:
            if not str(frame.f_globals.get("__name__", "")).startswith("mpg."):
                return None
            frame.f_trace_opcodes = True
            return inject

        before = sys.gettrace()
        sys.settrace(calls)
        try:
            operation(a, b)
        finally:
            sys.settrace(before)
        for ch in (a, b):  # every lock is free again
            ch.try_send(1)
        assert select(recv_case(a), recv_case(b), default=True).ok

    mpg.run(main, deadlock=False, stall_report=None, procs=1)
    assert all("would wait for itself" in text for text in said)
    return bool(state["done"])


@pytest.mark.parametrize(
    ("operation", "injected"),
    [(poll_both, send_first), (use_second, look_at_both), (look_at_both, send_first)],
    ids=["select and send", "send and select", "poll and send"],
)
def test_an_operation_in_the_middle_of_another(operation: Operation, injected: Operation) -> None:
    interrupted(operation, injected, sys.maxsize)  # 3.12 traces opcodes from the second time on
    at = 0
    while interrupted(operation, injected, at):
        at += 7
    assert at > 20


def test_ctrl_c_after_main_has_left() -> None:
    """KeyboardInterrupt has no main to be raised in."""

    def other() -> None:
        until(lambda: mains[0].status == "dead")
        signals = mpg.current.tls.m.sched.port.signals
        signals.on_interrupt(2, None)
        mpg.Chan[int]().recv()

    def main() -> None:
        mains.append(mpg.goroutine.current_g())
        mpg.go(other)
        mpg.goexit()

    mains: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        mpg.run(main, procs=1)


@pytest.mark.parametrize("procs", [1, 4])
def test_a_failure_in_an_unwinding_is_logged(procs: int, caplog: pytest.LogCaptureFixture) -> None:
    def careless(ch: mpg.Chan[int]) -> None:
        try:
            ch.recv()
        finally:
            raise ValueError("in a finally")

    def main() -> int:
        g = mpg.go(careless, mpg.Chan[int]())
        until(lambda: g.status == "waiting")
        return 7

    assert mpg.run(main, procs=procs) == 7
    (record,) = caplog.records
    assert "careless" in record.getMessage()
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "in a finally"


@pytest.mark.parametrize("poller", [EpollPoller, SelectorsPoller], ids=lambda poller: poller.__name__)
def test_a_wake_up_of_a_thread_that_has_just_ended(poller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes to no descriptor that has meanwhile become something else."""

    def write(send: Any, *args: Any) -> None:
        it.close()  # the M ends between two bytecodes of the waker
        os.fstat(fd)
        done.append(fd)
        send(*args)

    done: list[int] = []
    it = poller()
    fd = it.bell.end if isinstance(it.bell.end, int) else it.bell.end.fileno()
    if isinstance(it.bell.end, int):
        monkeypatch.setattr(os, "eventfd_write", partial(write, os.eventfd_write))
    else:
        it.bell.end = SimpleNamespace(send=partial(write, it.bell.end.send))
    it.wakeup()
    assert done == [fd]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    it.wakeup()
