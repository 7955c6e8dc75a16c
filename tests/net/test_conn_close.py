"""Connections that are closed: by whom, while who waits, and their use afterwards."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import join_all, park, until
from net.runs import (
    SPREAD,
    CloseAfter,
    Run,
    echo_until_reset,
    elsewhere,
    failure,
    fill,
    pair,
    recv_exactly,
    recv_rest,
    reset,
    with_plain,
)

import mpg
from mpg.status import IO_WAIT


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
