"""Deadlines of connections: set, moved, cleared and passing while one waits, or just when there are data."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
from conformance.worlds import is_parked, join_all, park, until
from net.deadlines import LATE, SOON, readers, received, timed, writers
from net.runs import SPREAD, Run, elsewhere, failure, fill, pair

import mpg
from mpg.status import IO_WAIT

# -- while one waits


def test_read_deadline_ends_a_wait(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            for read in readers(a):
                a.set_read_deadline(SOON)
                assert timed(read) >= SOON * 0.9
                assert timed(read) < LATE  # it stays passed
            a.sendall(b"writing goes on")
            assert b.recv() == b"writing goes on"

    run(main)


def test_write_deadline_ends_a_wait(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.set_write_deadline(SOON)
            assert timed(fill, a) >= SOON * 0.9
            for write in writers(a):
                timed(write)
            b.sendall(b"reading goes on")
            assert a.recv() == b"reading goes on"

    run(main)


def test_deadline_ends_both_waits(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.set_deadline(SOON)
            gs = [mpg.go(failure, a.recv), mpg.go(failure, fill, a)]
            join_all(gs)
            assert [type(g.result) for g in gs] == [TimeoutError] * 2
            assert str(gs[0].result) == f"read deadline of {a!r} has passed"
            assert str(gs[1].result) == f"write deadline of {a!r} has passed"

    run(main)


def test_zero_interrupts_at_once(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            reader = park(failure, a.recv, reason=IO_WAIT)
            writer = park(failure, fill, a, reason=IO_WAIT)
            a.set_read_deadline(0)
            reader.join()
            assert type(reader.result) is TimeoutError
            assert is_parked(writer, IO_WAIT)
            a.set_write_deadline(0)
            writer.join()
            assert type(writer.result) is TimeoutError

    run(main)


def test_a_deadline_set_while_one_waits(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            reader = park(failure, a.recv, reason=IO_WAIT)
            start = time.monotonic()
            a.set_read_deadline(SOON)
            reader.join()
            assert type(reader.result) is TimeoutError
            assert time.monotonic() - start >= SOON * 0.9

    run(main)


@pytest.mark.parametrize("first", [LATE, SOON], ids=["sooner", "later"])
def test_a_deadline_moved_while_one_waits(run: Run, first: float) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            while True:
                a.set_read_deadline(first)
                reader = mpg.go(timed, a.recv)
                until(lambda: is_parked(reader, IO_WAIT) or reader.status == "dead")  # noqa: B023
                start = time.monotonic()
                a.set_read_deadline(3 * SOON)
                if reader.status != "dead":  # else this machine was too slow to see it wait
                    break
            reader.join()
            assert time.monotonic() - start >= 3 * SOON * 0.9

    run(main)


def test_a_deadline_cleared_while_one_waits(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            soon, in_time = SOON, False
            while not in_time:  # a slow machine may not clear it before it has passed
                soon *= 2
                begin = mpg.now()
                a.set_deadline(soon)
                reader = mpg.go(received, a)
                until(lambda g=reader: is_parked(g, IO_WAIT) or g.status == "dead")
                a.set_deadline(None)
                in_time = mpg.now() < begin + soon
            mpg.sleep(soon + SOON)  # beyond what it was
            assert is_parked(reader, IO_WAIT)
            b.sendall(b"x")
            reader.join()
            assert reader.result == b"x"

    run(main)


def test_a_deadline_set_by_another_m() -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            for seconds in (0, SOON, -1.0) * 5:
                reader = park(failure, a.recv, reason=IO_WAIT)
                elsewhere(a.set_read_deadline, seconds).join()
                reader.join()
                assert type(reader.result) is TimeoutError
                a.set_read_deadline(None)
            b.sendall(b"x")
            assert a.recv() == b"x"

    SPREAD(main)


def test_a_deadline_set_by_a_plain_thread(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            for seconds in (0, SOON):
                reader = park(failure, a.recv, reason=IO_WAIT)
                start = time.monotonic()
                thread = threading.Thread(target=a.set_deadline, args=(seconds,))
                thread.start()
                reader.join()
                thread.join()
                assert type(reader.result) is TimeoutError
                assert time.monotonic() - start >= seconds * 0.9
                a.set_deadline(None)

    run(main)


def test_closing_comes_before_the_deadline(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with b:
            a.set_deadline(LATE)
            reader = park(failure, a.recv, reason=IO_WAIT)
            writer = park(failure, fill, a, reason=IO_WAIT)
            a.close()
            join_all([reader, writer])
            assert type(reader.result) is type(writer.result) is mpg.ClosedError

    run(main)


# -- races


def test_deadline_against_data(run: Run) -> None:
    """Whoever wins, no byte is lost, doubled or out of order."""
    rounds = 200

    def reader(conn: mpg.net.Conn, got: bytearray) -> None:
        while len(got) < 4 * rounds:
            conn.set_read_deadline(0.0001)
            with contextlib.suppress(TimeoutError):
                got += conn.recv()

    def main() -> None:
        a, b = pair()
        with a, b:
            got = bytearray()
            g = mpg.go(reader, b, got)
            for i in range(rounds):
                mpg.sleep(0.0001 * (i % 3))
                a.sendall(i.to_bytes(4, "big"))
            g.join()
            assert got == b"".join(i.to_bytes(4, "big") for i in range(rounds))

    run(main)


def test_interruptions_against_data(run: Run) -> None:
    """The same with another G that interrupts."""
    rounds = 200

    def reader(conn: mpg.net.Conn, got: bytearray) -> None:
        while len(got) < 4 * rounds:
            try:
                got += conn.recv(3)
            except TimeoutError:
                conn.set_read_deadline(None)

    def main() -> None:
        a, b = pair()
        with a, b:
            got = bytearray()
            g = mpg.go(reader, b, got)
            for i in range(rounds):
                b.set_read_deadline(0)
                a.sendall(i.to_bytes(4, "big"))
                mpg.gosched()
            g.join()
            assert got == b"".join(i.to_bytes(4, "big") for i in range(rounds))

    run(main)


def test_write_deadline_against_room(run: Run) -> None:
    """`send` has sent what it says, whenever the deadline passes."""

    def writer(conn: mpg.net.Conn, data: bytes) -> None:
        view = memoryview(data)
        while view:
            conn.set_write_deadline(0.0001)
            with contextlib.suppress(TimeoutError):
                view = view[conn.send(view[:30_000]) :]
        conn.close_write()

    def main() -> None:
        a, b = pair()
        with a, b:
            data = b"".join(i.to_bytes(4, "big") for i in range(200_000))
            g = mpg.go(writer, a, data)
            got = bytearray()
            while part := b.recv(20_000):
                got += part
                mpg.gosched()
            g.join()
            assert got == data

    run(main)
