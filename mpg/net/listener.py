"""Listener: a listening TCP socket.

Several G's may accept from one listener. Those of one M take turns at waiting, since an M waits for each
direction of a socket once.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

from ..current import tls
from ..errors import ClosedError
from ..plain import HOST_WORLD
from ..sched.doorbell import checkpoint
from ..sched.netpoll import PollDesc
from ..sync import Mutex
from .addr import Address, parse, resolve, text_of
from .conn import Conn
from .fd import NetFD, net_error

__all__ = ["Listener", "listen"]

BACKLOG = 4096  # Go: maxListenerBacklog reads net.core.somaxconn, which caps this


class Listener(NetFD):
    """Accepts connections. Iterating yields them until the listener is closed."""

    __slots__ = ("_accept", "_family", "_pid", "_turns")

    def __init__(self, sock: socket.socket) -> None:
        if not isinstance(sock, socket.socket):
            raise TypeError(f"Listener takes a listening stream socket, not {type(sock).__name__}")
        sock.setblocking(False)
        super().__init__(sock)
        self._accept: Any = sock._accept  # type: ignore[attr-defined]  # (fd, address), without a socket object
        self._family = sock.family
        self._pid = os.getpid()  # which has made it
        self._turns: dict[Any, Mutex] = {}  # by M

    @property
    def addr(self) -> Any:
        """The address it listens on, with the port that the system has chosen for port 0."""
        return self.local_addr

    def accept(self) -> Conn:
        """The next connection.

        Raises:
            ClosedError: the listener is closed, or was closed during the wait.
            TimeoutError: the deadline has passed.
            OSError: as accept(2), such as EMFILE; the connection stays in the backlog.
        """
        mp = tls.m
        if mp.attn:
            checkpoint(mp)
            mp = tls.m
        pd = self._rpd
        if pd is None or pd.mp is not mp:
            pd = self._attach(mp)
        while True:
            if self._rdeadline:
                self._check_deadline(mp, write=False)
            if pd.rready:
                try:
                    fd, peer = self._accept()
                except BlockingIOError:
                    pd.rready = False
                except ConnectionAbortedError:  # it was gone before it was accepted (Go ignores it too)
                    continue
                except OSError as exc:
                    if self._closed:  # on another M, which has shut it down
                        raise ClosedError(f"{self!r} was closed meanwhile") from exc
                    raise
                else:
                    return Conn(socket.socket(self._family, socket.SOCK_STREAM, 0, fileno=fd), peer)
            self._wait_turn(mp, pd)
            if self._closed:
                raise ClosedError(f"{self!r} was closed")

    def _wait_turn(self, mp: Any, pd: PollDesc) -> None:
        """Wait for a connection, after those who already do on this M."""
        turn = self._turns.get(mp)
        if turn is None:
            for other in list(self._turns):  # of runs that are over
                if other.exited:
                    del self._turns[other]
            turn = self._turns[mp] = Mutex()
        turn.lock()
        try:
            if not self._closed and not pd.rready:
                self._park(mp, mp.curg, pd, pd.r, write=False)
        finally:
            turn.unlock()

    def _shuts_down(self, others: list[PollDesc]) -> bool:
        """Nobody may connect after a close. But a worker that was forked shares it with its siblings (prefork)."""
        return os.getpid() == self._pid

    def __iter__(self) -> Iterator[Conn]:
        while True:
            try:
                conn = self.accept()
            except ClosedError:
                if self._closed:
                    return
                raise
            yield conn

    def __repr__(self) -> str:
        return f"<Listener{' closed' if self._closed else ''} {text_of(self.local_addr)}>"


def listen(addr: Address, *, backlog: int = BACKLOG, reuse_port: bool = False) -> Listener:
    """Listen on a TCP address: "127.0.0.1:7777", "[::1]:0", ":80" (every interface), or a tuple.

    Accepted connections have Nagle's algorithm off and keep-alive on, as in Go.

    Args:
        backlog: how many connections may wait to be accepted; the system caps it.
        reuse_port: let several processes listen on the same port (SO_REUSEPORT).

    Raises:
        OSError: the address is in use or not ours.
        ValueError, TypeError: it is no address.
    """
    if tls.m.world != HOST_WORLD:
        raise net_error(tls.m)
    host, port = parse(addr)
    if host:
        family, sockaddr = resolve(host, port, passive=True)[0]
    elif socket.has_dualstack_ipv6():
        family, sockaddr = socket.AF_INET6, ("::", port)
    else:
        family, sockaddr = socket.AF_INET, ("0.0.0.0", port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if host else 0)
        # What is set here, accepted connections inherit.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        try:
            sock.bind(sockaddr)
        except OSError as exc:
            raise OSError(exc.errno, f"cannot listen on {text_of(sockaddr)}: {exc.strerror}") from exc
        sock.listen(backlog)
        return Listener(sock)
    except BaseException:
        sock.close()
        raise
