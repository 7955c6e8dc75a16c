"""Connections: their addresses, and the numbers of their descriptors."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import join_all, park, until
from net.runs import LOCAL, SPREAD, Run, echo_until_reset, elsewhere, failure, has_ipv6, pair, recv_exactly

import mpg
from mpg.status import IO_WAIT

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


# -- numbers


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
