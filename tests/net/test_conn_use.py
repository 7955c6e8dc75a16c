"""Who may use a connection: one reader and one writer at a time, G's of a run and nobody else."""

from __future__ import annotations

import socket

import pytest
from conformance.worlds import park
from net.runs import BIG, LOCAL, Run, failure, fill, pair, recv_exactly

import mpg
from mpg.status import IO_WAIT


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
