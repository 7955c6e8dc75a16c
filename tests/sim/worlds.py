"""The worlds of a simulation, and simulations whose traces are checked."""

from __future__ import annotations

from typing import Any

import mpg

LIKES = ("go", "host", "host-gil")


def simulate(main: Any, **knobs: Any) -> Any:
    result = mpg.simulate(main, **knobs)
    if knobs.get("trace", True):
        result.trace.validate()
    return result
