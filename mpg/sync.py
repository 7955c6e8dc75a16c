"""mpg.sync: WaitGroup, Mutex, RWMutex, Once, Cond, Semaphore, after Go's sync package (Go: sync, sema.go).

All of them sleep on `Sema`, Go's runtime semaphore with its two ways to release: the plain one lets whoever
comes first take the count, the handing-off one gives it to the longest waiter as a ticket and yields to it.

Each primitive's state is guarded by one lock of its own, which replaces Go's atomics on packed words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from .current import new_lock, tls, world_error
from .errors import SyncPanic
from .locks import acquire_slow
from .sched.proc import checkpoint, ready
from .sched.waitq import Sudog, WaitQ
from .status import COND_WAIT, MUTEX_LOCK, RWMUTEX_LOCK, RWMUTEX_RLOCK, SEMACQUIRE, WAITGROUP_WAIT

__all__ = ["Cond", "Locker", "Mutex", "Once", "RWMutex", "Semaphore", "WaitGroup"]

STARVATION_NS = 1_000_000  # Go: starvationThresholdNs


class Locker(Protocol):
    """What Cond needs of its lock."""

    def lock(self) -> None: ...
    def unlock(self) -> None: ...


class Sema:
    """A counting semaphore with a FIFO of waiters (Go: semacquire1, semrelease1)."""

    __slots__ = ("count", "lock", "owner", "plain_used", "q", "run_id", "world")

    def __init__(self, owner: str) -> None:
        mp = tls.m
        self.world = mp.world
        self.run_id = mp.run_id
        self.plain_used = False
        self.lock = new_lock()
        self.count = 0
        self.q = WaitQ()
        self.owner = owner

    def begin(self) -> Any:
        """The start of every public operation: the current M."""
        mp = tls.m
        if mp.attn:
            checkpoint(mp, self)
            mp = tls.m
        if self.world != mp.world:
            raise world_error(self)
        return mp

    def take(self) -> None:
        """Lock the primitive's state."""
        if not self.lock.acquire(False):
            acquire_slow(self.lock)

    def acquire_locked(self, reason: str, lifo: bool = False) -> None:
        """Take one, waiting for it; called with `lock` held, returns with it released."""
        while True:
            if self.count:
                self.count -= 1
                self.lock.release()
                return
            mp = tls.m
            gp = mp.curg or mp.getg()
            sg = gp.sg
            if sg is None:
                sg = gp.sg = Sudog(gp)
            sg.c = self
            sg.success = False  # becomes true with a ticket
            if lifo:
                self.q.enqueue_front(sg)
            else:
                self.q.enqueue(sg)
            gp.waiting = sg
            mp.gopark(gp, self.lock, reason)
            if sg.success:
                return
            self.take()

    def release_locked(self, handoff: bool = False) -> None:
        """Give one back and wake a waiter; called with `lock` held, returns with it released."""
        self.count += 1
        sg = self.q.dequeue()
        if sg is None:
            self.lock.release()
            return
        if handoff:
            self.count -= 1
            sg.success = True
        self.lock.release()
        mp = tls.m
        ready(mp, sg.g)
        if handoff and mp.curg is not None:
            mp.goyield(mp.curg)

    def __repr__(self) -> str:
        return f"<{self.owner} {id(self):#x}>"


class WaitGroup:
    """Waits for a number of G's to finish."""

    __slots__ = ("_n", "_sema", "_waiters")

    def __init__(self) -> None:
        self._sema = Sema("WaitGroup")
        self._n = 0
        self._waiters = 0

    def add(self, n: int = 1) -> None:
        """Add to the counter; at zero everybody in `wait` goes on.

        Raises:
            SyncPanic: "sync: negative WaitGroup counter".
        """
        s = self._sema
        s.begin()
        s.take()
        if self._n + n < 0:
            s.lock.release()
            raise SyncPanic("sync: negative WaitGroup counter")
        self._n += n
        waiters = 0
        if not self._n:
            waiters, self._waiters = self._waiters, 0
        s.lock.release()
        for _ in range(waiters):
            s.take()
            s.release_locked()

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
        s.take()
        if not self._n:
            s.lock.release()
            return
        self._waiters += 1
        s.acquire_locked(WAITGROUP_WAIT)
        if self._n:
            raise SyncPanic("sync: WaitGroup is reused before previous Wait has returned")

    def go(self, fn: Callable[..., Any], *args: Any) -> Any:
        """`add(1)`, then run `fn(*args)` in a new G that calls `done` at its end; returns the G.

        As in Go, a function that fails does not count as done: its failure ends the run.
        """
        from .goroutine import spawn

        if not callable(fn):
            raise TypeError(f"WaitGroup.go needs a function, not {type(fn).__name__}")
        self.add(1)
        gp = spawn(2, self._run, fn, args)
        gp.name = getattr(fn, "__qualname__", type(fn).__qualname__)
        return gp

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        from .errors import Goexit, Unwind

        try:
            fn(*args)
        except (Goexit, Unwind):
            self.done()
            raise
        self.done()


class Mutex:
    """Mutual exclusion with Go's two modes: barging while waits are short, strict FIFO after 1 ms.

    Not tied to a G: another may unlock it. A context manager.
    """

    __slots__ = ("_locked", "_reason", "_sema", "_starving", "_waiters", "_woken")

    def __init__(self) -> None:
        self._sema = Sema("Mutex")
        self._locked = False
        self._starving = False
        self._woken = False
        self._waiters = 0
        self._reason = MUTEX_LOCK

    def lock(self) -> None:
        """Lock, waiting while it is locked."""
        s = self._sema
        mp = s.begin()
        s.take()
        if not self._locked and not self._starving:
            self._locked = True
            s.lock.release()
            return
        self._waiters += 1
        since = mp.now()
        starving = lifo = False
        while True:
            s.acquire_locked(self._reason, lifo)
            lifo = True
            starving = starving or tls.m.now() - since > STARVATION_NS
            s.take()
            if self._starving:  # it was handed to us, still locked
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
        s.lock.release()

    def try_lock(self) -> bool:
        """Lock if that needs no waiting."""
        s = self._sema
        s.begin()
        s.take()
        free = not self._locked and not self._starving
        if free:
            self._locked = True
        s.lock.release()
        return free

    def unlock(self) -> None:
        """Unlock.

        Raises:
            SyncPanic: "sync: unlock of unlocked mutex".
        """
        s = self._sema
        s.begin()
        s.take()
        if not self._locked:
            s.lock.release()
            raise SyncPanic("sync: unlock of unlocked mutex")
        self._locked = False
        if self._starving:
            s.release_locked(handoff=True)
        elif self._waiters and not self._woken:
            self._waiters -= 1
            self._woken = True
            s.release_locked()
        else:
            s.lock.release()

    def __enter__(self) -> None:
        self.lock()

    def __exit__(self, *exc: object) -> None:
        self.unlock()


class RWMutex:
    """Many readers or one writer; a waiting writer keeps later readers out, and they alternate."""

    __slots__ = ("_readers", "_readers_sema", "_to_leave", "_w", "_writer", "_writer_sema")

    def __init__(self) -> None:
        self._w = Mutex()
        self._w._reason = RWMUTEX_LOCK
        self._readers_sema = Sema("RWMutex")
        self._writer_sema = Sema("RWMutex")
        self._readers = 0  # active and waiting
        self._to_leave = 0  # readers that the waiting writer waits for
        self._writer = False  # a writer is waiting or active

    def rlock(self) -> None:
        """Lock for reading."""
        s = self._readers_sema
        s.begin()
        s.take()
        self._readers += 1
        if self._writer:
            s.acquire_locked(RWMUTEX_RLOCK)
        else:
            s.lock.release()

    def runlock(self) -> None:
        """Undo one `rlock`.

        Raises:
            SyncPanic: "sync: RUnlock of unlocked RWMutex".
        """
        s = self._readers_sema
        s.begin()
        s.take()
        if not self._readers:
            s.lock.release()
            raise SyncPanic("sync: RUnlock of unlocked RWMutex")
        self._readers -= 1
        last = False
        if self._writer:
            self._to_leave -= 1
            last = not self._to_leave
        s.lock.release()
        if last:
            self._writer_sema.take()
            self._writer_sema.release_locked()

    def lock(self) -> None:
        """Lock for writing."""
        s = self._readers_sema
        self._w.lock()
        s.take()
        self._writer = True
        wait = self._to_leave = self._readers
        s.lock.release()
        if wait:
            self._writer_sema.take()
            self._writer_sema.acquire_locked(RWMUTEX_LOCK)

    def try_lock(self) -> bool:
        """Lock for writing if that needs no waiting."""
        if not self._w.try_lock():
            return False
        s = self._readers_sema
        s.take()
        free = not self._readers
        if free:
            self._writer = True
        s.lock.release()
        if not free:
            self._w.unlock()
        return free

    def unlock(self) -> None:
        """Unlock for writing: the readers that wait go first.

        Raises:
            SyncPanic: "sync: Unlock of unlocked RWMutex".
        """
        s = self._readers_sema
        s.begin()
        s.take()
        if not self._writer:
            s.lock.release()
            raise SyncPanic("sync: Unlock of unlocked RWMutex")
        self._writer = False
        waiting = self._readers
        s.lock.release()
        for _ in range(waiting):
            s.take()
            s.release_locked()
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


class Once:
    """Runs a function once, whoever comes first; the others wait for it."""

    __slots__ = ("_done", "_m")

    def __init__(self) -> None:
        self._done = False
        self._m = Mutex()

    def do(self, fn: Callable[[], Any]) -> None:
        """Call `fn()` unless some `do` has; one that raised counts as done."""
        if self._done:
            return
        with self._m:
            if not self._done:
                try:
                    fn()
                finally:
                    self._done = True


class Cond:
    """A condition variable; `wait`, `signal` and `broadcast` in order of arrival (Go: notifyList)."""

    __slots__ = ("_notified", "_sema", "_tickets", "lock")

    def __init__(self, lock: Locker) -> None:
        if not hasattr(lock, "lock") or not hasattr(lock, "unlock"):
            raise TypeError(f"Cond needs a Mutex or RWMutex, not {type(lock).__name__}")
        self.lock = lock
        self._sema = Sema("Cond")
        self._tickets = 0  # the next to give out
        self._notified = 0  # all below have been woken

    def wait(self) -> None:
        """Unlock, wait to be woken, lock again. Check the condition in a loop around it."""
        s = self._sema
        s.begin()
        s.take()
        ticket = self._tickets
        self._tickets += 1
        s.lock.release()
        self.lock.unlock()
        try:
            s.take()
            if ticket < self._notified:
                s.lock.release()
                return
            mp = tls.m
            gp = mp.curg or mp.getg()
            sg = Sudog(gp)
            sg.c = s
            sg.case = ticket
            s.q.enqueue(sg)
            gp.waiting = sg
            mp.gopark(gp, s.lock, COND_WAIT)
        finally:
            self.lock.lock()

    def signal(self) -> None:
        """Wake the G that has waited longest, if any."""
        s = self._sema
        mp = s.begin()
        s.take()
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
        if sg is not None:  # else it has its ticket but is not waiting yet, and will see _notified
            ready(mp, sg.g)

    def broadcast(self) -> None:
        """Wake all."""
        s = self._sema
        mp = s.begin()
        s.take()
        self._notified = self._tickets
        woken = []
        while (sg := s.q.dequeue()) is not None:
            woken.append(sg)
        s.lock.release()
        for sg in woken:
            ready(mp, sg.g)


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
        s.take()
        s.acquire_locked(SEMACQUIRE)  # while anybody waits the count is 0, so nobody overtakes

    def try_acquire(self) -> bool:
        """Take one if that needs no waiting."""
        s = self._sema
        s.begin()
        s.take()
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
        mp = s.begin()
        s.take()
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
