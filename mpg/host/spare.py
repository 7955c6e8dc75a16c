"""Spare M's: threads without a P that make blocking calls for G's.

Started on demand, kept for the next call, LIFO so that unused ones stay cold; beyond the limit calls wait
FIFO. DNS has a pool of its own, so that slow name servers do not starve everything else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Any

from ..current import tls, user_calls
from ..sched.policy import MAX_SPARES

__all__ = ["SpareMs", "join"]


LOOK = 0.05  # seconds


def join(thread: threading.Thread, deadline: float) -> None:
    """Wait for a thread, but not beyond `deadline`, on the clock of `time.monotonic`.

    In slices: a signal that reaches the process on another thread does not end the sleep of the main thread, which
    alone runs its handler.
    """
    while thread.is_alive() and (left := deadline - monotonic()) > 0:
        thread.join(min(left, LOOK))


class SpareM:
    """One spare M."""

    def __init__(self, pool: SpareMs, index: int) -> None:
        self.pool = pool
        self.call: Callable[[Any], None] | None = None
        self.pen: Any = None  # what it writes with, if anybody records
        self.note = threading.Lock()
        self.note.acquire()
        self.thread = threading.Thread(
            target=Context().run, args=(self.loop,), name=f"mpg-{pool.name}-{index}", daemon=True
        )

    def loop(self) -> None:
        call = self.call
        while call is not None:
            tls.call = call
            call(self)
            tls.call = None  # an idle thread keeps nothing alive
            if self.pen is not None:
                self.pen.owner.threads[self.pen.m] = threading.get_native_id()
            call = self.pool.next_call(self)


class SpareMs:
    """A pool of spare M's."""

    def __init__(self, name: str, limit: int = MAX_SPARES) -> None:
        self.name = name
        self.limit = limit
        self.lock = threading.Lock()
        self.idle: list[SpareM] = []
        self.all: list[SpareM] = []
        self.queue: deque[Callable[[Any], None]] = deque()
        self.closed = False

    def submit(self, call: Callable[[Any], None]) -> None:
        """Have a spare M make `call`, which must not raise. After `close` it is not made: its G is being unwound."""
        with self.lock:  # also while the thread starts, or `close` would neither wait for it nor name it
            if self.closed:
                return
            if self.idle:
                spare = self.idle.pop()
                spare.call = call
                spare.note.release()
                return
            if len(self.all) < self.limit:
                spare = SpareM(self, len(self.all))
                spare.call = call
                try:
                    spare.thread.start()
                except RuntimeError:  # the system refuses a thread: queue behind those we have, if any
                    if not self.all:
                        raise
                else:
                    self.all.append(spare)
                    return
            self.queue.append(call)

    def next_call(self, spare: SpareM) -> Callable[[Any], None] | None:
        """Wait for the next call of an idle spare M; None: it is to end."""
        with self.lock:
            if self.queue:
                spare.call = self.queue.popleft()
                return spare.call
            spare.call = None  # before it is in the list: whoever takes it from there fills it
            if self.closed:
                return None
            self.idle.append(spare)
        spare.note.acquire()
        return spare.call

    def close(self, deadline: float) -> list[str]:
        """End the idle ones, wait for the busy ones until `deadline`; returns what is still in progress."""
        with self.lock:
            self.closed = True
            self.queue.clear()
            for spare in self.idle:
                spare.note.release()
            self.idle.clear()
        for spare in self.all:
            join(spare.thread, deadline)
        return [repr(spare.call) for spare in self.all if spare.thread.is_alive() and spare.call is not None]


# A second Ctrl-C need not wait for those who do not end.
user_calls.update((SpareMs.close.__code__, join.__code__))
