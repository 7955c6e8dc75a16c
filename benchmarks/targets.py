"""What is measured and what it should come to, as data: one `Row` is one line of the table.

A row compares `ours` with `peer` (the ratio ours/peer is held to `limit`), or, without a peer, holds the measured
value itself to `limit`. A row without a limit is there to be read. The limits are for CPython 3.13 with the GIL;
the ratios compare measurements of one run on one machine.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    bench: str  # what the command line calls it, and what is measured together
    metric: str  # which of the benchmark's figures
    unit: str
    peer: str | None = None
    sense: str = "<="  # how the ratio, or without a peer the value, should compare with the limit
    limit: float | None = None
    ours: str = "mpg"

    def met(self, figure: float) -> bool | None:
        """Whether the ratio or value meets the limit; None if there is none to meet."""
        if self.limit is None:
            return None
        return {"<=": figure <= self.limit, "<": figure < self.limit, ">=": figure >= self.limit}[self.sense]


# Contenders, in the order in which one repetition measures them. "mpg" runs with one P, "mpg4" with four.
CONTENDERS: dict[str, tuple[str, ...]] = {
    "switch": ("mpg", "gevent", "asyncio"),
    "spawn": ("mpg", "gevent", "asyncio"),
    "roundtrip": ("mpg", "gevent", "asyncio"),
    "buffered": ("mpg", "gevent", "asyncio"),
    "echo": ("mpg", "gevent", "uvloop", "go", "asyncio", "mpg4"),
    "stall": ("mpg", "mpg4"),
    "parked": ("mpg",),
    "million": ("mpg",),
}

GROUPS: dict[str, tuple[str, ...]] = {
    "micro": ("switch", "spawn", "roundtrip", "buffered"),
    "memory": ("parked", "million"),
    "all": tuple(CONTENDERS),
}

ABOUT: dict[str, str] = {
    "switch": "gosched between two G's; gevent.sleep(0); asyncio.sleep(0)",
    "spawn": "start and finish an empty G; gevent.spawn; asyncio.create_task",
    "roundtrip": "there and back over two unbuffered channels; gevent's Channel; asyncio.Queue(1)",
    "buffered": "one item through a buffer of 100; gevent's Queue; asyncio.Queue",
    "echo": "64 bytes there and back, 50 connections: the server's CPU time and the throughput",
    "stall": "echo throughput of four P's, also after one handler held its thread for 100 ms",
    "parked": "resident memory of a G that waits in recv_ok",
    "million": "a million short G's: CPU time and growth of resident memory",
}

ROWS: tuple[Row, ...] = (
    Row("switch", "cpu", "us", "gevent", limit=1 / 2.5),
    Row("switch", "cpu", "us", "asyncio"),
    Row("spawn", "cpu", "us", "gevent", limit=1 / 10),
    Row("spawn", "cpu", "us", "asyncio", limit=1 / 1.5),
    Row("roundtrip", "cpu", "us", "gevent", limit=1 / 2.5),
    Row("roundtrip", "cpu", "us", "asyncio"),
    Row("buffered", "cpu", "us", "gevent"),
    Row("buffered", "cpu", "us", "asyncio", limit=1 / 1.3),
    Row("echo", "cpu", "us", "gevent", limit=0.65),
    Row("echo", "cpu", "us", "uvloop", limit=1.05),
    Row("echo", "cpu", "us", "go", limit=1.35),
    Row("echo", "cpu", "us", "asyncio"),
    Row("echo", "cpu", "us", "mpg", ours="mpg4"),
    Row("echo", "rate", "req/s", "gevent"),
    Row("echo", "rate", "req/s", "uvloop"),
    Row("echo", "rate", "req/s", "go"),
    Row("echo", "rate", "req/s", "asyncio"),
    Row("echo", "rate", "req/s", "mpg", ">=", 0.9, ours="mpg4"),
    Row("stall", "rate", "req/s", "mpg", ">=", 0.9, ours="mpg4"),
    Row("stall", "after", "req/s", "mpg", ">=", 0.9, ours="mpg4"),
    Row("parked", "rss", "B/G", limit=8192),
    Row("million", "cpu", "s", sense="<", limit=5),
    Row("million", "growth", "MB", sense="<", limit=50),
)
