"""What the tests of interruptions share: what a signal handler or finalizer would do, at a place of their choice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from conformance.worlds import is_parked, until

import mpg


class Interruption:
    """Runs `call` once, as a finalizer or a signal handler would: on the thread of the test, when `now` is reached."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.call: Callable[[], object] | None = None
        self.finished = False

    def now(self) -> None:
        if self.call is not None and threading.get_ident() == self.thread:
            call, self.call = self.call, None
            call()
            self.finished = True

    def entering(self, patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        """`now` is the beginning of this function."""
        original = getattr(module, name)

        def interrupted(*args: Any) -> Any:
            self.now()
            return original(*args)

        patch.setattr(module, name, interrupted)


class Inbox(list[Any]):
    """An inbox that is interrupted when its M looks into it, or when it is given a letter."""

    def __init__(self, interruption: Interruption) -> None:
        super().__init__()
        self.interruption = interruption

    def __len__(self) -> int:
        self.interruption.now()
        return super().__len__()

    def append(self, item: Any) -> None:
        self.interruption.now()
        super().append(item)


class Finalized:
    """Calls something when it dies."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call

    def __del__(self) -> None:
        self.call()


def elsewhere(fn: Callable[..., Any], *args: Any) -> Any:
    """Start this on an M that is not ours, which a G has locked, and wait until it has parked. That M."""
    g = mpg.go(fn, *args)
    until(partial(is_parked, g))
    return g.home
