"""Mutex, with Go's normal and starvation mode (Go: internal/sync/mutex.go)."""

from __future__ import annotations

from ..current import tls
from ..errors import SyncPanic
from ..status import MUTEX_LOCK
from .sema import Sema

__all__ = ["Mutex"]

STARVATION_NS = 1_000_000  # Go: starvationThresholdNs


class Mutex:
    """Mutual exclusion with Go's two modes: barging while waits are short, strict FIFO after 1 ms.

    Not tied to a G: another may unlock it. A context manager.
    """

    __slots__ = ("_locked", "_sema", "_starving", "_waiters", "_woken")

    def __init__(self) -> None:
        self._sema = Sema("Mutex")
        self._locked = False
        self._starving = False
        self._woken = False  # a waiter is up and competes: unlock need not wake another
        self._waiters = 0

    def lock(self) -> None:
        """Lock, waiting while it is locked."""
        s = self._sema
        mp = s.begin()
        if not self._locked and not self._starving:
            self._locked = True
            s.lock.append(None)
            return
        self._waiters += 1
        since = mp.now()
        starving = again = False
        while True:
            try:
                s.acquire_locked(MUTEX_LOCK, front=again)
            except BaseException:
                s.take()
                self._waiters -= 1
                s.lock.append(None)
                raise
            again = True
            starving = starving or tls.m.now() - since > STARVATION_NS
            s.take()
            if self._starving:  # it was handed to us
                self._waiters -= 1
                if not starving or not self._waiters:
                    self._starving = False
                self._locked = True
                break
            self._woken = False
            if not self._locked:
                self._locked = True
                break
            self._waiters += 1
            if starving:
                self._starving = True
        s.lock.append(None)

    def try_lock(self) -> bool:
        """Lock if that needs no waiting."""
        s = self._sema
        s.begin()
        free = not self._locked and not self._starving
        if free:
            self._locked = True
        s.lock.append(None)
        return free

    def unlock(self) -> None:
        """Unlock.

        Raises:
            SyncPanic: "sync: unlock of unlocked mutex".
        """
        s = self._sema
        s.begin(gives=True)
        if s.lost is not None and s.lost_by_us():
            return
        if not self._locked:
            s.lock.append(None)
            raise SyncPanic("sync: unlock of unlocked mutex")
        self._locked = False
        if self._starving:
            s.release_locked(handoff=True)
        elif self._waiters and not self._woken:
            self._waiters -= 1
            self._woken = True
            s.release_locked()
        else:
            s.lock.append(None)

    def __enter__(self) -> None:
        self.lock()

    def __exit__(self, *exc: object) -> None:
        self.unlock()
