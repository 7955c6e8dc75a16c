"""How long connecting may take, on both sides: timeouts of dialling, deadlines of listeners."""

from __future__ import annotations

import contextlib
import errno
import importlib
import math
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from conformance.worlds import is_parked, join_all, park
from net.deadlines import LATE, SOON, timed
from net.runs import LOCAL, Run, failure, fill, recv_exactly

import mpg
from mpg.status import IO_WAIT

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


@pytest.mark.parametrize("times", [1, 2])
def test_dial_does_not_meet_itself(run: Run, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """As if the system chose the port that is called for the caller, which nobody can know before."""

    class Socket(socket.socket):
        def connect_ex(self, address: Any) -> int:
            if len(met) < times:
                met.append(address)
                self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.bind(address)
            return super().connect_ex(address)

    def main() -> None:
        with socket.create_server((LOCAL, 0)) as server:
            address = server.getsockname()
        with pytest.raises(ConnectionRefusedError):
            mpg.net.dial(address)
        assert met == [address] * times

    met: list[Any] = []
    monkeypatch.setattr(socket, "socket", Socket)
    run(main)


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
