"""How far a long simulation is: one line on stderr, rewritten every second.

Nobody knows how long a program will take, so it is no bar with an end: virtual time, G's, steps per second.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .port import SimPort

__all__ = ["Progress"]

PATIENCE = 3.0  #: seconds before the first line, unless one was asked for
EVERY = 1.0  #: seconds between lines


class Progress:
    """Called with the wall time at each step of the simulation."""

    def __init__(self, port: SimPort, wanted: bool | None) -> None:
        self.port = port
        self.wanted = sys.stderr.isatty() if wanted is None else wanted
        self.began = perf_counter()
        self.due = self.began + (EVERY if wanted else PATIENCE)
        self.width = 0

    def __call__(self, wall: float) -> None:
        if wall < self.due:
            return
        self.due = wall + EVERY
        port = self.port
        rate = port.steps / (wall - self.began)
        line = f"virtual {port.time / 1e9:.6f} s, {port.stats['spawns']} G's made, {rate:,.0f} steps/s"
        self.width = max(self.width, len(line))
        print(f"\r{line:<{self.width}}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away."""
        if self.width:
            print(f"\r{'':<{self.width}}\r", end="", file=sys.stderr, flush=True)
