"""What the arguments of workloads may be: a name means the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..arguments import POSITIVE, POSITIVE_TIME, SHARE, TIME, Rule, check_arguments, one_of, whole

__all__ = ["PARAMS", "check_params"]

COUNT, SOME = whole(0), whole(1)

PARAMS: Final[dict[str, Rule]] = {
    # Trees and graphs.
    "height": COUNT,
    "arity": SOME,
    "node": TIME,
    "jitter": SHARE,
    "nodes": COUNT,
    "edge": SHARE,
    # Plain loads.
    "count": COUNT,
    "shortest": POSITIVE_TIME,
    "longest": POSITIVE_TIME,
    "shorts": COUNT,
    "short": TIME,
    "gap": TIME,
    "length": TIME,
    # Channels.
    "pairs": COUNT,
    "hops": COUNT,
    "producers": SOME,
    "consumers": SOME,
    "items": COUNT,
    "capacity": COUNT,
    "produce": TIME,
    "consume": TIME,
    # Servers.
    "load": POSITIVE,
    "horizon": TIME,
    "service": POSITIVE_TIME,
    "requests": COUNT,
    "block": SHARE,
    "blocked": TIME,
    "how": one_of("blocking", "to_thread", "stall"),
}


def check_params(params: Mapping[str, Any]) -> None:
    """Every workload begins with this, and its `locals()`.

    Raises:
        TypeError, ValueError: an argument is not what it may be.
    """
    check_arguments(PARAMS, params)
