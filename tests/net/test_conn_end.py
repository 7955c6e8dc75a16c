"""Connections: the end of the stream, and the peer's reset."""

from __future__ import annotations

import socket

import pytest
from conformance.worlds import join_all, park
from net.runs import BIG, Run, failure, fill, pair, recv_rest, reset, with_plain

from mpg.status import IO_WAIT


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
