"""The command line, in processes of its own."""

from __future__ import annotations

import http.client
import re
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pytest
from examples.processes import LIMIT, Peer, Program, wait_refused

import mpg


@contextmanager
def serving(
    *args: object, addr: str = "127.0.0.1:0", warnings: str = "error"
) -> Iterator[tuple[Program, int]]:
    with Program("-m", "mpg", "serve", *args, "--addr", addr, warnings=warnings) as program:
        yield program, program.port()


def ends(*args: object) -> tuple[int, str, str]:
    """Of a command that ends by itself."""
    with Program("-m", "mpg", *args) as program:
        return program.finish()


# -- without serving


def test_bare_command_helps():
    status, out, err = ends()
    assert (status, err) == (0, "")
    assert out.startswith("usage: mpg ")
    for command in ("demo", "serve chat", "serve http-hello", "sim fork_join"):
        assert f"  mpg {command} " in out


def test_version():
    assert ends("--version") == (0, f"mpg {mpg.__version__}\n", "")


@pytest.mark.parametrize(
    "args",
    [
        ("fly",),
        ("serve",),
        ("serve", "time"),
        ("serve", "echo", "--procs", "0"),
        ("serve", "echo", "--procs", "100000000"),
        ("serve", "echo", "--max-conns", "-1"),
        ("serve", "echo", "--schedtrace", "0.5"),
        ("serve", "echo", "--drain", "nan"),
        ("serve", "echo", "--drain", "-1"),
    ],
    ids=" ".join,
)
def test_wrong_usage(args):
    status, out, err = ends(*args)
    assert (status, out) == (2, "")
    assert err.startswith("usage: mpg ")


@pytest.mark.parametrize("service", ["echo", "chat", "http-hello"])
def test_address_in_use(service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addr = f"127.0.0.1:{taken.getsockname()[1]}"
        status, out, err = ends("serve", service, "--addr", addr)
    assert (status, out, err) == (1, "", f"mpg serve: cannot listen on {addr}: Address already in use\n")


@pytest.mark.parametrize("addr", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:65536", "::1:80", "[::1:80"])
def test_bad_address(addr):
    status, out, err = ends("serve", "echo", "--addr", addr)
    assert (status, out) == (1, "")
    assert re.fullmatch(rf"mpg serve: cannot listen on {re.escape(addr)}: .+\n", err)


# -- signals


@pytest.mark.parametrize("service", ["echo", "chat", "http-hello"])
def test_terminated_at_once(service):
    """Whoever has read the line may send SIGTERM."""
    with serving(service) as (program, _):
        program.terminate()
        assert program.finish() == (0, "", "")


def test_terminated_with_a_client():
    with serving("echo", "--drain", 60) as (program, port), Peer(port) as peer:
        assert peer.ask("before") == "before"
        program.terminate()
        wait_refused(port)
        assert peer.ask("while it drains") == "while it drains"
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.at_end()
        assert program.finish() == (0, "", "")


def test_drain_ends():
    with serving("echo", "--drain", 0.05) as (program, port), Peer(port) as peer:
        assert peer.ask("before") == "before"
        program.terminate()
        assert peer.at_end()
        status, out, err = program.finish()
    assert (status, out) == (0, "")
    assert err == f"mpg.net: 1 connections on 127.0.0.1:{port} are closed after 0.05 s\n"


def test_terminated_twice():
    """At once means that threads are left to themselves, and a ResourceWarning may say so."""
    with (
        serving("echo", "--drain", 60, warnings="error,ignore::ResourceWarning") as (program, port),
        Peer(port) as peer,
    ):
        assert peer.ask("before") == "before"
        program.terminate()
        wait_refused(port)
        program.terminate()
        assert program.finish() == (143, "", "")


@pytest.mark.parametrize("service", ["echo", "chat", "http-hello"])
def test_interrupted(service):
    with serving(service) as (program, _):
        program.interrupt()
        assert program.finish() == (130, "", "")


@pytest.mark.parametrize("procs", [1, 4])
def test_interrupted_with_clients(procs):
    with serving("chat", "--procs", procs) as (program, port), Peer(port) as ann, Peer(port) as bob:
        assert join(ann, "Ann") == join(bob, "Bob", "Ann")
        program.interrupt()
        assert program.finish() == (130, "", "")


def test_interrupted_while_it_drains():
    with serving("echo", "--drain", 60) as (program, port), Peer(port) as peer:
        assert peer.ask("before") == "before"
        program.terminate()
        wait_refused(port)
        program.interrupt()
        assert program.finish() == (130, "", "")


# -- options


def test_schedtrace():
    """Go's line, field for field (runtime.schedtrace)."""
    with serving("echo", "--schedtrace", 10, "--procs", 3) as (program, port), Peer(port) as peer:
        assert peer.ask("hello") == "hello"
        lines = [program.line("stderr") for _ in range(5)]
        program.terminate()
    counts = r"\[( \d+){3} \]"
    for line in lines:
        assert re.fullmatch(
            r"SCHED \d+ms: gomaxprocs=3 idleprocs=\d+ threads=\d+ spinningthreads=\d+ needspinning=[01] "
            rf"idlethreads=\d+ runqueue=\d+ {counts} schedticks={counts}",
            line,
        )
    times = [int(re.match(r"SCHED (\d+)ms", line)[1]) for line in lines]
    assert times == sorted(times)


def test_max_conns():
    with serving("echo", "--max-conns", 1) as (_, port), Peer(port) as first, Peer(port) as second:
        second.send("am I in?")
        assert first.ask("I am") == "I am"
        assert select.select([second.sock], [], [], 0)[0] == []
        first.sock.shutdown(socket.SHUT_WR)
        assert second.line() == "am I in?"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_ipv6():
    with serving("echo", addr="[::1]:0") as (_, port), Peer(port, "::1") as peer:
        assert peer.ask("hello") == "hello"


# -- echo


def test_echo():
    """More than the buffers of both sides hold: the client reads while it sends."""
    data = bytes(range(256)) * 4096 * 8
    back = bytearray()
    deadline = monotonic() + LIMIT
    with serving("echo") as (_, port), Peer(port) as peer:
        peer.sock.setblocking(False)
        left = memoryview(data)
        while len(back) < len(data):
            readable, writable, _ = select.select([peer.sock], [peer.sock] if left else [], [], 1.0)
            if writable:
                left = left[peer.sock.send(left) :]
            if readable:
                back += peer.sock.recv(65536)
            assert monotonic() < deadline
    assert back == data


# -- http-hello


@pytest.fixture(scope="module")
def http_port() -> Iterator[int]:
    with serving("http-hello") as (_, port):
        yield port


def exchange(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    with Peer(port) as peer:
        peer.sock.sendall(request)
        return peer.file.read()


def test_http_keeps_alive(http_port):
    client = http.client.HTTPConnection("127.0.0.1", http_port, timeout=LIMIT)
    ports = set()
    for method, path in (("GET", "/"), ("GET", "/any/path?x=1"), ("HEAD", "/"), ("GET", "/")):
        client.request(method, path)
        ports.add(client.sock.getsockname()[1])
        answer = client.getresponse()
        body = answer.read()
        assert (answer.status, answer.version, answer.getheader("Content-Length")) == (200, 11, "14")
        assert body == (b"" if method == "HEAD" else b"Hello, World!\n")
    client.close()
    assert len(ports) == 1


def test_http_closes(http_port):
    for request in (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHOST: a\r\nconnection: foo, Close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ):
        answer = exchange(http_port, request)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"Hello") == 1
        assert b"Connection: close\r\n" in answer


def test_http_1_0_keeps_alive_if_asked(http_port):
    one = b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    answer = exchange(http_port, one + one + b"GET / HTTP/1.0\r\n\r\n")
    assert answer.count(b"Hello") == 3
    assert answer.count(b"Connection: keep-alive\r\n") == 2


def test_http_pipelines(http_port):
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert exchange(http_port, request * 500 + last).count(b"Hello") == 501


def test_http_request_in_pieces(http_port):
    with Peer(http_port) as peer:
        for piece in (b"GE", b"T / HTTP/1.1\r\nHost: a\r", b"\n\r", b"\n"):
            peer.sock.sendall(piece)
        assert peer.line() == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000, 431),
    ],
    ids=[
        "no HTTP",
        "no host",
        "two hosts",
        "space before colon",
        "folded field",
        "HTTP 2",
        "POST",
        "body",
        "chunked body",
        "long head",
        "endless head",
    ],
)
def test_http_refuses(http_port, request_text, status):
    with Peer(http_port) as peer:
        peer.sock.sendall(request_text)
        assert peer.line().split()[:2] == ["HTTP/1.1", str(status)]
        rest = peer.file.read(200)
        assert b"Connection: close\r\n" in rest
        assert (b"Allow: GET, HEAD\r\n" in rest) == (status == 405)


# -- chat


def join(peer: Peer, nick: str, *here: str) -> None:
    assert peer.line() == "* your nick?"
    assert peer.ask(nick) == f"* hello {nick}; here: {', '.join(here) or 'nobody else'}"


def test_chat():
    with serving("chat", "--drain", 60) as (program, port), Peer(port) as ann, Peer(port) as bob:
        join(ann, "Ann")
        assert bob.line() == "* your nick?"
        assert bob.ask("Ann") == "* Ann is taken; your nick?"
        assert bob.ask("B o b").endswith("your nick?")
        assert bob.ask("Bob") == "* hello Bob; here: Ann"
        assert ann.line() == "* Bob has joined"
        ann.send("hello", "", "you\x1b[2Jthere\r")
        assert [bob.line() for _ in range(2)] == ["Ann: hello", "Ann: you[2Jthere"]
        bob.send("grüß dich")
        assert ann.line() == "Bob: grüß dich"
        assert ann.ask("/who") == "* here: Ann, Bob"
        assert ann.ask("/what") == "* the commands are /who and /quit"
        assert bob.ask("/quit") == "* goodbye"
        assert bob.at_end()
        assert ann.line() == "* Bob has left"
        with Peer(port) as nameless, Peer(port) as cid:
            join(cid, "Cid", "Ann")
            assert ann.line() == "* Cid has joined"
            assert nameless.line() == "* your nick?"
            program.terminate()
            for peer in (ann, cid, nameless):
                assert peer.line() == "* the server is closing, goodbye"
                assert peer.at_end()
            assert program.finish() == (0, "", "")


def test_chat_says_the_rest_to_who_has_sent_everything():
    """`printf '...' | nc`: the answers come although the client has shut its side."""
    with serving("chat") as (_, port), Peer(port) as peer:
        peer.send("Ann", "/who")
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.file.read().decode().splitlines() == [
            "* your nick?",
            "* hello Ann; here: nobody else",
            "* here: Ann",
        ]


def test_chat_ends_endless_lines():
    with serving("chat") as (_, port), Peer(port) as ann, Peer(port) as bob:
        join(ann, "Ann")
        join(bob, "Bob", "Ann")
        bob.sock.sendall(b"x" * 2000)
        assert bob.at_end()
        assert [ann.line(), ann.line()] == ["* Bob has joined", "* Bob has left"]


def test_chat_drops_slow_members():
    """A member that does not read is dropped; the others do not notice but for the news."""
    with serving("chat", "--drain", 60) as (program, port), Peer(port) as ann, Peer(port) as deaf:
        join(ann, "Ann")
        join(deaf, "Deaf", "Ann")
        assert ann.line() == "* Deaf has joined"
        deadline = monotonic() + LIMIT
        while not select.select([ann.sock], [], [], 0)[0]:
            ann.send(*["x" * 1000] * 64)
            assert monotonic() < deadline
        assert ann.line() == "* Deaf was too slow"
        assert ann.ask("/who") == "* here: Ann"
        program.terminate()
        assert ann.line() == "* the server is closing, goodbye"
        assert program.finish() == (0, "", "")
