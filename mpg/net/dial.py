"""dial: connect to a TCP server (Go: net.Dial, net.DialTimeout)."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from ..current import tls
from ..sched.doorbell import checkpoint
from .addr import Address, parse, resolve, text_of
from .conn import Conn
from .fd import net_error

__all__ = ["dial"]


def dial(addr: Address, timeout: float | None = None) -> Conn:
    """Connect to `addr`, trying each address of the host in turn. Nagle's algorithm is off, as in Go.

    Args:
        timeout: seconds for everything, name resolution excepted.

    Raises:
        OSError: what the last attempt failed with, such as ConnectionRefusedError; socket.gaierror.
        TimeoutError: not connected in time.
        RuntimeError: outside a run.
    """
    mp = tls.m
    if mp.curg is None or mp.world:
        raise net_error(mp)
    if mp.attn:
        checkpoint(mp)
    host, port = parse(addr)
    if timeout is not None and not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout is a number of seconds or None, not {type(timeout).__name__}")
    targets = resolve(host or "localhost", port)
    deadline = None if timeout is None else tls.m.now() / 1e9 + timeout
    failure: OSError = OSError(f"no address for {addr!r}")
    for family, sockaddr in targets:
        try:
            return connect(family, sockaddr, deadline)
        except OSError as exc:
            if isinstance(exc, TimeoutError) and exc.errno is None:  # the system's own is ETIMEDOUT
                raise TimeoutError(f"cannot connect to {text_of(sockaddr)} within {timeout} s") from exc
            failure = exc
    try:
        raise failure
    finally:
        del failure


def connect(family: int, sockaddr: Any, deadline: float | None) -> Conn:
    """One attempt; another if it has met itself (Go: dialTCP, selfConnect).

    Where nobody listens, the system may choose the very port that is called for the caller, and connects the two.
    """
    for _ in range(2):
        conn = attempt(family, sockaddr, deadline)
        if conn.local_addr[1] != sockaddr[1] or conn.local_addr != conn._sock.getpeername():
            return conn
        conn.close()
    return attempt(family, sockaddr, deadline)


def attempt(family: int, sockaddr: Any, deadline: float | None) -> Conn:
    sock = socket.socket(family, socket.SOCK_STREAM)
    conn = Conn(sock, sockaddr)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(sockaddr)
        if code in (errno.EINPROGRESS, errno.EINTR):
            if deadline is not None:
                conn.set_write_deadline(deadline - tls.m.now() / 1e9)
            mp = tls.m
            pd = conn._attach(mp, write=True)
            ended = False
            while not ended:
                pd.wready = False  # only an event says that the attempt has ended; the deadline wakes too
                conn._wait_write(mp, pd)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                # It may be one of an old file with the same number, which a duplicate keeps open (Go: issue 19289).
                ended = bool(code) or is_connected(sock)
            conn.set_write_deadline(None)
        if code:
            raise OSError(code, f"cannot connect to {text_of(sockaddr)}: {os.strerror(code)}")
    except BaseException:
        conn.close()
        raise
    return conn


def is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError as exc:
        return exc.errno != errno.ENOTCONN
    return True
