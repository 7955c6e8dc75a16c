"""What races share: M's that are woken eagerly, seeds that are printed, an end."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import mpg
from mpg.port import HOST

SECONDS = float(os.environ.get("MPG_STRESS_SECONDS", "4"))  # for each test


def seeded() -> random.Random:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    return random.Random(seed)


def run(main: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return mpg.run(main, *args, procs=4, caps=HOST, stall_report=None, **kwargs)


def rounds() -> Iterator[int]:
    """Numbers, for as long as a test may take."""
    end = time.monotonic() + SECONDS
    n = 0
    while time.monotonic() < end:
        yield n
        n += 1
