"""Listeners: addresses, accepting, closing."""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from conformance.worlds import is_parked, join_all, park, until
from net.runs import LOCAL, SPREAD, CloseAfter, Run, elsewhere, failure, has_ipv6, reset

import mpg
from mpg.net.addr import parse, resolve
from mpg.status import IO_WAIT

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="there is no ::1 here")


def check_reachable(listener: mpg.net.Listener, addr: Any) -> None:
    """Who dials `addr` ends up at `listener`."""
    with mpg.net.dial(addr) as a, listener.accept() as b:
        a.sendall(b"hello")
        assert b.recv() == b"hello"


# -- addresses


@pytest.mark.parametrize("addr", ["127.0.0.1:0", ("127.0.0.1", 0), "localhost:0", ("localhost", 0)], ids=str)
def test_addresses(run: Run, addr: Any) -> None:
    def main() -> None:
        with mpg.net.listen(addr) as listener:
            host, port = listener.addr[:2]
            assert host in (LOCAL, "::1")
            assert port > 0
            assert listener.local_addr == listener.addr
            check_reachable(listener, listener.addr)
            text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            check_reachable(listener, text)
            assert repr(listener) == f"<Listener {text}>"
        assert listener.addr[1] == port
        assert repr(listener) == f"<Listener closed {text}>"

    run(main)


@needs_ipv6
@pytest.mark.parametrize("addr", ["[::1]:0", ("::1", 0), ("::1", 0, 0, 0)], ids=str)
def test_ipv6_addresses(run: Run, addr: Any) -> None:
    def main() -> None:
        with mpg.net.listen(addr) as listener:
            host, port = listener.addr[:2]
            assert host == "::1"
            for same in (listener.addr, ("::1", port), f"[::1]:{port}"):
                check_reachable(listener, same)
            assert repr(listener) == f"<Listener [::1]:{port}>"

    run(main)


@pytest.mark.parametrize("addr", [":0", ("", 0), "[]:0"], ids=str)
def test_every_interface(run: Run, addr: Any) -> None:
    def main() -> None:
        with mpg.net.listen(addr) as listener:
            port = listener.addr[1]
            assert listener.addr[0] in ("::", "0.0.0.0")
            check_reachable(listener, (LOCAL, port))
            check_reachable(listener, f":{port}")  # for dialling, no host means this one
            if listener.addr[0] == "::" and has_ipv6():
                check_reachable(listener, ("::1", port))

    run(main)


def test_accepted_connections_are_set_up_as_in_go(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            with mpg.net.dial(listener.addr) as a, listener.accept() as b:
                assert a._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert b._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                assert b._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                for conn in (a, b):
                    assert not conn._sock.get_inheritable()
                    assert not conn._sock.getblocking()

    run(main)


NO_ADDRESSES = [
    ("", ValueError, "missing port in address ''"),
    ("localhost", ValueError, "missing port in address 'localhost'"),
    ("localhost:", ValueError, "the port of 'localhost:' is not a number"),
    ("localhost:http", ValueError, "the port of 'localhost:http' is not a number"),
    ("localhost:-1", ValueError, "the port of 'localhost:-1' is not a number"),
    ("localhost:٣", ValueError, "the port of 'localhost:٣' is not a number"),
    ("localhost: 80", ValueError, "the port of 'localhost: 80' is not a number"),
    ("localhost:65536", ValueError, "the port of 'localhost:65536' is not within 0 to 65535"),
    ("::1:80", ValueError, "too many colons in address '::1:80': an IPv6 host stands in brackets"),
    ("[::1]", ValueError, "missing port in address '[::1]'"),
    ("[::1", ValueError, "missing ']' in address '[::1'"),
    ((LOCAL, -1), ValueError, "the port of ('127.0.0.1', -1) is not within 0 to 65535"),
    ((LOCAL, 65536), ValueError, "the port of ('127.0.0.1', 65536) is not within 0 to 65535"),
    ((LOCAL, "80"), TypeError, "an address is \"host:port\" or (host, port), not ('127.0.0.1', '80')"),
    ((LOCAL, True), TypeError, 'an address is "host:port" or (host, port), not'),
    ((LOCAL, 80.0), TypeError, 'an address is "host:port" or (host, port), not'),
    ((LOCAL,), TypeError, 'an address is "host:port" or (host, port), not'),
    ((LOCAL, 80, 0), TypeError, 'an address is "host:port" or (host, port), not'),
    ((b"127.0.0.1", 80), TypeError, 'an address is "host:port" or (host, port), not'),
    (b"127.0.0.1:80", TypeError, "an address is \"host:port\" or (host, port), not b'127.0.0.1:80'"),
    ([LOCAL, 80], TypeError, 'an address is "host:port" or (host, port), not'),
    (80, TypeError, 'an address is "host:port" or (host, port), not 80'),
    (None, TypeError, 'an address is "host:port" or (host, port), not None'),
]


@pytest.mark.parametrize(("addr", "kind", "text"), NO_ADDRESSES, ids=[repr(case[0]) for case in NO_ADDRESSES])
def test_what_is_no_address(addr: Any, kind: type[Exception], text: str) -> None:
    def main() -> None:
        for call in (mpg.net.listen, mpg.net.dial):
            exc = failure(call, addr)
            assert type(exc) is kind
            assert str(exc).startswith(text)

    mpg.run(main)


def test_the_scope_of_a_link_local_address_is_kept() -> None:
    assert parse(("fe80::1", 80, 0, 0)) == ("fe80::1", 80)
    ((family, sockaddr),) = resolve(*parse(("fe80::1", 80, 0, 1)))
    assert (family, sockaddr) == (socket.AF_INET6, ("fe80::1", 80, 0, 1))


def test_address_in_use(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            with pytest.raises(
                OSError, match=f"cannot listen on {LOCAL}:{listener.addr[1]}: .*in use"
            ) as caught:
                mpg.net.listen(listener.addr)
            assert caught.value.errno == errno.EADDRINUSE

    run(main)


def test_address_of_somebody_else(run: Run) -> None:
    def main() -> None:
        with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0") as caught:
            mpg.net.listen("192.0.2.1:0")
        assert caught.value.errno == errno.EADDRNOTAVAIL

    run(main)


def test_the_address_is_free_again_after_close(run: Run) -> None:
    def main() -> None:
        addr: Any = (LOCAL, 0)
        for _ in range(5):
            with mpg.net.listen(addr) as listener:
                addr = listener.addr
                acceptor = park(listener.accept, reason=IO_WAIT)
                with mpg.net.dial(addr):
                    acceptor.join()
                    acceptor.result.close()
        assert listener.closed

    run(main)


def test_reuse_port_twice(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0), reuse_port=True) as one:
            with mpg.net.listen(one.addr, reuse_port=True) as two:
                assert one.addr == two.addr
                assert one.fileno() != two.fileno()
                with pytest.raises(OSError, match="in use"):
                    mpg.net.listen(one.addr)
                accepted: list[mpg.net.Conn] = []
                gs = [mpg.go(collect, listener, accepted) for listener in (one, two)]
                dialled = [mpg.net.dial(one.addr) for _ in range(20)]
                until(lambda: len(accepted) == len(dialled))
                for conn in (*dialled, *accepted):
                    conn.close()
                assert {c.remote_addr for c in accepted} == {c.local_addr for c in dialled}
        join_all(gs)

    run(main)


# -- accepting


def collect(listener: mpg.net.Listener, into: list[mpg.net.Conn]) -> None:
    for conn in listener:
        into.append(conn)  # noqa: PERF402 (not by `extend`: others look at the list meanwhile)


def test_several_acceptors(run: Run) -> None:
    """Every connection is accepted by exactly one G."""

    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            accepted: list[mpg.net.Conn] = []
            gs = [park(collect, listener, accepted) for _ in range(5)]
            dialled = []
            for i in range(50):
                dialled.append(mpg.net.dial(listener.addr))
                if i % 10 == 9:
                    until(lambda: len(accepted) == len(dialled))
            until(lambda: len(accepted) == len(dialled))
            assert Counter(c.remote_addr for c in accepted) == Counter(c.local_addr for c in dialled)
            for conn in (*dialled, *accepted):
                conn.close()
        join_all(gs)

    run(main)


def test_acceptors_on_several_ms() -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            accepted: list[mpg.net.Conn] = []
            here = [park(collect, listener, accepted) for _ in range(2)]
            there = [elsewhere(collect, listener, accepted) for _ in range(3)]
            for n in range(1, 31):
                with mpg.net.dial(listener.addr) as conn:
                    until(lambda: len(accepted) == n)  # noqa: B023
                    assert accepted[-1].remote_addr == conn.local_addr
                    accepted[-1].close()
        join_all(here + there)

    SPREAD(main)


def test_an_acceptor_leaves_while_others_wait(run: Run) -> None:
    """Those behind it in the queue take its place."""

    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            gs = [park(listener.accept) for _ in range(3)]
            for n in (1, 2, 3):
                with mpg.net.dial(listener.addr) as conn:
                    until(lambda: sum(g.status == "dead" for g in gs) == n)  # noqa: B023
                    ended = [g.result for g in gs if g.status == "dead"]
                    (found,) = [c for c in ended if not c.closed]
                    assert found.remote_addr == conn.local_addr
                    found.close()

    run(main)


def test_a_connection_that_was_there_before(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            dialled = [mpg.net.dial(listener.addr) for _ in range(10)]
            for conn in dialled:
                with conn, listener.accept() as accepted:
                    assert accepted.remote_addr == conn.local_addr
            assert is_parked(park(failure, listener.accept), IO_WAIT)

    run(main)


def test_a_connection_that_was_reset_before(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener:
            reset(socket.create_connection(listener.addr))
            with mpg.net.dial(listener.addr) as conn:
                accepted = listener.accept()
                if accepted.remote_addr != conn.local_addr:  # Linux hands the dead one out too
                    with accepted, pytest.raises(ConnectionError):
                        accepted.recv()
                    accepted = listener.accept()
                with accepted:
                    assert accepted.remote_addr == conn.local_addr

    run(main)


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    """accept(2) fails with EMFILE in here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        lowest = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_files(run: Run) -> None:
    def main() -> None:
        with mpg.net.listen((LOCAL, 0)) as listener, mpg.net.dial(listener.addr) as conn:
            with no_more_files(), pytest.raises(OSError) as caught:
                listener.accept()
            assert caught.value.errno == errno.EMFILE
            with listener.accept() as accepted:  # it has stayed in the backlog
                assert accepted.remote_addr == conn.local_addr

    run(main)


def test_outside_of_a_run() -> None:
    with mpg.net.listen((LOCAL, 0)) as listener:
        with pytest.raises(RuntimeError, match="needs a run"):
            listener.accept()
        with pytest.raises(RuntimeError, match="needs a run"):
            next(iter(listener))

        def main() -> None:
            check_reachable(listener, listener.addr)

        for _ in range(2):  # one listener serves several runs
            mpg.run(main)


def test_inside_a_simulation() -> None:
    with mpg.net.listen((LOCAL, 0)) as listener:
        for call in (listener.accept, lambda: mpg.net.listen((LOCAL, 0))):
            with pytest.raises(mpg.SimulationError, match="sockets cannot be simulated"):
                mpg.simulate(call)


# -- closing


def test_close_wakes_all_acceptors(run: Run) -> None:
    def main() -> None:
        listener = mpg.net.listen((LOCAL, 0))
        gs = [park(failure, listener.accept) for _ in range(5)]
        listener.close()
        join_all(gs)
        for g in gs:
            assert isinstance(g.result, mpg.ClosedError)
            assert f"<Listener closed {LOCAL}:{listener.addr[1]}>" in str(g.result)

    run(main)


def test_close_by_another_m() -> None:
    def main() -> None:
        for _ in range(10):
            listener = mpg.net.listen((LOCAL, 0))
            addr = listener.addr
            gs = [park(failure, listener.accept) for _ in range(2)]
            others = [elsewhere(failure, listener.accept) for _ in range(2)]
            until(lambda: all(is_parked(g) for g in others))  # noqa: B023
            elsewhere(listener.close).join()
            join_all(gs + others)
            assert all(isinstance(g.result, mpg.ClosedError) for g in gs + others)
            # Whether or not every M has let go of the number by now, nobody is let in.
            with pytest.raises(ConnectionRefusedError):
                mpg.net.dial(addr)
            until(lambda: listener._sock.fileno() == -1)  # noqa: B023

    SPREAD(main)


def test_close_during_the_first_use(run: Run) -> None:
    """What accept(2) says of a socket that has been shut down, EINVAL, means that it was closed."""

    def main() -> None:
        listener = mpg.net.listen((LOCAL, 0))
        listener._lock = CloseAfter(listener)  # type: ignore[assignment]
        assert isinstance(failure(listener.accept), mpg.ClosedError)
        until(lambda: listener._sock.fileno() == -1)
        assert isinstance(failure(listener.accept), mpg.ClosedError)

    run(main)


def test_close_by_a_plain_thread(run: Run) -> None:
    def main() -> None:
        listener = mpg.net.listen((LOCAL, 0))
        gs = [park(failure, listener.accept) for _ in range(3)]
        thread = threading.Thread(target=listener.close)
        thread.start()
        join_all(gs)
        thread.join()
        assert all(isinstance(g.result, mpg.ClosedError) for g in gs)

    run(main)


def test_iteration_ends_on_close(run: Run) -> None:
    def main() -> None:
        listener = mpg.net.listen((LOCAL, 0))
        accepted: list[mpg.net.Conn] = []
        gs = [park(collect, listener, accepted) for _ in range(3)]
        with mpg.net.dial(listener.addr):
            until(lambda: accepted)
            accepted[0].close()
        listener.close()
        join_all(gs)
        assert len(accepted) == 1
        assert list(listener) == []

    run(main)


def test_the_loop_may_close_its_listener(run: Run) -> None:
    def main() -> None:
        listener = mpg.net.listen((LOCAL, 0))
        with mpg.net.dial(listener.addr):
            for n, conn in enumerate(listener):
                assert n == 0
                conn.close()
                listener.close()

    run(main)


def test_use_after_close(run: Run) -> None:
    def main() -> None:
        listener = mpg.net.listen((LOCAL, 0))
        addr = listener.addr
        listener.close()
        listener.close()
        assert listener.closed
        assert listener.addr == addr
        assert listener.fileno() == -1
        for call in (listener.accept, lambda: listener.set_deadline(1)):
            with pytest.raises(mpg.ClosedError, match="use of closed <Listener closed"):
                call()
        with pytest.raises(ConnectionRefusedError):
            mpg.net.dial(addr)

    run(main)
