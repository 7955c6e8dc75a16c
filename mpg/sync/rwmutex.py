"""RWMutex (Go: sync/rwmutex.go).

Writers exclude one another with a Mutex. Everything else, the readers that wait for a writer and the writer
that waits for the readers before it, is under the lock of one Sema.

Readers enter by its count, as in Go: an unlock gives one turn to each reader that waits and wakes them, but a turn
belongs to nobody. One that comes by while the next writer already waits may take it; the one that was woken for it
then queues again, at the tail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..current import tls
from ..errors import SyncPanic
from ..sched.ready import ready
from ..sched.waitq import WaitQ
from ..status import RWMUTEX_LOCK, RWMUTEX_RLOCK
from .mutex import Mutex
from .sema import Sema

__all__ = ["RWMutex"]


class RWMutex:
    """Many readers or one writer; a waiting writer keeps later readers out, and they alternate."""

    __slots__ = ("_all_left", "_let_in", "_readers", "_sema", "_to_leave", "_w", "_writer", "_writer_q")

    def __init__(self) -> None:
        self._w = Mutex()
        self._sema = Sema("RWMutex")  # its queue and its count are the readers'
        self._writer_q = WaitQ()
        self._all_left = 0  # the count for that queue
        self._readers = 0  # active and waiting
        self._let_in = 0  # how often readers were given their turns
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
        let_in = self._let_in
        try:
            s.acquire_locked(RWMUTEX_RLOCK)
        except BaseException:
            s.take()
            if self._let_in != let_in and s.count:  # its turn came meanwhile, and must not stay behind
                s.count -= 1
                self._leave_locked()
            else:
                self._readers -= 1
                s.lock.release()
            raise

    def runlock(self) -> None:
        """Undo one `rlock`.

        Raises:
            SyncPanic: "sync: RUnlock of unlocked RWMutex".
        """
        s = self._sema
        s.begin(gives=True)
        if not self._readers:
            s.lock.release()
            raise SyncPanic("sync: RUnlock of unlocked RWMutex")
        self._leave_locked()

    def _leave_locked(self) -> None:
        """A reader leaves; with the lock held, returns with it released."""
        sg = None
        self._readers -= 1
        if self._writer:
            self._to_leave -= 1
            if not self._to_leave:
                self._all_left += 1
                sg = self._writer_q.dequeue()
        self._sema.lock.release()
        if sg is not None:
            ready(tls.m, sg.g)

    def lock(self) -> None:
        """Lock for writing."""
        self._w.lock()
        s = self._sema
        s.take()
        self._writer = True
        self._to_leave += self._readers
        if not self._readers or not self._to_leave:
            s.lock.release()
            return
        try:
            while not self._all_left:
                s.wait_locked(self._writer_q, RWMUTEX_LOCK)
                s.take()
        except BaseException:
            s.take()
            waiting = self._readers - self._to_leave
            self._to_leave = self._all_left = 0
            self._let_readers_in(waiting)
            raise
        self._all_left -= 1
        s.lock.release()

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
        s.begin(gives=True)
        if s.lost is not None and s.lost_by_us():
            return
        if not self._writer:
            s.lock.release()
            raise SyncPanic("sync: Unlock of unlocked RWMutex")
        self._let_readers_in(self._readers)

    def _let_readers_in(self, n: int) -> None:
        """The writer leaves and `n` readers may enter; with the lock held, returns with it released."""
        self._writer = False
        self._let_in += 1
        s = self._sema
        s.count += n
        woken = []
        while n and (sg := s.q.dequeue()) is not None:
            woken.append(sg.g)
            n -= 1
        s.lock.release()
        mp = tls.m
        for gp in woken:
            ready(mp, gp)
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
