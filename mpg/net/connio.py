"""The file under `Conn.makefile`: what the standard library's buffers and text layers read from and write to."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conn import Conn

__all__ = ["ConnIO"]


class ConnIO(io.RawIOBase):
    """The raw file under `Conn.makefile` (socket.SocketIO of the standard library).

    After a timeout it is not read any more, since the buffer above may have lost what it had got before.
    """

    def __init__(self, conn: Conn, mode: str) -> None:
        self._conn = conn
        self._letters = {letter for letter in mode if letter in "rw"}
        self._timed_out = False

    @property
    def mode(self) -> str:
        return "rwb" if len(self._letters) > 1 else f"{''.join(self._letters)}b"

    @property
    def name(self) -> int:
        return -1 if self.closed else self.fileno()

    def readable(self) -> bool:
        self._check()
        return "r" in self._letters

    def writable(self) -> bool:
        self._check()
        return "w" in self._letters

    def readinto(self, buffer: Any) -> int:
        if not self.readable():
            raise io.UnsupportedOperation("not readable")
        if self._timed_out:
            raise OSError("cannot read from timed out object")
        try:
            return self._conn.recv_into(buffer)
        except TimeoutError:
            self._timed_out = True
            raise

    def write(self, data: Any) -> int:
        if not self.writable():
            raise io.UnsupportedOperation("not writable")
        return self._conn.send(data)

    def fileno(self) -> int:
        self._check()
        return self._conn.fileno()

    def _check(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
