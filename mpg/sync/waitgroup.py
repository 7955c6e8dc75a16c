"""WaitGroup (Go: sync/waitgroup.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..current import user_calls
from ..errors import Goexit, SyncPanic, Unwind
from ..goroutine import spawn
from ..status import WAITGROUP_WAIT
from .sema import Sema

__all__ = ["WaitGroup"]


class WaitGroup:
    """Waits for a number of G's to finish."""

    __slots__ = ("_n", "_sema")

    def __init__(self) -> None:
        self._sema = Sema("WaitGroup")
        self._n = 0

    def add(self, n: int = 1) -> None:
        """Add to the counter; at zero everybody in `wait` goes on.

        Raises:
            SyncPanic: "sync: negative WaitGroup counter".
            TypeError: `n` is no int.
        """
        if not isinstance(n, int):
            raise TypeError(f"a WaitGroup counts in ints, not {type(n).__name__}")
        s = self._sema
        s.begin(gives=n < 0)
        if self._n + n < 0:
            s.lock.release()
            raise SyncPanic("sync: negative WaitGroup counter")
        self._n += n
        if self._n:
            s.lock.release()
        else:
            s.wake_all_locked(s.q)

    def done(self) -> None:
        """One has finished: `add(-1)`."""
        self.add(-1)

    def wait(self) -> None:
        """Wait until the counter is zero.

        Raises:
            SyncPanic: the WaitGroup was reused before this wait had returned.
        """
        s = self._sema
        s.begin()
        if not self._n:
            s.lock.release()
            return
        s.wait_locked(s.q, WAITGROUP_WAIT)
        if self._n:
            raise SyncPanic("sync: WaitGroup is reused before previous Wait has returned")

    def go(self, fn: Callable[..., Any], *args: Any) -> Any:
        """`add(1)`, then run `fn(*args)` in a new G that calls `done` at its end; returns the G.

        As in Go, a function that fails does not count as done: its failure ends the run.
        """
        if not callable(fn):
            raise TypeError(f"WaitGroup.go needs a function, not {type(fn).__name__}")
        self.add(1)
        try:
            return spawn(2, Counted(fn, self), *args)
        except BaseException:
            self.add(-1)
            raise


class Counted:
    """What such a G runs: `func`, whose name it bears, and then `done`."""

    __slots__ = ("func", "wg")

    def __init__(self, func: Callable[..., Any], wg: WaitGroup) -> None:
        self.func = func
        self.wg = wg

    def __call__(self, *args: Any) -> None:
        try:
            self.func(*args)
        except (Goexit, Unwind):
            self.wg.done()
            raise
        self.wg.done()


user_calls.add(Counted.__call__.__code__)
