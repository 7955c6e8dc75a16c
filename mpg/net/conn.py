"""Conn: one TCP connection.

The hot path is `recv` and `sendall`: try the system call if the hint says that it may work, park if it says
EAGAIN. A short read also means that the socket is drained (epoll(7)), so the next `recv` parks without asking;
not after a hang-up event, or the end of the stream that came with the data would be waited for for ever.
"""

from __future__ import annotations

import io
import socket
from typing import Any, overload

from ..current import getcurrent, tls
from ..errors import ClosedError
from ..sched.doorbell import checkpoint
from ..sched.netpoll import PollDesc, claim_io
from ..sched.ready import raise_abort
from ..status import IO_WAIT
from .addr import text_of
from .connio import ConnIO
from .fd import NetFD

__all__ = ["Conn"]

CHUNK = 65536  # bytes


class Conn(NetFD):
    """A connection. One G may read while another writes; two readers or two writers at once are an error.

    Made by `dial`, `Listener.accept` or from a connected stream socket, which it takes over. Closed by `close`,
    by `with`, or by `serve` when the handler returns.
    """

    __slots__ = ("_reader", "_recv", "_remote_addr", "_send", "_writer")

    def __init__(self, sock: socket.socket, remote_addr: Any = None) -> None:
        if not isinstance(sock, socket.socket):
            raise TypeError(f"Conn takes a connected stream socket, not {type(sock).__name__}")
        sock.setblocking(False)
        super().__init__(sock)
        self._reader: Any = None  # the G that waits, for each direction
        self._writer: Any = None
        self._recv = sock.recv
        self._send = sock.send
        self._remote_addr = remote_addr

    @property
    def remote_addr(self) -> Any:
        """The peer's address, as the system gives it; None if it is not known any more."""
        if self._remote_addr is None and not self._closed:
            try:
                self._remote_addr = self._sock.getpeername()
            except OSError:
                return None
        return self._remote_addr

    def recv(self, n: int = CHUNK) -> bytes:
        """At most `n` bytes, at least one; `b""` at the end of the stream.

        Raises:
            ClosedError: it is closed, or was closed during the wait.
            TimeoutError: the read deadline has passed.
            ConnectionError: the peer has reset the connection.
            RuntimeError: another G waits to read from it, or there is no run.
        """
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            checkpoint(mp)
            mp = tls.m
        pd = self._rpd
        if pd is None or pd.mp is not mp:
            pd = self._attach(mp)
        if self._rdeadline or self._reader is not None:
            self._may_read(mp)
        while True:
            if pd.rready:
                try:
                    data = self._recv(n)
                except BlockingIOError:
                    pd.rready = False
                except OSError:
                    self._at_end()
                    raise
                else:
                    if len(data) < n:
                        if not data:
                            self._at_end()
                        elif not pd.hup:
                            pd.rready = False
                    return data
            if n <= 0:  # nothing to wait for; or an error
                return self._recv(n)
            gp = mp.curg  # what follows is `_wait_read`, written out
            if self._rdeadline or self._reader is not None:
                self._may_read(mp)
            wait = pd.r
            if not pd.armed or gp.waiting is not wait:
                self._prepare(mp, gp, pd, wait)
            wait.cell.append(gp)
            if self._closed and claim_io(wait) is not None:
                raise ClosedError(f"use of closed {self!r}")
            mp.iowait += 1
            self._reader = gp
            try:
                if self._rdeadline:
                    mp.gopark_timed(gp, wait, IO_WAIT, max(0, self._rdeadline - mp.now()))
                else:
                    mp.leave(gp, wait, IO_WAIT).switch()
                    if gp.wake_exc is not None:
                        raise_abort(gp)
            finally:
                self._reader = None
                mp.iowait -= 1
            if self._closed:
                raise ClosedError(f"{self!r} was closed while {gp!r} waited for it")

    def recv_into(self, buffer: Any, n: int = 0) -> int:
        """As `recv`, into a writable buffer (its first `n` bytes, if given). The number of bytes, 0 at the end."""
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            checkpoint(mp)
            mp = tls.m
        pd = self._rpd
        if pd is None or pd.mp is not mp:
            pd = self._attach(mp)
        if self._rdeadline or self._reader is not None:
            self._may_read(mp)
        while True:
            if pd.rready:
                try:
                    got = self._sock.recv_into(buffer, n)
                except BlockingIOError:
                    pd.rready = False
                except OSError:
                    self._at_end()
                    raise
                else:
                    if not got:
                        self._at_end()
                    elif not pd.hup and got < (n or memoryview(buffer).nbytes):
                        pd.rready = False
                    return got
            if not memoryview(buffer).nbytes:
                return 0
            self._wait_read(mp, pd)

    def send(self, data: Any) -> int:
        """Send some of `data`, waiting until at least one byte fits. The number of bytes sent.

        Raises: as `recv`, with the write deadline and another writer.
        """
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            checkpoint(mp)
            mp = tls.m
        pd = self._wpd
        if pd is None or pd.mp is not mp:
            pd = self._attach(mp, write=True)
        if self._wdeadline or self._writer is not None:
            self._may_write(mp)
        while True:
            if pd.wready:
                try:
                    return self._send(data)
                except BlockingIOError:
                    pd.wready = False
                except OSError:
                    self._at_end()
                    raise
            if not memoryview(data).nbytes:
                return 0
            self._wait_write(mp, pd)

    def sendall(self, data: Any) -> None:
        """Send all of `data`. After an error some of it may have been sent. Raises as `send`."""
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            checkpoint(mp)
            mp = tls.m
        pd = self._wpd
        if pd is None or pd.mp is not mp:
            pd = self._attach(mp, write=True)
        if self._wdeadline or self._writer is not None:
            self._may_write(mp)
        sent = 0
        if pd.wready:
            try:
                sent = self._send(data)
            except BlockingIOError:
                pd.wready = False
            except OSError:
                self._at_end()
                raise
        if type(data) is bytes and sent == len(data):
            return
        view = memoryview(data).cast("B")
        while sent < len(view):
            sent += self.send(view[sent:])

    def close_write(self) -> None:
        """Send the end of the stream; reading goes on (a half-close, shutdown(2))."""
        self._check_open()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._at_end()
            raise

    def _at_end(self) -> None:
        """What looks like the peer's doing may be a `close` on another M, which shuts the socket down."""
        if self._closed:
            raise ClosedError(f"{self!r} was closed meanwhile")

    def _may_read(self, mp: Any) -> None:
        """Not beyond the deadline, even if data is there (as in Go); and not two G's at once."""
        self._check_deadline(mp, write=False)
        if self._reader is not None:
            raise RuntimeError(f"{mp.curg!r} wants to read {self!r} while {self._reader!r} waits to read it")

    def _may_write(self, mp: Any) -> None:
        """The same for writing."""
        self._check_deadline(mp, write=True)
        if self._writer is not None:
            raise RuntimeError(
                f"{mp.curg!r} wants to write {self!r} while {self._writer!r} waits to write it"
            )

    def _wait_read(self, mp: Any, pd: PollDesc) -> None:
        """Park until there may be something to read."""
        self._may_read(mp)
        self._reader = gp = mp.curg
        try:
            self._park(mp, gp, pd, pd.r, write=False)
        finally:
            self._reader = None

    def _wait_write(self, mp: Any, pd: PollDesc) -> None:
        """Park until there may be room."""
        self._may_write(mp)
        self._writer = gp = mp.curg
        try:
            self._park(mp, gp, pd, pd.w, write=True)
        finally:
            self._writer = None

    @overload
    def makefile(self, mode: str = "r", buffering: int = -1) -> Any: ...
    @overload
    def makefile(
        self,
        mode: str = "r",
        buffering: int = -1,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any: ...
    def makefile(
        self,
        mode: str = "r",
        buffering: int = -1,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """A file object on the connection, with the arguments of `socket.makefile`.

        For one G at a time: a buffered file of Python's has a lock of its thread. Closing it does not close the
        connection. After a TimeoutError no more can be read from it.
        """
        if not set(mode) <= {"r", "w", "b"} or not set(mode) & {"r", "w"}:
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        raw = ConnIO(self, mode)
        if buffering == 0:
            if "b" not in mode:
                raise ValueError("unbuffered streams must be binary")
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else buffering
        buffered: Any
        if "r" in mode and "w" in mode:
            buffered = io.BufferedRWPair(raw, raw, size)
        elif "r" in mode:
            buffered = io.BufferedReader(raw, size)
        else:
            buffered = io.BufferedWriter(raw, size)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    def __repr__(self) -> str:
        state = " closed" if self._closed else ""
        return f"<Conn{state} {text_of(self.local_addr)} to {text_of(self.remote_addr)}>"
