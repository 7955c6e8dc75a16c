"""Deadlines of connections, of listeners and of dialling."""

from __future__ import annotations

import contextlib
import errno
import importlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance.worlds import is_parked, join_all, park, until
from net.runs import LOCAL, SPREAD, Run, elsewhere, failure, fill, pair, recv_exactly, with_plain

import mpg
from mpg.current import tls
from mpg.status import IO_WAIT

SOON = 0.02  # seconds
LATE = 60.0  # seconds, more than any test takes


def timed(fn: Callable[..., object], *args: Any) -> float:
    """How many seconds `fn(*args)` takes until its TimeoutError."""
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        fn(*args)
    return time.monotonic() - start


def readers(conn: mpg.net.Conn) -> list[Callable[[], object]]:
    return [conn.recv, lambda: conn.recv_into(bytearray(10))]


def writers(conn: mpg.net.Conn) -> list[Callable[[], object]]:
    return [lambda: conn.sendall(b"x"), lambda: conn.send(b"x")]


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
            a.set_read_deadline(first)
            reader = mpg.go(timed, a.recv)
            until(lambda: is_parked(reader, IO_WAIT))
            start = time.monotonic()
            a.set_read_deadline(3 * SOON)
            reader.join()
            assert time.monotonic() - start >= 3 * SOON * 0.9

    run(main)


def test_a_deadline_cleared_while_one_waits(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.set_deadline(2 * SOON)
            reader = park(a.recv, reason=IO_WAIT)
            a.set_deadline(None)
            mpg.sleep(3 * SOON)  # beyond what it was
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


# -- before one waits


def test_none_clears(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            for set_it in (a.set_deadline, a.set_read_deadline):
                set_it(0)
                timed(a.recv)
                set_it(None)
                reader = park(a.recv, reason=IO_WAIT)
                b.sendall(b"x")
                reader.join()
                assert reader.result == b"x"
            a.set_write_deadline(-1)
            timed(a.send, b"x")
            a.set_write_deadline(None)
            a.sendall(b"y")
            assert b.recv() == b"y"

    run(main)


@pytest.mark.parametrize("passed", [0, 0.0, -0.001, -5, -1e300, -math.inf])
def test_a_passed_deadline_fails_even_with_data_there(run: Run, passed: float) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            for read in readers(b):
                a.sendall(b"data")
                b.set_deadline(passed)
                assert timed(read) < LATE
                for write in writers(b):
                    timed(write)
                b.set_deadline(None)
                assert read() in (b"data", 4)

    run(main)


@pytest.mark.parametrize("far", [LATE, 1e300, math.inf, 10**30])
def test_far_deadlines(run: Run, far: float) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.set_deadline(far)
            reader = park(a.recv, reason=IO_WAIT)
            b.sendall(b"x")
            reader.join()
            assert reader.result == b"x"

    run(main)


def test_an_idle_m_sleeps_towards_a_far_deadline(run: Run) -> None:
    """Nothing else to do for this M: it sleeps in its poller, which takes no such number."""

    def send_once_asleep(peer: socket.socket, mp: Any) -> None:
        while not mp.asleep:
            time.sleep(1e-4)
        peer.send(b"x")

    def main() -> None:
        conn, peer = with_plain()
        with conn, peer:
            conn.set_deadline(math.inf)
            sender = threading.Thread(target=send_once_asleep, args=(peer, tls.m))
            sender.start()
            assert conn.recv() == b"x"
            sender.join()

    run(main)


def test_what_is_no_deadline(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b, mpg.net.listen((LOCAL, 0)) as listener:
            for set_it in (
                a.set_deadline,
                a.set_read_deadline,
                a.set_write_deadline,
                listener.set_deadline,
            ):
                with pytest.raises(ValueError, match="deadline is not NaN"):
                    set_it(math.nan)
                for wrong in ("1", b"1", [1], 1j, True):
                    with pytest.raises(TypeError, match="a deadline is a number, not"):
                        set_it(wrong)  # type: ignore[arg-type]
            a.sendall(b"no deadline was set")
            assert b.recv() == b"no deadline was set"

    run(main)


def test_a_wait_that_got_its_data_leaves_no_timer(run: Run) -> None:
    def main() -> None:
        a, b = pair()
        with a, b:
            a.set_read_deadline(2 * SOON)
            reader = park(a.recv, reason=IO_WAIT)
            b.sendall(b"in time")
            reader.join()
            assert reader.result == b"in time"
            a.set_read_deadline(None)
            reader = park(a.recv, reason=IO_WAIT)
            mpg.sleep(3 * SOON)  # the timer of the first wait would be over
            assert is_parked(reader, IO_WAIT)
            b.sendall(b"next")
            reader.join()
            assert reader.result == b"next"

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


# -- dial


@contextlib.contextmanager
def unanswered() -> Iterator[Any]:
    """An address whose listener answers nobody: its backlog is full."""
    with socket.create_server((LOCAL, 0), backlog=0) as server, contextlib.ExitStack() as stack:
        address = server.getsockname()
        for _ in range(10):
            plain = stack.enter_context(socket.socket())
            plain.settimeout(0.05)
            try:
                plain.connect(address)
            except TimeoutError:
                break
        else:
            pytest.skip("a full backlog refuses nobody here")
        yield address


def test_dial_timeout(run: Run) -> None:
    def main(address: Any) -> None:
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=rf"cannot connect to {LOCAL}:{address[1]} within 0.02 s"):
            mpg.net.dial(address, SOON)
        assert time.monotonic() - start >= SOON * 0.9
        for passed in (0, -1.0):
            with pytest.raises(TimeoutError):
                mpg.net.dial(address, timeout=passed)

    with unanswered() as address:
        run(main, address)


def test_the_systems_own_timeout_is_one_failure_among_others(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("mpg.net.dial")
    connect = module.connect

    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            port = listener.addr[1]
            targets = [(socket.AF_INET, ("192.0.2.1", port)), (socket.AF_INET, (LOCAL, port))]

            def first_times_out(family: int, sockaddr: Any, deadline: float | None) -> mpg.net.Conn:
                if sockaddr[0] == LOCAL:
                    found: mpg.net.Conn = connect(family, sockaddr, deadline)
                    return found
                raise OSError(errno.ETIMEDOUT, "cannot connect: Connection timed out")

            monkeypatch.setattr(module, "resolve", lambda host, port: targets)
            monkeypatch.setattr(module, "connect", first_times_out)
            with mpg.net.dial(("example.invalid", port)) as conn, listener.accept():
                assert conn.remote_addr == (LOCAL, port)
            targets.pop()
            with pytest.raises(TimeoutError, match="Connection timed out"):
                mpg.net.dial(("example.invalid", port))

    run(main)


def test_dial_in_time(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            for timeout in (LATE, math.inf, 5):
                with mpg.net.dial(listener.addr, timeout) as a, listener.accept() as b:
                    # The timeout was for connecting only.
                    writer = park(failure, fill, a, reason=IO_WAIT)
                    b.sendall(b"x")
                    assert recv_exactly(a, 1) == b"x"
                    assert is_parked(writer, IO_WAIT)
                    a.close()
                    writer.join()
                    assert isinstance(writer.result, mpg.ClosedError)

    run(main)


def test_what_is_no_timeout(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            with pytest.raises(ValueError, match="NaN"):
                mpg.net.dial(listener.addr, math.nan)
            with pytest.raises(TypeError, match="timeout is a number of seconds or None, not str"):
                mpg.net.dial(listener.addr, "1")  # type: ignore[arg-type]

    run(main)


def test_nobody_listens(run: Run) -> None:
    with socket.socket() as bound:  # bound, so that nobody else takes the port, but not listening
        bound.bind((LOCAL, 0))
        port = bound.getsockname()[1]

        def main() -> None:
            for timeout in (None, LATE):
                with pytest.raises(ConnectionRefusedError, match=f"cannot connect to {LOCAL}:{port}"):
                    mpg.net.dial((LOCAL, port), timeout)

        run(main)


# -- listeners


def test_listener_deadline(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            for set_it in (listener.set_deadline, listener.set_read_deadline):
                set_it(SOON)
                assert timed(listener.accept) >= SOON * 0.9
                timed(listener.accept)
                with mpg.net.dial(listener.addr):
                    timed(listener.accept)  # even with a connection there
                    set_it(None)
                    listener.accept().close()

    run(main)


def test_listener_deadline_wakes_all_acceptors(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            for seconds in (0, SOON):
                gs = [park(failure, listener.accept) for _ in range(5)]
                listener.set_deadline(seconds)
                join_all(gs)
                assert [type(g.result) for g in gs] == [TimeoutError] * 5
                listener.set_deadline(None)

    run(main)


def test_iteration_raises_the_timeout(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            listener.set_deadline(SOON)
            with pytest.raises(TimeoutError, match="read deadline of <Listener"):
                next(iter(listener))

    run(main)
