"""RWMutex (Go: sync/rwmutex.go).

Writers exclude one another with a Mutex. Everything else, the readers that wait for a writer and the writer
that waits for the readers before it, is under the lock of one Sema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import SyncPanic
from ..sched.waitq import WaitQ
from ..status import RWMUTEX_LOCK, RWMUTEX_RLOCK
from .mutex import Mutex
from .sema import Sema

__all__ = ["RWMutex"]


class RWMutex:
    """Many readers or one writer; a waiting writer keeps later readers out, and they alternate."""

    __slots__ = ("_readers", "_sema", "_to_leave", "_w", "_writer", "_writer_q")

    def __init__(self) -> None:
        self._w = Mutex(RWMUTEX_LOCK)
        self._sema = Sema("RWMutex")  # its queue holds the readers
        self._writer_q = WaitQ()
        self._readers = 0  # active and waiting
        self._to_leave = 0  # readers that the waiting writer waits for
        self._writer = False  # a writer is waiting or active

    def rlock(self) -> None:
        """Lock for reading."""
        s = self._sema
        s.begin()
        self._readers += 1
        if not self._writer:
            s.lock.release()
            return
        try:
            s.wait_locked(s.q, RWMUTEX_RLOCK)
        except BaseException:
            s.take()
            self._readers -= 1
            s.lock.release()
            raise

    def runlock(self) -> None:
        """Undo one `rlock`.

        Raises:
            SyncPanic: "sync: RUnlock of unlocked RWMutex".
        """
        s = self._sema
        s.begin()
        if not self._readers or (self._writer and not self._to_leave):
            s.lock.release()
            raise SyncPanic("sync: RUnlock of unlocked RWMutex")
        self._readers -= 1
        if self._writer:
            self._to_leave -= 1
        if self._writer and not self._to_leave:
            s.wake_all_locked(self._writer_q)
        else:
            s.lock.release()

    def lock(self) -> None:
        """Lock for writing."""
        self._w.lock()
        s = self._sema
        s.take()
        self._writer = True
        self._to_leave = self._readers
        if not self._readers:
            s.lock.release()
            return
        try:
            s.wait_locked(self._writer_q, RWMUTEX_LOCK)
        except BaseException:
            s.take()
            self._let_readers_in()
            raise

    def try_lock(self) -> bool:
        """Lock for writing if that needs no waiting."""
        if not self._w.try_lock():
            return False
        s = self._sema
        s.take()
        free = not self._readers
        self._writer = free
        s.lock.release()
        if not free:
            self._w.unlock()
        return free

    def unlock(self) -> None:
        """Unlock for writing: the readers that wait go first.

        Raises:
            SyncPanic: "sync: Unlock of unlocked RWMutex".
        """
        s = self._sema
        s.begin()
        if not self._writer:
            s.lock.release()
            raise SyncPanic("sync: Unlock of unlocked RWMutex")
        self._let_readers_in()

    def _let_readers_in(self) -> None:
        """The writer leaves; with the lock held, returns with it released."""
        self._writer = False
        self._to_leave = 0
        self._sema.wake_all_locked(self._sema.q)
        self._w.unlock()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """`with rw.reading():` holds it for reading."""
        self.rlock()
        try:
            yield
        finally:
            self.runlock()

    def __enter__(self) -> None:
        self.lock()

    def __exit__(self, *exc: object) -> None:
        self.unlock()
