"""What the tests of G's share: where they are in the source, and ways to wait for ever."""

from __future__ import annotations

from collections.abc import Callable

import mpg


def line_of(fn: Callable[..., object], offset: int = 0) -> str:
    """`file:line` so many lines below the `def` of `fn`."""
    code = fn.__code__  # type: ignore[attr-defined]
    return f"{code.co_filename}:{code.co_firstlineno + offset}"


def stuck(*finally_calls: Callable[[], object]) -> None:
    """Wait for ever; call these while the stack is unwound."""
    try:
        mpg.Chan().recv()
    finally:
        for call in finally_calls:
            call()


#: Ways to wait that nobody ends, by the reason that a G gives.
REASONS: dict[str, Callable[[], object]] = {
    "chan receive": lambda: mpg.Chan().recv(),
    "chan send": lambda: mpg.Chan().send(1),
    "select": lambda: mpg.select(mpg.recv_case(mpg.Chan()), mpg.recv_case(mpg.Chan())),
    "select (no cases)": mpg.select,
    "sleep": lambda: mpg.sleep(60),
}
