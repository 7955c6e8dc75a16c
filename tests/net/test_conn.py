"""Connections: data, in pieces of any size and buffers of any kind."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import join_all, park
from net.runs import BIG, LOCAL, Run, echo, pair, recv_exactly, recv_rest

import mpg
from mpg.status import IO_WAIT


def test_echo(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        server = mpg.go(echo, b)
        with a:
            for i in range(100):
                a.sendall(b"%d" % i)
                assert recv_exactly(a, len(str(i))) == b"%d" % i
        server.join()
        assert b.closed

    run(main)


def test_many_echoes_at_once(run: Run) -> None:
    def client(addr: Any, tag: bytes) -> None:
        with mpg.net.dial(addr) as conn:
            for _ in range(20):
                conn.sendall(tag)
                assert recv_exactly(conn, len(tag)) == tag

    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            gs = [mpg.go(client, listener.addr, b"client %03d" % i) for i in range(40)]
            gs += [mpg.go(echo, listener.accept()) for _ in range(40)]
            join_all(gs)

    run(main)


def send_by_send(conn: mpg.net.Conn, data: bytes) -> None:
    view = memoryview(data)
    while view:
        sent = conn.send(view)
        assert 0 < sent <= len(view)
        view = view[sent:]


@pytest.mark.parametrize("send", [mpg.net.Conn.sendall, send_by_send])
def test_more_than_the_buffers_hold(run: Run, send: Callable[[mpg.net.Conn, bytes], None]) -> None:
    def writer(conn: mpg.net.Conn) -> None:
        with conn:
            send(conn, BIG)

    def main() -> None:
        a, b = pair()
        g = park(writer, a, reason=IO_WAIT)
        with b:
            assert recv_rest(b) == BIG
        g.join()

    run(main)


def test_both_directions_at_once(run: Run) -> None:
    def writer(conn: mpg.net.Conn, data: bytes) -> None:
        conn.sendall(data)
        conn.close_write()

    def main() -> None:
        a, b = pair()
        with a, b:
            there, back = BIG, BIG[::-1]
            gs = [mpg.go(writer, a, there), mpg.go(writer, b, back)]
            other = mpg.go(recv_rest, b)
            assert recv_rest(a) == back
            join_all([*gs, other])
            assert other.result == there

    run(main)


def test_recv_into(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            buffer = bytearray(10)
            a.sendall(b"abcdef")
            assert b.recv_into(buffer, 4) == 4
            assert buffer == b"abcd" + bytes(6)
            assert b.recv_into(memoryview(buffer)[8:]) == 2
            assert buffer == b"abcd" + bytes(4) + b"ef"
            reader = park(b.recv_into, buffer, reason=IO_WAIT)
            a.sendall(b"xyz")
            reader.join()
            assert reader.result == 3
            assert buffer.startswith(b"xyz")
            words = array.array("I", [0, 0])
            a.sendall(b"\xff" * 8)
            got = 0
            while got < 8:
                got += b.recv_into(memoryview(words).cast("B")[got:])
            assert words.tolist() == [0xFFFFFFFF] * 2
            a.close_write()
            assert b.recv_into(buffer) == 0

    run(main)


def test_recv_into_more_than_the_buffers_hold(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            writer = park(a.sendall, BIG, reason=IO_WAIT)
            whole = bytearray(len(BIG))
            view = memoryview(whole)
            while view:
                view = view[b.recv_into(view) :]
            assert whole == BIG
            writer.join()

    run(main)


def test_recv_returns_at_most_n(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.sendall(b"abc")
            assert b.recv(2) == b"ab"
            assert b.recv(2) == b"c"
            assert b.recv(0) == b""
            reader = park(b.recv, 1, reason=IO_WAIT)
            a.sendall(b"de")
            reader.join()
            assert (reader.result, b.recv(1)) == (b"d", b"e")
            with pytest.raises(ValueError):
                b.recv(-1)

    run(main)


@pytest.mark.parametrize(
    "data",
    [
        bytearray(BIG),
        memoryview(BIG),
        memoryview(BIG)[::1][1:-1],
        array.array("I", BIG),
        memoryview(array.array("H", BIG)),
    ],
    ids=["bytearray", "memoryview", "slice", "array", "memoryview of words"],
)
def test_sendall_takes_buffers(run: Run, data: Any) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            writer = park(a.sendall, data, reason=IO_WAIT)
            expected = bytes(memoryview(data).cast("B"))
            assert recv_exactly(b, len(expected)) == expected
            writer.join()

    run(main)


@pytest.mark.parametrize(
    "empty", [b"", bytearray(), memoryview(b"")], ids=["bytes", "bytearray", "memoryview"]
)
def test_sending_nothing(run: Run, empty: Any) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.sendall(empty)
            assert a.send(empty) == 0
            a.sendall(b"x")
            assert b.recv() == b"x"

    run(main)


def test_text_is_no_data(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            for call in (a.send, a.sendall):
                with pytest.raises(TypeError):
                    call("text")
            with pytest.raises(BufferError):
                a.sendall(memoryview(b"abcd")[::2])
            a.sendall(b"x")
            assert b.recv() == b"x"

    run(main)
