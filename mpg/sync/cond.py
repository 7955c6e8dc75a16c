"""Once, Cond and Semaphore (Go: sync/once.go, sync/cond.go; Go's Semaphore is in x/sync)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..current import tls, user_calls
from ..errors import SyncPanic
from ..sched.ready import ready
from ..status import COND_WAIT, SEMACQUIRE
from .mutex import Mutex
from .sema import Sema

__all__ = ["Cond", "Locker", "Once", "Semaphore"]


class Locker(Protocol):
    """What Cond needs of its lock."""

    def lock(self) -> None: ...
    def unlock(self) -> None: ...


class Once:
    """Runs a function once, whoever comes first; the others wait for it."""

    __slots__ = ("_done", "_m")

    def __init__(self) -> None:
        self._done = False
        self._m = Mutex()

    def do(self, fn: Callable[[], Any]) -> None:
        """Call `fn()` unless some `do` has; one that raised counts as done. TypeError: `fn` is no function."""
        if self._done:
            return
        if not callable(fn):
            raise TypeError(f"Once.do needs a function, not {type(fn).__name__}")
        with self._m:
            if not self._done:
                try:
                    fn()
                finally:
                    self._done = True


user_calls.add(Once.do.__code__)


class Cond:
    """A condition variable; `wait`, `signal` and `broadcast` in order of arrival (Go: notifyList).

    Each waiter draws a ticket before it unlocks, so that a signal between unlocking and parking is not lost.
    """

    __slots__ = ("_gone", "_notified", "_sema", "_tickets", "lock")

    def __init__(self, lock: Locker) -> None:
        if not hasattr(lock, "lock") or not hasattr(lock, "unlock"):
            raise TypeError(f"Cond needs a Mutex or RWMutex, not {type(lock).__name__}")
        self.lock = lock
        self._sema = Sema("Cond")
        self._tickets = 0  # the next to give out
        self._notified = 0  # all below have been woken
        self._gone: set[int] = set()  # tickets of waits that were aborted

    def wait(self) -> None:
        """Unlock, wait to be woken, lock again. Check the condition in a loop around it."""
        s = self._sema
        s.begin()
        ticket = self._tickets
        self._tickets += 1
        s.lock.release()
        try:
            self.lock.unlock()
        except BaseException:
            self._give_back(ticket)
            raise
        try:
            s.take()
            if ticket < self._notified:
                s.lock.release()
            else:
                s.wait_locked(s.q, COND_WAIT, ticket=ticket)
        except BaseException:
            self._give_back(ticket)
            raise
        finally:
            self._lock_again()

    def _lock_again(self) -> None:
        """If that fails, because the run ends, the `with` around `wait` must not unlock what somebody else holds."""
        try:
            self.lock.lock()
        except BaseException:
            sema, gp = getattr(self.lock, "_sema", None), tls.m.curg
            if isinstance(sema, Sema) and gp is not None:
                sema.lose(gp)
            raise

    def _give_back(self, ticket: int) -> None:
        """An aborted wait must not swallow a signal."""
        self._sema.take()
        if ticket >= self._notified:
            self._gone.add(ticket)
        self._sema.lock.release()

    def signal(self) -> None:
        """Wake the G that has waited longest, if any."""
        s = self._sema
        mp = s.begin()
        while self._notified in self._gone:
            self._gone.remove(self._notified)
            self._notified += 1
        if self._notified == self._tickets:
            s.lock.release()
            return
        ticket = self._notified
        self._notified += 1
        sg = s.q.first
        while sg is not None and sg.case != ticket:
            sg = sg.next
        if sg is not None:
            s.q.remove(sg)
        s.lock.release()
        if sg is not None:  # else it has its ticket but does not wait yet, and will see _notified
            ready(mp, sg.g)

    def broadcast(self) -> None:
        """Wake all."""
        s = self._sema
        s.begin()
        self._notified = self._tickets
        self._gone.clear()
        s.wake_all_locked(s.q)


class Semaphore:
    """Up to `n` holders at a time, first come, first served. A context manager.

    Raises:
        ValueError: `n` is negative.
    """

    __slots__ = ("_n", "_sema")

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or n < 0:
            raise ValueError(f"a semaphore's size is a non-negative int, not {n!r}")
        self._sema = Sema("Semaphore")
        self._sema.count = n
        self._n = n

    def acquire(self) -> None:
        """Take one, waiting for it."""
        s = self._sema
        s.begin()
        s.acquire_locked(SEMACQUIRE)  # while anybody waits the count is 0, so nobody overtakes

    def try_acquire(self) -> bool:
        """Take one if that needs no waiting."""
        s = self._sema
        s.begin()
        free = s.count > 0
        if free:
            s.count -= 1
        s.lock.release()
        return free

    def release(self) -> None:
        """Give one back.

        Raises:
            SyncPanic: more releases than acquires.
        """
        s = self._sema
        mp = s.begin(gives=True)
        sg = s.q.dequeue()
        if sg is None:
            if s.count >= self._n:
                s.lock.release()
                raise SyncPanic("sync: release of a Semaphore that nobody holds")
            s.count += 1
            s.lock.release()
            return
        sg.success = True  # handed over
        s.lock.release()
        ready(mp, sg.g)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()
