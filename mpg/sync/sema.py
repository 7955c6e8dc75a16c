"""Sema: the wait queue under everything in this package (Go: sema.go).

It guards a queue, a count, and the state of the primitive around it with one lock, which replaces Go's atomics
on packed words. Two ways to wait:

* `acquire_locked` takes the count, waiting for it. `release_locked` gives it back and wakes a waiter, which
  competes for it with whoever comes by; with `handoff` the waiter has it, and the releaser yields to it.
* `wait_locked` waits for exactly one `wake`, for primitives that keep their own accounts.

A wait that is aborted (the end of the run, Ctrl-C) has left the queue when it raises; the primitive then
corrects its accounts under the lock.
"""

from __future__ import annotations

from typing import Any

from ..current import getcurrent, inside_operation, new_lock, tls, world_error
from ..locks import acquire_slow
from ..sched.doorbell import checkpoint, giving_back
from ..sched.ready import raise_abort, ready
from ..sched.waitq import Sudog, WaitQ, object_seq

__all__ = ["Sema"]


class Sema:
    """A lock, a count and a FIFO of waiters (Go: semacquire1, semrelease1)."""

    __slots__ = ("count", "lock", "lost", "owner", "plain_used", "q", "run_id", "seq", "world")

    def __init__(self, owner: str) -> None:
        mp = tls.m
        self.world = mp.world
        self.run_id = mp.run_id
        self.plain_used = False
        self.seq = next(object_seq)
        self.lock = new_lock()
        self.count = 0
        self.q = WaitQ()
        self.owner = owner
        self.lost: set[Any] | None = None  # those who should hold it and could not get it again (`Cond.wait`)

    def begin(self, *, gives: bool = False) -> Any:
        """The start of every public operation: the current M, with the lock held.

        `gives`: it gives something back (`doorbell.giving_back`).
        """
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            if gives:
                giving_back(mp, self)
            else:
                checkpoint(mp, self)
            mp = tls.m
        if self.world != mp.world:
            raise world_error(self)
        try:
            self.lock.pop()
        except IndexError:
            acquire_slow(self.lock)
        return mp

    def lose(self, gp: Any) -> None:
        """`gp` has not got back what its caller believes it has: its next unlock is none."""
        self.take()
        self.lost = (self.lost or set()) | {gp}
        self.lock.append(None)

    def lost_by_us(self) -> bool:
        """Is this unlock none? With the lock held, which is given back if so."""
        gp = tls.m.curg
        if self.lost is None or gp not in self.lost:
            return False
        self.lost = self.lost - {gp} or None
        self.lock.append(None)
        return True

    def take(self) -> None:
        """Lock the state again."""
        try:
            self.lock.pop()
        except IndexError:
            acquire_slow(self.lock)

    def wait_locked(self, q: WaitQ, reason: str, *, front: bool = False, ticket: int = 0) -> Sudog:
        """Park in `q` until somebody dequeues and readies us; with the lock held, returns with it released."""
        mp = tls.m
        gp = mp.curg or mp.getg(self.lock)
        sg: Sudog | None = gp.sg
        if sg is None:
            sg = gp.sg = Sudog(gp)
        sg.c = self
        sg.success = False
        sg.case = ticket
        if front:
            q.enqueue_front(sg)
        else:
            q.enqueue(sg)
        gp.waiting = sg
        mp.leave(gp, self.lock, reason).switch()
        if gp.wake_exc is not None:
            raise_abort(gp)
        return sg

    def acquire_locked(self, reason: str, *, front: bool = False) -> None:
        """Take one, waiting for it; with the lock held, returns with it released."""
        while not self.count:
            if self.wait_locked(self.q, reason, front=front).success:
                return  # handed over
            self.take()
        self.count -= 1
        self.lock.append(None)

    def release_locked(self, *, handoff: bool = False) -> None:
        """Give one back and wake a waiter; with the lock held, returns with it released."""
        sg = self.q.dequeue()
        if sg is None or not handoff:
            self.count += 1
        else:
            sg.success = True
        self.lock.append(None)
        if sg is None:
            return
        mp = tls.m
        ready(mp, sg.g)
        if handoff and mp.curg is not None and not inside_operation():
            mp.goyield(mp.curg)

    def wake_all_locked(self, q: WaitQ) -> None:
        """Wake all who wait in `q`, in order; with the lock held, returns with it released."""
        woken = []
        while (sg := q.dequeue()) is not None:
            woken.append(sg.g)
        self.lock.release()
        mp = tls.m
        for gp in woken:
            ready(mp, gp)

    def __repr__(self) -> str:
        return f"<{self.owner} {id(self):#x}>"
