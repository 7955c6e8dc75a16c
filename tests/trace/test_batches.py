"""Batches: waits of which the times alone are written down (`foretell.py`), as the G's themselves note them.

Random servers. Each G waits for a socket, and does this and that before it waits again. A thread writes to some of the
sockets at a time while one G holds the M up, so that the next look at the poller finds all of them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from random import Random
from typing import Any

import pytest
from conformance.worlds import PATIENCE
from whoran import stamps, starts, told

import mpg
from mpg import status as st
from mpg.trace import Recorder, Trace
from mpg.trace import events as ev
from mpg.trace.pen import Pen
from mpg.trace.stream import WIDTH

pytestmark = pytest.mark.usefixtures("no_preemption")

WORKERS = 10
ROUNDS = 40
QUIET = ("again", "again", "again", "again", "log")  # what leaves a batch as it is; other acts may end it
ACTS = (
    "again",
    "again",
    "yield",
    "go",
    "send",
    "recv",
    "lock",
    "sleep",
    "log",
    "other",
    "to_thread",
    "end",
    "deadline",
)


class Server:
    """G's with two sockets each, and what they do."""

    def __init__(self, seed: int, acts: tuple[str, ...]) -> None:
        self.random = Random(seed)
        self.acts = acts
        self.reads = [0] * WORKERS  # which of its sockets a worker waits for
        self.gs: list[Any] = [None] * WORKERS
        self.ran: list[int] = []  # the G's, as they run
        self.waits: list[tuple[int, int, int]] = []  # a G is about to wait for this socket of that worker
        self.held = threading.Semaphore(0)  # a round has begun, and the M is held up
        self.written = threading.Event()  # until all of it is written
        self.sent = self.got = 0
        self.over = False

    def run(self, rec: Recorder) -> Trace:
        with contextlib.ExitStack() as stack:
            self.far = []
            self.near = []
            for _ in range(WORKERS):
                pairs = [[stack.enter_context(end) for end in socket.socketpair()] for _ in range(2)]
                self.near.append([mpg.net.Conn(near) for near, _ in pairs])
                self.far.append([far for _, far in pairs])
            mpg.run(self.main, procs=1, trace=rec)
        rec.trace.validate()
        return rec.trace

    def main(self) -> None:
        self.ch = mpg.Chan[int](3)
        self.mutex = mpg.sync.Mutex()
        self.wg = mpg.sync.WaitGroup()
        writer = threading.Thread(target=self.write)
        for i in range(WORKERS):
            self.wg.go(self.work, i)
        writer.start()
        try:
            self.wg.wait()
        finally:
            self.over = True
            writer.join()

    def write(self) -> None:
        """A thread: every round it writes to some."""
        for _ in range(ROUNDS):
            self.all_wait()
            self.written.clear()
            some = self.random.sample(range(WORKERS), self.random.randint(1, WORKERS))
            self.sent += len(some)
            self.send(some[0], "hold")
            assert self.held.acquire(timeout=PATIENCE)
            for i in some[1:]:
                self.send(i, self.random.choice(self.acts))
            self.written.set()
        self.all_wait()
        for i in range(WORKERS):
            self.far[i][self.reads[i]].close()

    def send(self, i: int, act: str) -> None:
        self.far[i][self.reads[i]].send(act.encode())

    def all_wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.got < self.sent or not all(waits(g) for g in self.gs):
            assert time.monotonic() < deadline
            assert not self.over
            time.sleep(0)  # offers the GIL

    def note(self) -> None:
        self.ran.append(mpg.current_g().id)  # type: ignore[union-attr]

    def work(self, i: int) -> None:
        me = self.gs[i] = mpg.current_g()
        while True:
            self.note()
            self.waits.append((me.id, i, self.reads[i]))  # type: ignore[union-attr]
            act = self.near[i][self.reads[i]].recv(100).decode()
            self.note()
            self.got += 1
            if not act:
                return
            if act == "end":
                self.gs[i] = None
                self.wg.go(self.work, i)
                return
            self.act(i, act)

    def act(self, i: int, act: str) -> None:
        if act == "hold":
            self.held.release()
            assert self.written.wait(PATIENCE)
        elif act == "yield":
            mpg.gosched()
        elif act == "go":
            self.wg.go(self.note)
        elif act == "send":
            self.ch.try_send(i)
        elif act == "recv":
            mpg.select(mpg.recv_case(self.ch), timeout=1e-4)
        elif act == "lock":
            with self.mutex:
                self.note()
                mpg.gosched()
                self.note()
        elif act == "sleep":
            mpg.sleep(1e-5)
        elif act == "log":
            mpg.trace.log("here")
        elif act == "other":
            self.reads[i] = 1 - self.reads[i]
        elif act == "to_thread":
            mpg.to_thread(int)
        elif act == "deadline":
            self.near[i][self.reads[i]].set_read_deadline(60)


def waits(g: Any) -> bool:
    """Does it wait for the network?"""
    return g is not None and (g.status, g.waitreason) == ("waiting", st.IO_WAIT)


def io_blocks(trace: Trace) -> list[tuple[int, int]]:
    io_wait = trace.strings.index(st.IO_WAIT)
    rows = (trace.kind == ev.GoBlock) & (trace.a == io_wait)
    return list(zip(trace.g[rows].tolist(), trace.b[rows].tolist(), strict=True))


def check(server: Server, trace: Trace, first: int = 0) -> None:
    """The trace tells what the server does. `first`: how many waits it lacks at its beginning."""
    server_ran = told(server.ran)
    ran = told([g for g in starts(trace) if g in {*server_ran}])
    assert ran == (server_ran[-len(ran) :] if first else server_ran)
    blocks, waits = io_blocks(trace), server.waits[first:]
    assert [g for g, _ in blocks] == [g for g, *_ in waits]
    objects = {(b, wait[1:]) for (_, b), wait in zip(blocks, waits, strict=True)}
    assert len(objects) == len({b for b, _ in objects}) == len({wait for _, wait in objects})


@pytest.mark.parametrize("acts", [QUIET, QUIET + ACTS, ACTS], ids=["quiet", "mixed", "busy"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_out_of_batches_is_what_happened(seed: int, acts: tuple[str, ...]) -> None:
    server, rec = Server(seed, acts), Recorder()
    trace = server.run(rec)
    check(server, trace)
    assert stamps(rec) > (100 if acts is QUIET else 5)


@pytest.mark.parametrize("seed", range(3))
def test_full_chunks_and_dropped_ones(seed: int) -> None:
    """A batch, and what belongs to it, stays in one chunk; what is dropped may end within one."""
    server, rec = Server(seed, QUIET), Recorder()
    rec.chunk = 20 * WIDTH
    check(server, server.run(rec))
    assert len(rec.streams[0].chunks) > 20
    server, rec = Server(seed, QUIET), Recorder(1000)
    rec.limit = 200
    rec.chunk = 7 * WIDTH
    trace = server.run(rec)
    assert trace.metadata["dropped"] > 500
    check(server, trace, len(server.waits) - len(io_blocks(trace)))


def test_snapshots_while_batches_run() -> None:
    server, rec = Server(7, QUIET), Recorder()
    parts: list[Trace] = []
    act = server.act

    def looking(i: int, what: str) -> None:
        act(i, what)
        if what == "log":
            parts.append(rec.snapshot())

    server.act = looking  # type: ignore[method-assign]
    trace = server.run(rec)
    check(server, trace)
    assert len(parts) > 10
    for part in parts:
        part.validate()
        n = len(part)
        for column in ("ts", "kind", "p", "m", "g", "a"):
            assert getattr(part, column).tolist() == getattr(trace, column)[:n].tolist()


def stay(pen: Any, name: str, value: Any) -> None:
    """A pen that does not notice that its batch ends."""
    if name != "foretold" or value is not None or not hasattr(pen, "foretold"):
        object.__setattr__(pen, name, value)


@pytest.mark.parametrize("act", ["yield", "go", "other", "lock"])
def test_a_batch_that_does_not_end_is_found_out(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pen, "__setattr__", stay, raising=False)
    server, rec = Server(1, ("again", act)), Recorder()
    with pytest.raises((AssertionError, mpg.trace.InvalidTrace, IndexError)):
        check(server, server.run(rec))
