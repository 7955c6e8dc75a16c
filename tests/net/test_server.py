"""serve: accounting, limits, draining, and what happens around a handler that stalls its thread."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import until
from net.runs import pair

import mpg
from mpg.port import HOST
from mpg.status import IO_WAIT

LOCAL = "127.0.0.1:0"


def echo(conn: mpg.net.Conn) -> None:
    while data := conn.recv():
        conn.sendall(data)


def serving(handler: Callable[[mpg.net.Conn], Any], **kwargs: Any) -> tuple[mpg.net.Server, mpg.G]:
    """A server on a free port, and the G that serves."""
    server = mpg.net.Server(mpg.net.listen(LOCAL), handler, **kwargs)
    return server, mpg.go(server.serve)


def stop(server: mpg.net.Server, g: mpg.G) -> None:
    server.close()
    g.join()


def ask(addr: Any, data: bytes = b"hello") -> bytes:
    """One request and its answer, from a plain socket."""
    with socket.create_connection(addr, timeout=30) as sock:
        sock.sendall(data)
        return sock.recv(100)


@pytest.fixture(params=[1, 4])
def procs(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


def test_failures_are_logged_and_counted_and_end_nothing(
    procs: int, caplog: pytest.LogCaptureFixture
) -> None:
    def handler(conn: mpg.net.Conn) -> None:
        data = conn.recv()
        if data == b"fail":
            raise KeyError("broken handler")
        conn.sendall(data)

    def main() -> mpg.net.ServerStats:
        server, g = serving(handler)
        assert mpg.to_thread(ask, server.listener.addr, b"fail") == b""
        assert mpg.to_thread(ask, server.listener.addr) == b"hello"
        stop(server, g)
        return server.stats

    with caplog.at_level(logging.WARNING, "mpg.net"):
        stats = mpg.run(main, procs=procs)
    assert (stats.accepted, stats.failed, stats.active) == (2, 1, 0)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]
    assert "127.0.0.1:" in caplog.text


def test_resets_are_no_failures(caplog: pytest.LogCaptureFixture) -> None:
    def main() -> mpg.net.ServerStats:
        server, g = serving(echo)

        def reset() -> None:
            sock = socket.create_connection(server.listener.addr)
            sock.sendall(b"x")
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()

        mpg.to_thread(reset)
        until(lambda: server.stats.active == 0)
        stop(server, g)
        return server.stats

    with caplog.at_level(logging.INFO, "mpg.net"):
        stats = mpg.run(main, procs=1)
    assert (stats.resets, stats.failed) == (1, 0)
    assert caplog.text == ""


def test_max_conns(procs: int) -> None:
    def main() -> tuple[mpg.net.ServerStats, int]:
        server, g = serving(echo, max_conns=3)
        got = mpg.Chan[bytes](20)

        def client() -> None:
            with mpg.net.dial(server.listener.addr) as conn:
                conn.sendall(b"x")
                got.send(conn.recv())

        wg = mpg.sync.WaitGroup()
        for _ in range(20):
            wg.go(client)
        wg.wait()
        stop(server, g)
        return server.stats, len(got)

    stats, answered = mpg.run(main, procs=procs)
    assert (answered, stats.accepted, stats.peak) == (20, 20, 3)


def test_close_lets_handlers_finish(procs: int) -> None:
    def main() -> tuple[bytes, int]:
        server, g = serving(echo, drain=30)
        with mpg.net.dial(server.listener.addr) as conn:
            conn.sendall(b"a")
            assert conn.recv() == b"a"
            server.close()
            server.close()
            with pytest.raises(ConnectionRefusedError):
                mpg.net.dial(server.listener.addr)
            conn.sendall(b"b")
            last = conn.recv()
        g.join()
        return last, server.stats.aborted

    assert mpg.run(main, procs=procs) == (b"b", 0)


def test_the_drain_has_an_end(procs: int) -> None:
    def main() -> tuple[bytes, int]:
        server, g = serving(echo, drain=0.05)
        with mpg.net.dial(server.listener.addr) as conn:
            conn.sendall(b"a")
            assert conn.recv() == b"a"
            server.close()
            end = conn.recv()
        g.join()
        return end, server.stats.aborted

    assert mpg.run(main, procs=procs) == (b"", 1)


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [({"max_conns": 0}, ValueError), ({"max_conns": "1"}, ValueError), ({"drain": -1}, ValueError)],
)
def test_bad_arguments(kwargs: dict[str, Any], error: type[Exception]) -> None:
    with mpg.net.listen(LOCAL) as listener:
        with pytest.raises(error):
            mpg.net.Server(listener, echo, **kwargs)
        with pytest.raises(TypeError):
            mpg.net.Server(listener, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        mpg.net.Server(LOCAL, echo)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="needs a run"):
        mpg.net.serve(LOCAL, echo)


def test_connections_are_spread_where_ms_run_in_parallel() -> None:
    def main() -> Counter[Any]:
        homes = Counter[Any]()

        def handler(conn: mpg.net.Conn) -> None:
            homes[mpg.current_g().home] += 1  # type: ignore[union-attr]
            echo(conn)

        server, g = serving(handler)
        conns = []
        for _ in range(40):
            conns.append(mpg.net.dial(server.listener.addr))
            conns[-1].sendall(b"x")
            assert conns[-1].recv() == b"x"
        for conn in conns:
            conn.close()
        stop(server, g)
        return homes

    homes = mpg.run(main, procs=4, caps=HOST)
    assert sum(homes.values()) == 40
    assert max(homes.values()) <= 20
    assert len(homes) >= 3


def test_a_thousand_clients() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2500:
        pytest.skip(f"needs 2500 descriptors, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2500), hard))

    def main() -> int:
        server, g = serving(echo)
        ready, start = mpg.sync.WaitGroup(), mpg.Chan[None]()
        ready.add(1000)
        wg = mpg.sync.WaitGroup()

        def client(k: int) -> None:
            with mpg.net.dial(server.listener.addr) as conn:
                ready.done()
                start.recv_ok()
                for i in range(3):
                    message = b"%d/%d;" % (k, i)
                    conn.sendall(message)
                    got = b""
                    while len(got) < len(message):
                        got += conn.recv(len(message) - len(got))
                    assert got == message

        for k in range(1000):
            wg.go(client, k)
        ready.wait()
        until(lambda: server.stats.active == 1000)
        start.close()
        wg.wait()
        stop(server, g)
        return server.stats.peak

    try:
        assert mpg.run(main, procs=2) == 1000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_end_of_a_run_closes_connections_whose_handlers_never_began(procs: int) -> None:
    conns: list[mpg.net.Conn] = []

    def main() -> None:
        server, g = serving(repr)  # where M's are quick it may begin and end
        until(lambda: g.waitreason == IO_WAIT)
        conns.extend(pair())
        server._start(conns[0])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mpg.run(main, procs=procs)
    assert conns[0].closed
    conns[1].close()


# -- a handler that blocks its thread


def stalling(conn: mpg.net.Conn, stall: Callable[[], None], *, offloaded: bool) -> None:
    while data := conn.recv():
        if data == b"stall" and offloaded:
            mpg.to_thread(stall)
        elif data == b"stall":
            stall()
        conn.sendall(data)


def stall_times(procs: int, *, offloaded: bool) -> dict[str, float]:
    """Seconds from the beginning of a stall to the answers: to a new client, to an old one, to the staller's."""

    stalled = threading.Event()

    def stall() -> None:
        stalled.set()
        time.sleep(0.5)

    def clients(addr: Any) -> dict[str, float]:
        times = {}
        with socket.create_connection(addr) as staller, socket.create_connection(addr) as old:
            for sock in (staller, old):
                sock.sendall(b"x")
                assert sock.recv(10) == b"x"
            began = time.monotonic()
            staller.sendall(b"stall")
            assert stalled.wait(30)  # or the new client's handler might still begin on the stalled thread
            assert ask(addr) == b"hello"
            times["new"] = time.monotonic() - began
            old.sendall(b"y")
            assert old.recv(10) == b"y"
            times["old"] = time.monotonic() - began
            assert staller.recv(10) == b"stall"
            times["staller"] = time.monotonic() - began
            assert ask(addr) == b"hello"
        return times

    def main() -> dict[str, float]:
        before = mpg.num_goroutine()
        server, g = serving(lambda conn: stalling(conn, stall, offloaded=offloaded))
        times = mpg.to_thread(clients, server.listener.addr)
        stop(server, g)
        until(lambda: mpg.num_goroutine() == before)  # the helper is gone
        return times

    return mpg.run(main, procs=procs, stall_report=None)


@pytest.mark.parametrize("procs", [1, 2, 4])
def test_a_stalled_thread_does_not_keep_new_clients_waiting(procs: int) -> None:
    times = stall_times(procs, offloaded=False)
    assert times["new"] < 0.3 < times["staller"], times
    if procs == 1 or getattr(sys, "_is_gil_enabled", lambda: True)():  # else another thread may serve it
        assert times["old"] > 0.3, times  # the README says so


def test_an_offloaded_call_keeps_nobody_waiting(procs: int) -> None:
    times = stall_times(procs, offloaded=True)
    assert times["new"] < 0.3, times
    assert times["old"] < 0.3 < times["staller"], times


# -- programs of their own

SERVE = """
import sys, time, mpg

def handler(conn):
    while data := conn.recv():
        conn.sendall(data)

def main():
    listener = mpg.net.listen("127.0.0.1:0")
    g = mpg.go(mpg.net.serve, listener, handler)
    for _ in range(3):
        mpg.gosched()
    print(listener.addr[1], flush=True)
    g.join()
    print("drained", flush=True)

mpg.run(main, procs=int(sys.argv[1]))
import signal
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""

SHORT = """
import logging, resource, sys, mpg
logging.basicConfig(stream=sys.stdout, format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

def handler(conn):
    while data := conn.recv():
        conn.sendall(data)

def main():
    listener = mpg.net.listen("127.0.0.1:0")
    print(listener.addr[1], flush=True)
    stats = mpg.net.serve(listener, handler)
    print("served", stats.accepted, stats.shortages > 0, flush=True)

mpg.run(main, procs=1)
"""


def program(text: str, *args: str) -> tuple[subprocess.Popen[str], int]:
    """Start a server program; it and its port."""
    proc = subprocess.Popen([sys.executable, "-c", text, *args], stdout=subprocess.PIPE, text=True)
    assert proc.stdout is not None
    return proc, int(proc.stdout.readline())


def test_sigterm_drains(procs: int) -> None:
    proc, port = program(SERVE, str(procs))
    with proc:
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"a")
            assert sock.recv(1) == b"a"
            proc.send_signal(signal.SIGTERM)
            wait_until_refused(port)
            sock.sendall(b"b")
            assert sock.recv(1) == b"b"
        out, _ = proc.communicate(timeout=30)
    assert (out, proc.returncode) == ("drained\n", 0)


def test_a_second_sigterm_ends_it(procs: int) -> None:
    proc, port = program(SERVE, str(procs))
    with proc, socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"a")
        assert sock.recv(1) == b"a"
        proc.send_signal(signal.SIGTERM)
        wait_until_refused(port)
        proc.send_signal(signal.SIGTERM)
        out, _ = proc.communicate(timeout=30)
    assert (out, proc.returncode) == ("", 143)


def wait_until_refused(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was in the backlog
            pass
    raise AssertionError("still accepting after 30 s")


def test_running_out_of_descriptors() -> None:
    proc, port = program(SHORT)
    with proc:
        socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        for sock in socks:
            sock.settimeout(30)
            sock.sendall(b"x")
        served = 0
        for sock in socks:  # each that closes makes room for one that waits
            assert sock.recv(1) == b"x"
            sock.close()
            served += 1
        proc.send_signal(signal.SIGTERM)
        out, _ = proc.communicate(timeout=30)
    assert served == 40
    lines = out.splitlines()
    assert lines[-1] == "served 40 True"
    assert any("Too many open files" in line for line in lines)


def test_nothing_is_left_after_a_server() -> None:
    def main() -> None:
        server, g = serving(echo)
        for _ in range(5):
            assert mpg.to_thread(ask, server.listener.addr) == b"hello"
        stop(server, g)

    mpg.run(main, procs=4)
    before = (threading.active_count(), len(os.listdir("/proc/self/fd")))
    mpg.run(main, procs=4)
    mpg.run(main, procs=4, caps=HOST)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before
