"""Sudog and WaitQ: who waits, in which order, and how a wait is claimed (Go: sudog, waitq).

A wait ends exactly once. Whoever ends it *claims* it first:

* a plain wait is claimed by taking its sudog out of the queue, under the lock that guards the queue;
* a select waits in several queues at once, under several locks; its sudogs share a one-slot `done` cell,
  and the claim is the `pop()` that succeeds (Go: the CAS on g.selectDone).

`cancel` is the same claim made by somebody who has nothing to hand over: a timeout, the end of a run,
Ctrl-C. So none of them can lose an item.

The queue is a doubly linked list, as in Go. Rejected: a deque, because removing one of ten thousand selects
that wait on the same `done` channel would be linear; an OrderedDict, because it is three times the memory.
"""

from __future__ import annotations

from itertools import count
from typing import Any

__all__ = ["Sudog", "WaitQ", "object_seq"]

# Of whatever has a wait queue: select locks in this order, traces tell them apart by it.
object_seq = count(1)


class Sudog:
    """One G in one wait queue. Guarded by the lock of the queue; the G's own again once it has been claimed."""

    __slots__ = ("c", "case", "done", "elem", "g", "next", "prev", "q", "success", "won")

    def __init__(self, g: Any) -> None:
        self.g = g
        self.elem: Any = None
        self.success = False
        self.done: list[None] | None = None
        self.won = False  # this case of its select was claimed
        self.case = 0
        self.next: Sudog | None = None
        self.prev: Sudog | None = None
        self.q: WaitQ | None = None
        self.c: Any = None  # what is waited for; its `lock` guards the queue

    def cancel(self, gp: Any) -> bool:
        """Withdraw a plain wait. False if somebody has claimed it, in which case `ready` follows."""
        lock = self.c.lock  # a local: `locks.held_below` finds it
        with lock:
            if self.q is None:
                return False
            self.q.remove(self)
            return True


class WaitQ:
    """A FIFO of sudogs. Guarded by the lock of its owner."""

    __slots__ = ("first", "last")

    def __init__(self) -> None:
        self.first: Sudog | None = None
        self.last: Sudog | None = None

    def enqueue(self, sg: Sudog) -> None:
        """Go: waitq.enqueue."""
        last = self.last
        if last is None:
            self.first = self.last = sg
        else:
            last.next = sg
            sg.prev = last
            self.last = sg
        sg.q = self

    def enqueue_front(self, sg: Sudog) -> None:
        """In front of everybody, as a Mutex waiter that was woken in vain (Go: queueLifo)."""
        first = self.first
        if first is None:
            self.first = self.last = sg
        else:
            first.prev = sg
            sg.next = first
            self.first = sg
        sg.q = self

    def dequeue(self) -> Sudog | None:
        """The oldest waiter whose claim succeeds, or None (Go: waitq.dequeue)."""
        while True:
            sg = self.first
            if sg is None:
                return None
            nxt = self.first = sg.next
            if nxt is None:
                self.last = None
            else:
                nxt.prev = None
                sg.next = None
            sg.q = None
            if sg.done is None:
                return sg
            try:
                sg.done.pop()
            except IndexError:  # another case of that select was claimed first
                continue
            sg.won = True
            return sg

    def remove(self, sg: Sudog) -> None:
        """Take out `sg` wherever it stands; nothing if it is not here any more (Go: waitq.dequeueSudoG)."""
        if sg.q is not self:
            return
        prev, nxt = sg.prev, sg.next
        if prev is None:
            self.first = nxt
        else:
            prev.next = nxt
        if nxt is None:
            self.last = prev
        else:
            nxt.prev = prev
        sg.prev = sg.next = sg.q = None

    def __len__(self) -> int:
        n, sg = 0, self.first
        while sg is not None:
            n, sg = n + 1, sg.next
        return n
