"""The order in which G's run on one P, as recorded from real Go programs with GOMAXPROCS=1.

Each test of it (`test_order_*.py`) is such a program, with Go's order beside it as data. Waiters are numbered as
they came.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.worlds import park

import mpg

#: Whoever is made ready last runs first, the others in the order in which they were made ready.
LAST_FIRST = [4, 0, 1, 2, 3]

Log = list[object]


def parked(fn: Callable[[int], object], n: int = 5) -> list[mpg.G]:
    """`n` G's that have parked in `fn(0)`, `fn(1)` ..., in this order."""
    return [park(fn, who) for who in range(n)]
