"""Float seconds of the public API to the integer nanoseconds inside."""

from __future__ import annotations

__all__ = ["FOREVER", "LIMIT", "to_ns"]

LIMIT = 9e9  #: seconds, 285 years; more means the same as for ever
FOREVER = round(LIMIT * 1e9)  #: the same in ns: what every longer time comes to


def to_ns(seconds: float, what: str = "a time in seconds") -> int:
    """Nanoseconds; negative times stay negative, times beyond 285 years mean that.

    Raises:
        TypeError, ValueError: no number, or NaN.
    """
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise TypeError(f"{what} is a number, not {type(seconds).__name__}")
    if -LIMIT < seconds < LIMIT:
        return round(seconds * 1e9)
    if seconds != seconds:
        raise ValueError(f"{what} is not NaN")
    return FOREVER if seconds > 0 else -FOREVER
