"""Connections: data, the end of the stream, errors, closing."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import join_all, park, until
from net.runs import (
    LOCAL,
    SPREAD,
    CloseAfter,
    Run,
    elsewhere,
    failure,
    fill,
    has_ipv6,
    pair,
    recv_exactly,
    recv_rest,
    reset,
    with_plain,
)

import mpg
from mpg.status import IO_WAIT

BIG = os.urandom(3 << 20)  # more than both ends' buffers hold

# -- data


def echo(conn: mpg.net.Conn) -> None:
    with conn:
        while data := conn.recv():
            conn.sendall(data)


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


# -- the end of the stream


def test_end_of_stream(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b:
            a.sendall(b"last")
            a.close()
            assert recv_rest(b) == b"last"
            for _ in range(3):
                assert b.recv() == b""

    run(main)


def test_end_of_stream_wakes_a_reader(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b:
            reader = park(b.recv, reason=IO_WAIT)
            a.close()
            reader.join()
            assert reader.result == b""

    run(main)


def test_close_write_both_ways(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.sendall(b"question")
            a.close_write()
            assert recv_rest(b) == b"question"
            reader = park(recv_rest, a, reason=IO_WAIT)
            b.sendall(b"answer")
            b.sendall(BIG)
            b.close_write()
            reader.join()
            assert reader.result == b"answer" + BIG
            for conn in (a, b):
                with pytest.raises(BrokenPipeError):
                    conn.sendall(b"more")

    run(main)


@pytest.mark.parametrize("waiting", [False, True], ids=["there before", "wakes"])
def test_a_fin_that_came_with_data_is_not_waited_for(run: Run, waiting: bool) -> None:
    def main() -> None:
        for _ in range(30):
            conn, plain = with_plain()
            with conn, plain:
                reader = park(conn.recv, reason=IO_WAIT) if waiting else None
                # Corked, the data leave together with the FIN.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                plain.sendall(b"short")
                plain.shutdown(socket.SHUT_WR)
                conn.set_read_deadline(5)
                if reader is not None:
                    reader.join()
                    assert reader.result == b"short"
                else:
                    assert conn.recv() == b"short"
                assert conn.recv() == b""

    run(main)


def test_a_fin_after_a_short_read_into_a_buffer(run: Run) -> None:
    def main() -> None:
        for _ in range(30):
            conn, plain = with_plain()
            with conn, plain:
                buffer = bytearray(100)
                reader = park(conn.recv_into, buffer, reason=IO_WAIT)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                plain.sendall(b"short")
                plain.shutdown(socket.SHUT_WR)
                reader.join()
                assert reader.result == 5
                conn.set_read_deadline(5)
                assert conn.recv_into(buffer) == 0

    run(main)


# -- files


def test_makefile_binary(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            with a.makefile("wb") as out:
                out.write(b"one\ntwo\n")
                out.flush()
                assert b.recv() == b"one\ntwo\n"
                out.write(b"three\nfour")
            a.sendall(b"!\n")  # closing the file has flushed it and left the connection open
            a.close_write()
            with b.makefile("rb") as lines:
                assert lines.readline() == b"three\n"
                assert list(lines) == [b"four!\n"]
                assert lines.read() == b""
            b.sendall(b"still open")
            assert a.recv() == b"still open"

    run(main)


def test_makefile_text(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, b.makefile("r", encoding="utf-8", newline="\n") as lines:
            got: list[str] = []
            reader = park(lambda: got.extend(lines), reason=IO_WAIT)
            with a.makefile("w", encoding="utf-8", newline="\n") as out:
                out.write("grün\n")
                out.flush()
                a.sendall("weiß\n".encode()[:4])  # in the middle of a character
                a.sendall("weiß\n".encode()[4:])
                print("end", end="", file=out)
            a.close_write()
            reader.join()
            assert got == ["grün\n", "weiß\n", "end"]

    run(main)


def test_makefile_for_both(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, a.makefile("rwb") as file, b.makefile("rw", encoding="utf-8", newline="\n") as text:
            file.write(b"ping\n")
            file.flush()
            assert text.readline() == "ping\n"
            text.write("pong\n")
            text.flush()
            assert file.readline() == b"pong\n"

    run(main)


def test_makefile_more_than_the_buffers_hold(run: Run) -> None:
    def writer(conn: mpg.net.Conn) -> None:
        with conn, conn.makefile("wb") as out:
            out.write(BIG)

    def main() -> None:
        a, b = pair()
        g = park(writer, a, reason=IO_WAIT)
        with b, b.makefile("rb") as file:
            assert file.read(len(BIG) - 1) == BIG[:-1]
            assert file.read() == BIG[-1:]
        g.join()

    run(main)


def test_makefile_unbuffered(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, a.makefile("rwb", 0) as raw:
            assert raw.readable()
            assert raw.writable()
            assert not raw.seekable()
            assert raw.fileno() == a.fileno()
            assert raw.write(b"abc") == 3
            assert b.recv() == b"abc"
            b.sendall(b"def")
            assert raw.read(2) == b"de"
            b.close_write()
            assert raw.readall() == b"f"
            with pytest.raises(ValueError, match="unbuffered"):
                a.makefile("r", 0)
            for mode in ("a", "b", "", "r+"):
                with pytest.raises(ValueError, match="invalid mode"):
                    a.makefile(mode)

    run(main)


def test_closing_the_connection_under_a_file(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b, a.makefile("rb") as file:
            reader = park(failure, file.readline, reason=IO_WAIT)
            a.close()
            reader.join()
            assert isinstance(reader.result, mpg.ClosedError)

    run(main)


# -- addresses


def test_addresses(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            assert a.local_addr == b.remote_addr
            assert a.remote_addr == b.local_addr
            assert a.local_addr[0] == a.remote_addr[0] == LOCAL
            assert repr(a) == f"<Conn {LOCAL}:{a.local_addr[1]} to {LOCAL}:{a.remote_addr[1]}>"
            ports = a.local_addr[1], a.remote_addr[1]
        assert (a.local_addr[1], a.remote_addr[1]) == ports
        assert repr(a) == f"<Conn closed {LOCAL}:{ports[0]} to {LOCAL}:{ports[1]}>"
        assert a.fileno() == -1

    run(main)


@pytest.mark.skipif(not has_ipv6(), reason="there is no ::1 here")
def test_ipv6(run: Run) -> None:
    def main() -> None:
        a, b = pair("::1")
        with a, b:
            a.sendall(b"six")
            assert b.recv() == b"six"
            assert a.remote_addr == b.local_addr
            assert len(a.remote_addr) == 4
            assert repr(a) == f"<Conn [::1]:{a.local_addr[1]} to [::1]:{a.remote_addr[1]}>"

    run(main)


def test_a_socket_taken_over(run: Run) -> None:
    def main() -> None:
        left, right = socket.socketpair()
        with mpg.net.Conn(left) as a, mpg.net.Conn(right) as b:
            reader = park(b.recv, reason=IO_WAIT)
            a.sendall(b"x")
            reader.join()
            assert reader.result == b"x"
            assert left.gettimeout() == 0
        until(lambda: left.fileno() == right.fileno() == -1)  # once every M has let go of them
        with pytest.raises(TypeError, match="not int"):
            mpg.net.Conn(3)  # type: ignore[arg-type]

    run(main)


# -- errors


def test_reset_by_peer(run: Run) -> None:
    def main() -> None:
        conn, plain = with_plain()
        with conn:
            reset(plain)
            with pytest.raises(ConnectionError):
                conn.recv()

    run(main)


def test_reset_by_peer_wakes_a_reader_and_a_writer(run: Run) -> None:
    def main() -> None:
        conn, plain = with_plain()
        with conn:
            reader = park(failure, conn.recv, reason=IO_WAIT)
            writer = park(failure, fill, conn, reason=IO_WAIT)
            reset(plain)
            join_all([reader, writer])
            # Whichever system call comes first gets the error of the socket, the other what follows from it.
            assert isinstance(writer.result, ConnectionError)
            assert reader.result is None or isinstance(reader.result, ConnectionError)

    run(main)


def test_use_after_close(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        a.sendall(b"unread")
        for conn in (a, b):
            conn.close()
            conn.close()
            assert conn.closed
            for call in (
                conn.recv,
                lambda conn=conn: conn.recv_into(bytearray(1)),
                lambda conn=conn: conn.send(b"x"),
                lambda conn=conn: conn.sendall(b"x"),
                conn.close_write,
                lambda conn=conn: conn.set_deadline(1),
                lambda conn=conn: conn.set_read_deadline(None),
                lambda conn=conn: conn.set_write_deadline(1),
            ):
                with pytest.raises(mpg.ClosedError, match="use of closed <Conn closed"):
                    call()

    run(main)


def test_closed_error_is_an_os_error() -> None:
    assert issubclass(mpg.ClosedError, OSError)
    assert not issubclass(mpg.ClosedError, ConnectionError)


# -- closing while others wait


def test_close_wakes_a_reader_and_a_writer(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b:
            reader = park(failure, a.recv, reason=IO_WAIT)
            writer = park(failure, fill, a, reason=IO_WAIT)
            a.close()
            join_all([reader, writer])
            for g in (reader, writer):
                assert isinstance(g.result, mpg.ClosedError)
                assert "was closed while" in str(g.result)

    run(main)


def test_close_by_a_plain_thread(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b:
            reader = park(failure, a.recv, reason=IO_WAIT)
            writer = park(failure, fill, a, reason=IO_WAIT)
            thread = threading.Thread(target=a.close)
            thread.start()
            join_all([reader, writer])
            thread.join()
            assert isinstance(reader.result, mpg.ClosedError)
            assert isinstance(writer.result, mpg.ClosedError)
            # The peer gets what had been sent, then the end.
            b.set_deadline(5)
            with contextlib.suppress(ConnectionError):
                recv_rest(b)

    run(main)


def test_close_by_another_m() -> None:
    def main() -> None:
        for _ in range(20):
            a, b = pair()
            with b:
                reader = park(failure, a.recv, reason=IO_WAIT)
                writer = park(failure, fill, a, reason=IO_WAIT)
                elsewhere(a.close).join()
                join_all([reader, writer])
                assert isinstance(reader.result, mpg.ClosedError)
                assert isinstance(writer.result, mpg.ClosedError)

    SPREAD(main)


def test_close_of_what_waits_on_another_m() -> None:
    def main() -> None:
        for _ in range(20):
            a, b = pair()
            with b:
                reader = elsewhere(failure, a.recv)
                until(lambda: reader.waitreason == IO_WAIT)  # noqa: B023
                a.close()
                reader.join()
                assert isinstance(reader.result, mpg.ClosedError)
                # The number is given back once the other M has let go of it.
                until(lambda: a._sock.fileno() == -1)  # noqa: B023
                b.set_deadline(5)
                assert b.recv() == b""

    SPREAD(main)


def test_close_between_the_calls_of_another_m() -> None:
    """Who uses a connection without waiting meets its close as ClosedError too, not as an end or EBADF."""

    def spin(conn: mpg.net.Conn) -> None:
        while True:
            conn.sendall(b"x")
            assert conn.recv(1) == b"x"

    def main() -> None:
        for _ in range(30):
            a, b = pair()
            echoing = mpg.go(echo_until_reset, b)
            user = elsewhere(failure, spin, a)
            for _ in range(20):
                mpg.gosched()
            a.close()
            join_all([user, echoing])
            assert isinstance(user.result, mpg.ClosedError), repr(user.result)

    SPREAD(main)


USES: dict[str, Callable[[mpg.net.Conn], object]] = {
    "recv": mpg.net.Conn.recv,
    "recv_into": lambda conn: conn.recv_into(bytearray(1)),
    "send": lambda conn: conn.send(b"x"),
    "sendall": lambda conn: conn.sendall(b"x"),
    "close_write": mpg.net.Conn.close_write,
}


@pytest.mark.parametrize("use", USES)
def test_reset_after_the_close_by_another_thread(use: str) -> None:
    """The peer's answer to a close comes before the call that was under way: it is the close that counts."""

    class Late:
        """The socket, whose calls come just after another thread's close and the peer's reset."""

        def __init__(self, conn: mpg.net.Conn, peer: socket.socket) -> None:
            self.conn, self.peer, self.sock = conn, peer, conn._sock

        def __getattr__(self, name: str) -> Any:
            def call(*args: Any) -> Any:
                thread = threading.Thread(target=self.conn.close)
                thread.start()
                thread.join()
                reset(self.peer)
                return getattr(self.sock, name)(*args)

            return getattr(self.sock, name) if name in ("close", "fileno", "getsockname") else call

    def main() -> None:
        a, b = with_plain()
        a.sendall(b"x")
        assert b.recv(1) == b"x"
        b.sendall(b"x")
        assert recv_exactly(a, 1) == b"x"
        a._sock = late = Late(a, b)  # type: ignore[assignment]
        a._recv, a._send = late.recv, late.send
        raised = failure(USES[use], a)
        assert isinstance(raised, mpg.ClosedError), repr(raised)
        assert isinstance(raised.__context__, OSError)

    SPREAD(main)


def echo_until_reset(conn: mpg.net.Conn) -> None:
    with contextlib.suppress(ConnectionError):
        echo(conn)


def test_close_during_the_first_use(run: Run) -> None:
    """The M that has just got its descriptor does not keep it beyond the close."""

    def main() -> None:
        for call in (
            mpg.net.Conn.recv,
            lambda conn: conn.recv_into(bytearray(1)),
            lambda conn: conn.send(b"x"),
            lambda conn: conn.sendall(b"x"),
        ):
            b, a = pair()  # what was accepted has not been used yet
            with b:
                a._lock = CloseAfter(a)  # type: ignore[assignment]
                assert isinstance(failure(call, a), mpg.ClosedError)
                until(lambda: a._sock.fileno() == -1)  # noqa: B023
                assert isinstance(failure(call, a), mpg.ClosedError)

    run(main)


def test_one_connection_on_several_ms() -> None:
    """Each M has a descriptor of its own, and what one M learns of the socket does not mislead another."""

    def main() -> None:
        a, b = pair()
        with a, b:
            for i in range(30):
                where: Callable[..., mpg.G] = elsewhere if i % 2 else park
                reader = where(b.recv)
                until(lambda: reader.waitreason == IO_WAIT)  # noqa: B023
                a.sendall(b"%d" % i)
                reader.join()
                assert reader.result == b"%d" % i

    SPREAD(main)


# -- who may use it


def test_two_readers_are_an_error(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            first = park(a.recv, reason=IO_WAIT)
            second = mpg.go(failure, a.recv)
            third = mpg.go(failure, a.recv_into, bytearray(1))
            for g in (second, third):
                g.join()
                assert type(g.result) is RuntimeError
                assert repr(first) in str(g.result)
                assert f"{g.name}" in str(g.result)
            b.sendall(b"for the first")
            first.join()
            assert first.result == b"for the first"

    run(main)


def test_two_writers_are_an_error(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            first = park(failure, fill, a, reason=IO_WAIT)
            for call in (a.send, a.sendall):
                second = mpg.go(failure, call, b"x")
                second.join()
                assert type(second.result) is RuntimeError
                assert repr(first) in str(second.result)
                assert f"{second.name}" in str(second.result)
            a.close()
            first.join()

    run(main)


def test_a_reader_and_a_writer(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            reader = park(a.recv, reason=IO_WAIT)
            writer = park(a.sendall, BIG, reason=IO_WAIT)
            b.sendall(b"x")
            reader.join()
            assert reader.result == b"x"
            assert recv_exactly(b, len(BIG)) == BIG
            writer.join()

    run(main)


def test_outside_of_a_run() -> None:
    left, right = socket.socketpair()
    with mpg.net.Conn(left) as conn, right:
        right.sendall(b"x")
        for call in (
            conn.recv,
            lambda: conn.recv_into(bytearray(1)),
            lambda: conn.send(b"x"),
            lambda: conn.sendall(b"x"),
            lambda: mpg.net.dial((LOCAL, 1)),
        ):
            with pytest.raises(RuntimeError, match="needs a run"):
                call()


def test_after_the_run(run: Run) -> None:
    a, b = run(pair)
    with a, b:
        with pytest.raises(RuntimeError, match="needs a run"):
            a.recv()

        def main() -> bytes:
            reader = park(b.recv, reason=IO_WAIT)
            a.sendall(b"in the next run")
            reader.join()
            return reader.result

        assert run(main) == b"in the next run"


def test_inside_a_simulation() -> None:
    left, right = socket.socketpair()
    with mpg.net.Conn(left) as conn, right:
        right.sendall(b"x")  # even if nothing had to wait
        for call in (
            conn.recv,
            lambda: conn.recv_into(bytearray(1)),
            lambda: conn.send(b"x"),
            lambda: conn.sendall(b"x"),
            lambda: mpg.net.dial((LOCAL, 1)),
            lambda: mpg.net.listen((LOCAL, 0)),
        ):
            with pytest.raises(mpg.SimulationError, match="sockets cannot be simulated"):
                mpg.simulate(call)


# -- numbers


def test_a_reused_number_gets_nobody_elses_data(run: Run) -> None:
    """Connections come and go, and with them the numbers; those that stay wait meanwhile."""
    rounds = 60

    def stays(addr: Any, tag: bytes) -> None:
        with mpg.net.dial(addr) as conn:
            for i in range(rounds // 3):
                message = b"%s %03d;" % (tag, i)
                conn.sendall(message)
                assert recv_exactly(conn, len(message)) == message

    def comes_and_goes(addr: Any, tag: bytes) -> None:
        for i in range(rounds):
            conn = mpg.net.dial(addr)
            message = b"%s %03d;" % (tag, i)
            conn.sendall(message)
            if i % 3 == 0:  # closed while it waits
                reader = mpg.go(failure, conn.recv, 1 << 20)
                until(lambda g=reader: g.status in ("waiting", "dead"))  # the echo may be quicker
                conn.close()
                reader.join()
                assert reader.result is None or isinstance(reader.result, mpg.ClosedError)
                continue
            assert recv_exactly(conn, len(message)) == message
            conn.close()

    def accept(listener: mpg.net.Listener) -> None:
        for conn in listener:
            mpg.go(echo_until_reset, conn)

    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            acceptor = mpg.go(accept, listener)
            gs = [mpg.go(stays, listener.addr, b"stays %d" % i) for i in range(8)]
            gs += [mpg.go(comes_and_goes, listener.addr, b"comes %d" % i) for i in range(4)]
            join_all(gs)
        acceptor.join()

    run(main)


def test_a_number_that_was_closed_behind_our_back(run: Run) -> None:
    """It is given to the next socket, as that of a connection nobody closed; the poller must take it for a new one."""

    def main() -> None:
        olds = pair()
        for conn in olds:
            conn.set_read_deadline(0.001)
            with pytest.raises(TimeoutError):  # it is still watched
                conn.recv()
        numbers = {conn.fileno() for conn in olds}
        for conn in olds:
            conn._sock.close()
        a, b = pair()
        assert numbers & {a.fileno(), b.fileno()}
        for one, other in ((a, b), (b, a)):
            reader = park(one.recv)
            other.sendall(b"y")
            reader.join()
            assert reader.result == b"y"
        a.close()
        b.close()

    run(main)
