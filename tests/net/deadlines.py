"""What the tests of deadlines share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import mpg

SOON = 0.02  # seconds
LATE = 60.0  # seconds, more than any test takes


def timed(fn: Callable[..., object], *args: Any) -> float:
    """How many seconds `fn(*args)` takes until its TimeoutError."""
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        fn(*args)
    return time.monotonic() - start


def received(conn: mpg.net.Conn) -> bytes | None:
    """What `recv` returns; None if the deadline was sooner."""
    try:
        return conn.recv()
    except TimeoutError:
        return None


def readers(conn: mpg.net.Conn) -> list[Callable[[], object]]:
    return [conn.recv, lambda: conn.recv_into(bytearray(10))]


def writers(conn: mpg.net.Conn) -> list[Callable[[], object]]:
    return [lambda: conn.sendall(b"x"), lambda: conn.send(b"x")]
