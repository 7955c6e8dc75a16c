"""Deadlines of connections that are set before one waits: passed, far, cleared, and what is none."""

from __future__ import annotations

import math
import socket
import threading
import time
from typing import Any

import pytest
from conformance.worlds import is_parked, park, until
from net.deadlines import LATE, SOON, readers, received, timed, writers
from net.runs import LOCAL, Run, pair, with_plain

import mpg
from mpg.current import tls
from mpg.status import IO_WAIT


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
            soon, sent, got = SOON, 0, None
            while got is None:  # a slow machine may not see it wait, or not send, in time
                soon *= 2
                a.set_read_deadline(soon)
                reader = mpg.go(received, a)
                until(lambda g=reader: is_parked(g, IO_WAIT) or g.status == "dead")
                sent = sent or b.send(b"in time")
                reader.join()
                got = reader.result
            assert got == b"in time"
            a.set_read_deadline(None)
            reader = park(a.recv, reason=IO_WAIT)
            mpg.sleep(soon + SOON)  # the timer of the first wait would be over
            assert is_parked(reader, IO_WAIT)
            b.sendall(b"next")
            reader.join()
            assert reader.result == b"next"

    run(main)
