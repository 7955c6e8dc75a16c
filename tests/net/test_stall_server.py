"""A handler that blocks its thread without telling: who is served meanwhile, who waits, what is left over."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from conformance.worlds import PATIENCE, until

import mpg
from mpg.port import HOST, Capabilities

T = TypeVar("T")

LOCAL = "127.0.0.1:0"
STALL = 0.5  # seconds
SOON = 0.3  # a client that is served this early has not waited for the end of a stall


@dataclass(frozen=True)
class Kind:
    """One kind of run."""

    name: str
    procs: int
    caps: Capabilities | None = None

    def __str__(self) -> str:
        return self.name


KINDS = [Kind("1", 1), Kind("2", 2), Kind("4", 4), Kind("spread", 4, HOST)]


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of run in turn."""
    found: Kind = request.param
    return found


class Staller:
    """A handler that echoes, but says "home" with the M that it is on, and stalls on "stall"."""

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self.sleep = sleep
        self.began = threading.Semaphore(0)
        self.ended: list[float] = []

    def __call__(self, conn: mpg.net.Conn) -> None:
        while data := conn.recv():
            if data == b"home":
                data = str(mpg.current_g().home.id).encode()  # type: ignore[union-attr]
            elif data == b"count":
                data = str(mpg.num_goroutine()).encode()
            elif data == b"stall":
                self.began.release()
                self.sleep(STALL)
                self.ended.append(time.monotonic())
            conn.sendall(data)

    def stall(self, sock: socket.socket) -> float:
        """Make the handler of this connection stall; when it began."""
        sock.sendall(b"stall")
        assert self.began.acquire(timeout=PATIENCE)
        return time.monotonic()


def connect(server: mpg.net.Server) -> socket.socket:
    return socket.create_connection(server.listener.addr, timeout=PATIENCE)


def ask(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return sock.recv(100)


def ask_anew(server: mpg.net.Server, data: bytes = b"hello") -> bytes:
    """One request and its answer on a connection of its own."""
    with connect(server) as sock:
        return ask(sock, data)


@contextmanager
def two_of_one_home(server: mpg.net.Server) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connections whose handlers are on the same M."""
    with ExitStack() as stack:
        homes: dict[bytes, socket.socket] = {}
        while True:
            sock = stack.enter_context(connect(server))
            home = ask(sock, b"home")
            if home in homes:
                yield homes[home], sock
                return
            homes[home] = sock
            assert len(homes) < 10, "as many M's as connections"


def with_server(
    kind: Kind, handler: Staller, clients: Callable[[mpg.net.Server], T], **kwargs: Any
) -> tuple[T, mpg.net.ServerStats]:
    """What `clients(server)` returns, on a plain thread, while a server runs; afterwards nothing is left over."""

    def main() -> tuple[T, mpg.net.ServerStats]:
        before = mpg.num_goroutine()
        server = mpg.net.Server(mpg.net.listen(LOCAL), handler, **kwargs)
        g = mpg.go(server.serve)
        value = mpg.to_thread(clients, server)
        until(lambda: mpg.num_goroutine() == before + 1)  # the handlers' and the helper's G's are gone
        server.close()
        g.join()
        until(lambda: mpg.num_goroutine() == before)
        return value, server.stats

    return mpg.run(main, procs=kind.procs, caps=kind.caps, stall_report=None)


def test_a_new_client_is_served_during_a_stall(kind: Kind) -> None:
    handler = Staller()

    def clients(server: mpg.net.Server) -> list[float]:
        took = []
        with connect(server) as staller:
            assert ask(staller, b"x") == b"x"
            handler.stall(staller)
            for _ in range(5):
                began = time.monotonic()
                assert ask_anew(server) == b"hello"
                took.append(time.monotonic() - began)
            assert not handler.ended
            assert staller.recv(100) == b"stall"
            assert ask(staller, b"y") == b"y"
        assert ask_anew(server) == b"hello"
        return took

    took, stats = with_server(kind, handler, clients)
    assert sum(took) < SOON, took
    assert (stats.accepted, stats.active, stats.failed, stats.resets) == (7, 0, 0, 0)


def test_the_connections_of_the_stalled_thread_wait(kind: Kind) -> None:
    handler = Staller()

    def clients(server: mpg.net.Server) -> float:
        with two_of_one_home(server) as (staller, old):
            handler.stall(staller)
            assert ask(old, b"y") == b"y"
            answered = time.monotonic()
            assert staller.recv(100) == b"stall"
            for i in range(100):  # and both go on
                assert ask((staller, old)[i % 2], b"%d" % i) == b"%d" % i
        return answered

    answered, stats = with_server(kind, handler, clients)
    assert answered >= handler.ended[0]
    assert (stats.active, stats.failed, stats.resets) == (0, 0, 0)


def test_an_offloaded_stall_keeps_nobody_waiting(kind: Kind) -> None:
    handler = Staller(lambda seconds: mpg.to_thread(time.sleep, seconds))

    def clients(server: mpg.net.Server) -> list[float]:
        took = []
        with two_of_one_home(server) as (staller, old):
            began = handler.stall(staller)
            assert ask(old, b"y") == b"y"
            took.append(time.monotonic() - began)
            assert ask_anew(server) == b"hello"
            took.append(time.monotonic() - began)
            assert not handler.ended
            assert staller.recv(100) == b"stall"
        return took

    took, _ = with_server(kind, handler, clients)
    assert max(took) < SOON, took


def test_a_connection_from_the_stall_outlives_it(kind: Kind) -> None:
    """It is on another M, so the next stall of the first one does not concern it."""
    handler = Staller()

    def clients(server: mpg.net.Server) -> None:
        with connect(server) as staller, ExitStack() as stack:
            home = ask(staller, b"home")
            handler.stall(staller)
            young = stack.enter_context(connect(server))
            other = ask(young, b"home")
            assert not handler.ended
            assert other != home
            assert staller.recv(100) == b"stall"
            assert ask(young, b"a") == b"a"
            handler.stall(staller)
            assert ask(young, b"b") == b"b"
            assert len(handler.ended) == 1
            assert staller.recv(100) == b"stall"

    with_server(kind, handler, clients)


def test_stall_after_stall(kind: Kind) -> None:
    """Each gets its help, and no slot of `max_conns` goes with it."""
    handler = Staller()

    def clients(server: mpg.net.Server) -> list[float]:
        took = []
        for _ in range(2):
            with connect(server) as staller:
                assert ask(staller, b"x") == b"x"
                began = handler.stall(staller)
                assert ask_anew(server) == b"hello"
                took.append(time.monotonic() - began)
                assert staller.recv(100) == b"stall"
        with connect(server) as first, connect(server) as second, connect(server) as third:
            for sock in (first, second, third):
                sock.settimeout(5)
                assert ask(sock, b"x") == b"x"
        return took

    took, stats = with_server(kind, handler, clients, max_conns=3)
    assert max(took) < SOON, took
    assert stats.peak <= 3
    assert (stats.active, stats.failed, stats.resets) == (0, 0, 0)


def test_many_clients_arrive_during_a_stall(kind: Kind) -> None:
    """Two loops accept from one listener: none is lost and none is served twice."""
    handler = Staller()

    def clients(server: mpg.net.Server) -> int:
        with connect(server) as staller, ExitStack() as stack:
            assert ask(staller, b"x") == b"x"
            handler.stall(staller)
            socks = []
            while not handler.ended and len(socks) < 100:
                socks.append(stack.enter_context(connect(server)))
                socks[-1].sendall(b"%d" % len(socks))
            assert staller.recv(100) == b"stall"
            for _ in range(100 - len(socks)):  # and while the helper leaves
                socks.append(stack.enter_context(connect(server)))
                socks[-1].sendall(b"%d" % len(socks))
            for i, sock in enumerate(socks):
                assert sock.recv(100) == b"%d" % (i + 1)
        return len(socks)

    asked, stats = with_server(kind, handler, clients)
    assert (asked, stats.accepted, stats.active) == (100, 101, 0)


def test_close_during_a_stall(kind: Kind) -> None:
    """New clients are refused at once; the stalled handler still finishes, and so does `serve`."""
    handler = Staller()

    def clients(server: mpg.net.Server) -> None:
        with connect(server) as staller:
            assert ask(staller, b"x") == b"x"
            handler.stall(staller)
            assert ask_anew(server) == b"hello"  # the helper is there
            server.close()
            with pytest.raises(ConnectionRefusedError):
                connect(server)
            assert not handler.ended
            assert staller.recv(100) == b"stall"

    def main() -> mpg.net.ServerStats:
        before = mpg.num_goroutine()
        server = mpg.net.Server(mpg.net.listen(LOCAL), handler)
        g = mpg.go(server.serve)
        mpg.to_thread(clients, server)
        g.join()
        until(lambda: mpg.num_goroutine() == before)
        return server.stats

    stats = mpg.run(main, procs=kind.procs, caps=kind.caps, stall_report=None)
    assert (stats.accepted, stats.active, stats.aborted, stats.failed) == (2, 0, 0, 0)


def test_the_helper_is_in_the_trace() -> None:
    """sysmon makes its G, and says so before anybody can start it."""
    recorder = mpg.trace.Recorder()
    handler = Staller()

    def clients(server: mpg.net.Server) -> None:
        with connect(server) as staller:
            assert ask(staller, b"x") == b"x"
            handler.stall(staller)
            assert ask_anew(server) == b"hello"

    def main() -> None:
        server = mpg.net.Server(mpg.net.listen(LOCAL), handler)
        g = mpg.go(server.serve)
        mpg.to_thread(clients, server)
        server.close()
        g.join()

    mpg.run(main, procs=1, stall_report=None, trace=recorder)
    recorder.trace.validate()
    events = recorder.trace
    made = {
        events.string(int(b)) for kind, b in zip(events.names, events.b, strict=True) if kind == "GoCreate"
    }
    assert "Server._help" in made
