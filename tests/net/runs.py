"""The runs that the network tests are made in, and what they share."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident
from typing import Any, TypeVar

from conformance.worlds import until

import mpg
from mpg.net.fd import NetFD
from mpg.port import HOST, Capabilities

T = TypeVar("T")

LOCAL = "127.0.0.1"
BIG = os.urandom(3 << 20)  # more than both ends' buffers hold


@dataclass(frozen=True)
class Run:
    """One kind of run."""

    name: str
    procs: int
    poller: str
    caps: Capabilities | None = None

    def __call__(self, main: Callable[..., T], *args: Any) -> T:
        """Run `main(*args)` as the main G; its value, or its exception."""
        return mpg.run(main, *args, procs=self.procs, poller=self.poller, caps=self.caps)

    def __str__(self) -> str:
        return self.name


RUNS = [
    Run("epoll-1", 1, "epoll"),
    Run("epoll-4", 4, "epoll"),
    Run("selectors-1", 1, "selectors"),
    # Its M's are eager, so that connections land on several threads with a GIL too.
    Run("spread", 4, "epoll", HOST),
]
SPREAD = RUNS[-1]


def has_ipv6() -> bool:
    """Can `::1` be used here?"""
    if not socket.has_ipv6:
        return False
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def pair(host: str = LOCAL) -> tuple[mpg.net.Conn, mpg.net.Conn]:
    """Two connections that are each other's ends: the one that dialled, the one that was accepted."""
    with mpg.net.listen((host, 0)) as listener:
        dialled = mpg.net.dial(listener.addr)
        accepted = listener.accept()
    for conn in (dialled, accepted):  # small buffers, which do not grow: what is big does not fit
        conn._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        conn._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    return dialled, accepted


def with_plain() -> tuple[mpg.net.Conn, socket.socket]:
    """A connection and its peer, a plain blocking socket."""
    with mpg.net.listen((LOCAL, 0)) as listener:
        plain = socket.create_connection(listener.addr)
        return listener.accept(), plain


def reset(plain: socket.socket) -> None:
    """Close with a reset instead of a FIN."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()


def failure(fn: Callable[..., object], *args: Any) -> Exception | None:
    """What `fn(*args)` raises."""
    try:
        fn(*args)
    except Exception as exc:
        return exc
    return None


def recv_exactly(conn: mpg.net.Conn, n: int) -> bytes:
    """`n` bytes, or fewer if the stream ends before."""
    parts = []
    while n and (part := conn.recv(n)):
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def recv_rest(conn: mpg.net.Conn) -> bytes:
    """Everything up to the end of the stream."""
    return b"".join(iter(conn.recv, b""))


def fill(conn: mpg.net.Conn) -> None:
    """Send until it fails."""
    while True:
        conn.sendall(bytes(1 << 20))


def echo(conn: mpg.net.Conn) -> None:
    with conn:
        while data := conn.recv():
            conn.sendall(data)


def echo_until_reset(conn: mpg.net.Conn) -> None:
    with contextlib.suppress(ConnectionError):
        echo(conn)


def elsewhere(fn: Callable[..., object], *args: Any) -> mpg.G:
    """Start `fn(*args)` on another M than the caller's, which keeps its P until somebody has taken the G."""
    here = get_ident()
    taken: list[int] = []

    def body() -> object:
        taken.append(get_ident())
        return fn(*args) if get_ident() != here else None

    while True:
        g = mpg.go(body)
        end = time.monotonic() + 0.05
        while not taken and time.monotonic() < end:
            time.sleep(0)  # offers the GIL, not the P
        until(lambda: taken)
        if taken.pop() != here:
            return g


class CloseAfter:
    """The lock of a connection or listener, which a plain thread closes as soon as it has been released once."""

    def __init__(self, netfd: NetFD) -> None:
        self.netfd = netfd
        self.lock = netfd._lock

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.netfd._lock = self.lock
        self.lock.release()
        thread = threading.Thread(target=self.netfd.close)
        thread.start()
        thread.join()
