"""The end of a run, whatever ended it: nothing is left, and `finally` blocks have run."""

from __future__ import annotations

import gc
import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import greenlet
import pytest
from conformance.worlds import until

import mpg
from mpg.host.port import HostPort
from mpg.host.spare import SpareMs


def left_over() -> tuple[int, int, int]:
    """Threads, file descriptors and suspended greenlets of this process."""
    gc.collect()
    stacks = [thing for thing in gc.get_objects() if isinstance(thing, greenlet.greenlet)]
    return threading.active_count(), len(os.listdir("/proc/self/fd")), sum(bool(g.gr_frame) for g in stacks)


def crowd() -> None:
    """G's in every state: fresh, parked, sleeping, in a socket, yielding."""
    listener = mpg.net.listen("127.0.0.1:0")

    def accept() -> None:
        with listener:
            listener.accept()

    def spin() -> None:
        while True:
            mpg.gosched()

    for _ in range(20):
        mpg.go(mpg.Chan[int]().recv)
        mpg.go(mpg.sleep, 1000)
        mpg.go(spin)
    waiting = mpg.go(accept)
    until(lambda: waiting.status == "waiting")
    mpg.after_func(1000, print)
    for _ in range(20):
        mpg.go(print)


def value() -> None:
    crowd()


def failure() -> None:
    crowd()
    raise KeyError("main")


def child() -> None:
    crowd()
    mpg.go([].index, 1)
    mpg.Chan[int]().recv()


def deadlock() -> None:
    mpg.go(mpg.Chan[int]().recv)
    mpg.Chan[int]().recv()


def exit_status() -> None:
    crowd()
    raise SystemExit(3)


@pytest.mark.parametrize("procs", [1, 4])
@pytest.mark.parametrize(
    ("main", "error"),
    [
        (value, None),
        (failure, KeyError),
        (child, ValueError),
        (deadlock, mpg.DeadlockError),
        (mpg.goexit, mpg.DeadlockError),
        (exit_status, SystemExit),
    ],
)
def test_nothing_is_left(main: Callable[[], Any], error: type[BaseException] | None, procs: int) -> None:
    def once() -> None:
        if error is None:
            mpg.run(main, procs=procs)
        else:
            with pytest.raises(error):
                mpg.run(main, procs=procs)

    once()
    before = left_over()
    once()
    assert left_over() == before


def test_two_hundred_runs() -> None:
    before = left_over()
    assert [mpg.run(lambda i=i: i, procs=2) for i in range(200)] == list(range(200))
    assert left_over() == before


@pytest.mark.parametrize("procs", [1, 4])
def test_a_thread_that_ends_has_no_heap_searched(procs: int) -> None:
    """Greenlet does that, in the middle of anything, for a g0 that somebody keeps: here all that a run has made."""

    def main() -> list[mpg.G]:
        gs = [mpg.go(mpg.gosched) for _ in range(10)] + [mpg.go(mpg.Chan().recv)]
        until(lambda: gs[-1].status == "waiting")
        with mpg.blocking():
            mpg.stall(0.001)
        return gs

    before = greenlet.get_clocks_used_doing_optional_cleanup()
    kept = [mpg.run(main, procs=procs) for _ in range(20)]
    assert len(kept) == 20
    assert greenlet.get_clocks_used_doing_optional_cleanup() == before


def test_calls_in_progress_are_named() -> None:
    gate = threading.Event()

    def a_long_call() -> None:
        begun.set()
        gate.wait()

    def main() -> None:
        mpg.go(mpg.to_thread, a_long_call)
        until(begun.is_set)

    begun = threading.Event()
    threads = set(threading.enumerate())
    with pytest.warns(ResourceWarning, match="a_long_call"):
        mpg.run(main, shutdown_timeout=0.05)
    gate.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join()


def test_a_call_whose_thread_starts_while_the_run_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = SpareMs("spare")
    gate = threading.Event()
    left: list[str] = []
    ending = threading.Thread(target=lambda: left.extend(pool.close(0.0)))
    start = threading.Thread.start

    def late(thread: threading.Thread) -> None:
        if thread is not ending:
            start(ending)
            ending.join(0.1)
            assert ending.is_alive(), "it has not seen a thread that has yet to start"
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", late)
    pool.submit(lambda spare: gate.wait() and None)
    ending.join()
    gate.set()
    assert len(left) == 1
    for spare in pool.all:
        spare.thread.join()


def test_a_call_that_comes_after_the_end_of_the_run_is_not_made() -> None:
    pool = SpareMs("spare")
    assert pool.close(0.0) == []
    pool.submit(lambda spare: pytest.fail("it is made"))
    assert pool.all == []


def test_who_parks_while_it_is_unwound() -> None:
    log = []

    def stubborn() -> None:
        while True:
            try:
                mpg.sleep(1000)
            except mpg.Unwind:
                log.append("again")

    def polite() -> None:
        try:
            mpg.sleep(1000)
        finally:
            try:
                mpg.sleep(1)
            finally:
                log.append("polite")

    def main() -> None:
        for fn in (stubborn, polite):
            g = mpg.go(fn)
            until(lambda g=g: g.status == "waiting")

    with pytest.warns(ResourceWarning, match="stubborn"):
        mpg.run(main, procs=1)
    assert log == ["again"] * 100 + ["polite"]


def test_deep_recursion_is_not_inherited() -> None:
    def deep(n: int) -> int:
        if n:
            return deep(n - 1)
        g = mpg.go(depth, 700)
        mpg.gosched()
        g.join()
        return 0

    def depth(n: int) -> int:
        return n and depth(n - 1)

    assert mpg.run(deep, 700, procs=1) == 0


def test_two_runs_at_once_share_a_channel() -> None:
    ch = mpg.Chan[int]()
    out: list[int] = []

    begun = threading.Event()

    def receive() -> None:
        begun.set()
        out.extend(ch)

    thread = threading.Thread(target=mpg.run, args=(receive,))
    thread.start()
    assert begun.wait(20)  # from here on each run sees the other

    def send() -> None:
        for i in range(200):
            ch.send(i)
        ch.close()

    mpg.run(send)
    thread.join(20)
    assert out == list(range(200))


def test_a_thread_of_the_program_is_reason_to_hope() -> None:
    def main() -> int:
        ch = mpg.Chan[int]()

        def later() -> None:
            time.sleep(0.5)  # the stall is what is tested: nothing else moves meanwhile
            ch.send(42)

        thread = threading.Thread(target=later)
        thread.start()
        value = ch.recv()
        mpg.to_thread(thread.join)
        return value

    assert mpg.run(main) == 42


def test_an_older_thread_is_hope_for_what_was_made_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever keeps the process up and may have the channel may yet send."""
    ch = mpg.Chan[int]()
    looked = threading.Event()
    others_alive = HostPort.others_alive

    def look(port: HostPort, idents: set[int]) -> bool:
        found = others_alive(port, idents)
        looked.set()
        return found

    def sends() -> None:
        assert looked.wait(30)
        ch.send(7)

    monkeypatch.setattr(HostPort, "others_alive", look)
    thread = threading.Thread(target=sends)
    thread.start()
    try:
        assert mpg.run(ch.recv, procs=1) == 7
    finally:
        looked.set()
        thread.join()


def test_an_older_daemon_thread_is_none() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, daemon=True)
    thread.start()
    began = time.monotonic()
    with pytest.raises(mpg.DeadlockError), warnings.catch_warnings():
        mpg.run(lambda: mpg.Chan[int]().recv())
    assert time.monotonic() - began < 1
    gate.set()
    thread.join()
