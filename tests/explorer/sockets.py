"""Models: waiting for I/O, against events, deadlines and close; on descriptors without sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any
from unittest import mock

from explorer.modelling import beside, model, pass_time, port

import mpg
from mpg.current import tls
from mpg.explorer import point, thread, window
from mpg.sched.netpoll import READ


class FakeSocket:
    """What NetFD needs of a socket."""

    closed = 0  # how often
    family = socket.AF_INET

    def fileno(self) -> int:
        return 77

    def getsockname(self) -> str:
        return "here"

    def shutdown(self, how: int) -> None:
        pass

    def close(self) -> None:
        self.closed += 1
        assert self.closed == 1, "closed twice"


@contextlib.contextmanager
def descriptor() -> Iterator[tuple[Any, FakeSocket]]:
    """A NetFD of this world."""
    from mpg.net import fd

    with mock.patch.object(fd, "HOST_WORLD", tls.m.world):
        sock = FakeSocket()
        yield fd.NetFD(sock), sock  # type: ignore[arg-type]


def read(netfd: Any) -> None:
    """Wait until it is readable."""
    mp = tls.m
    pd = netfd._attach(mp)
    netfd._park(mp, mp.curg, pd, pd.r, write=False)


def read_somehow(netfd: Any, ends: list[str]) -> None:
    try:
        read(netfd)
        netfd._check_deadline(tls.m, write=False)
        ends.append("ready")
    except mpg.ClosedError:
        ends.append("closed")
    except TimeoutError:
        ends.append("late")


@model("host")
def netpoll_against_close() -> None:
    """A descriptor becomes ready while another M closes it: the G wakes once, the number is closed once."""
    ends: list[str] = []
    with descriptor() as (netfd, sock):
        other = beside(netfd.close)
        reader = mpg.go(lambda: read_somehow(netfd, ends))
        mpg.gosched()  # now it waits, on this M
        assert reader.status == "waiting"
        with window():
            thread(lambda: port().stir(77, READ))
            reader.join()
        other.join()
        mpg.gosched()  # the letter comes
        assert sock.closed == 1
    assert ends in (["ready"], ["closed"])


@model("host")
def wait_against_close() -> None:
    """A G begins to wait while another M closes the descriptor."""
    ends: list[str] = []
    with descriptor() as (netfd, sock):
        netfd._attach(tls.m)
        other = beside(netfd.close)
        with window():
            read_somehow(netfd, ends)
            other.join()
        mpg.gosched()  # the letter comes
        assert sock.closed == 1
    assert ends == ["closed"]


@model("host", procs=1)
def netpoll_against_deadline() -> None:
    """A descriptor becomes ready when its deadline is over: the G wakes once."""
    ends: list[str] = []
    with descriptor() as (netfd, _):
        netfd.set_read_deadline(0.001)
        reader = mpg.go(lambda: read_somehow(netfd, ends))
        mpg.gosched()  # now it waits, on this M
        assert reader.status == "waiting"
        with window():
            thread(lambda: (point(), port().stir(77, READ)))
            thread(pass_time)
            reader.join()
    assert ends in (["ready"], ["late"])


@model("host")
def deadline_against_wait() -> None:
    """A G begins to wait while another M moves the deadline into the past."""
    ends: list[str] = []
    with descriptor() as (netfd, _):
        other = beside(lambda: netfd.set_read_deadline(0))
        with window():
            read_somehow(netfd, ends)
            other.join()
    assert ends == ["late"]
