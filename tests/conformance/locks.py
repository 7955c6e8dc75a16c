"""What the tests of mpg.sync share: the text of a panic, and a count of those who are inside a lock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import mpg


def panic_text(operation: Callable[[], object]) -> str:
    """The text of the panic that `operation()` ends in."""
    with pytest.raises(mpg.SyncPanic) as caught:
        operation()
    return str(caught.value)


class Crowd:
    """Counts who is inside at the same time; only the lock under test protects its counters."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.visits = 0

    def visit(self) -> None:
        """Go in, let others try, go out."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        mpg.gosched()
        self.visits += 1
        self.inside -= 1
