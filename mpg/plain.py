"""How an ordinary thread takes part.

It has no M. What it finds in place of one, `PLAIN`, is M-like and without a `curg`: every primitive works on such a
thread by blocking it. In wait lists a `PlainG` stands for the thread.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock, interrupt_main, start_new_thread
from collections.abc import Callable
from random import Random
from time import monotonic_ns, sleep, thread_time_ns
from typing import Any

from .status import GRUNNING, GWAITING

__all__ = ["HOST_WORLD", "PLAIN", "PlainG", "forget_waits"]

#: Worlds are small ints, which free-threaded builds never count references of.
HOST_WORLD = 0


class PlainG:
    """Stands for an ordinary thread in wait lists. `ready` releases its note instead of queueing it."""

    __slots__ = (
        "atomicstatus",
        "home",
        "id",
        "name",
        "note",
        "posted",
        "sg",
        "waiting",
        "waitreason",
        "wake_exc",
    )

    def __init__(self) -> None:
        self.id = 0
        self.name = threading.current_thread().name
        self.home = _PLAIN_HOME
        self.note = allocate_lock()
        self.note.acquire()
        self.posted = False  # the note has been released since the last wait began
        self.atomicstatus = GRUNNING
        self.waitreason = ""
        self.waiting: Any = None
        self.wake_exc: BaseException | None = None
        self.sg: Any = None


class PlainHome:
    """What `G.home` is for a PlainG: where its wake-ups are posted."""

    __slots__ = ()

    rec = None
    sched = None

    def post(self, gp: PlainG) -> None:
        gp.note.release()
        gp.posted = True


class PlainM:
    """What `tls.m` is on a thread without an M."""

    __slots__ = ()

    world = HOST_WORLD
    id = -1
    attn = True
    curg = None
    p = None
    rec = None
    sched = None
    turns = 0

    @property
    def run_id(self) -> int:
        """Says of an object that it was created outside of every run, and by which thread."""
        return -threading.get_ident()

    rng = Random()

    def goyield(self, gp: PlainG) -> None:
        """Nobody to yield to: the system schedules this thread."""

    def getg(self, lock: Any = None) -> PlainG:
        """This thread's PlainG, for a wait. `lock` is held: an M without a G gives it back, and raises."""
        try:
            gp: PlainG = _mine.g
        except AttributeError:
            gp = _mine.g = PlainG()
        return gp

    def gopark(self, gp: PlainG, lock: Any, reason: str) -> None:
        """Block this thread until `ready(gp)`. `lock.append(None)` first."""
        self.gopark_timed(gp, lock, reason, -1)

    def leave(self, gp: PlainG, lock: Any, reason: str) -> PlainM:
        """As `gopark`, for callers that then switch to what an M's `leave` returns."""
        self.gopark_timed(gp, lock, reason, -1)
        return self

    def switch(self) -> None:
        """This thread has waited already."""

    def gopark_timed(self, gp: PlainG, lock: Any, reason: str, ns: int) -> bool:
        """As `gopark`, for at most `ns` (-1: for ever). True if the time ran out and the wait was withdrawn."""
        gp.waitreason = reason
        gp.atomicstatus = GWAITING
        if gp.posted:  # by one whose wait a signal has ended: nobody else is to be woken by that
            gp.posted = False
            gp.note.acquire(False)
        lock.append(None)
        try:
            if gp.note.acquire(timeout=-1 if ns < 0 else min(ns / 1e9, threading.TIMEOUT_MAX)):
                return False
            if gp.waiting.cancel(gp):
                return True
            gp.note.acquire()
            return False
        except (
            BaseException
        ):  # KeyboardInterrupt out of acquire: withdraw, or else finish what was handed over
            if gp.waiting.cancel(gp):
                raise
            while not gp.posted:  # the note may be ours already: it is the flag that tells
                sleep(0)
            gp.note.acquire(False)
            interrupt_main()
            return False
        finally:
            gp.atomicstatus = GRUNNING
            gp.waiting = None

    def put_off(self, call: Callable[[Any], object]) -> None:
        """This thread must get on first with what `call`, in a signal handler or `__del__`, interrupts."""
        start_new_thread(call, (self,))

    def now(self) -> int:
        return monotonic_ns()

    clock = now

    def sleep(self, ns: int) -> None:
        """Sleep this thread."""
        sleep(ns / 1e9)

    stall = sleep

    def work(self, ns: int) -> None:
        """Use `ns` of this thread's CPU time."""
        end = thread_time_ns() + ns
        while thread_time_ns() < end:
            pass


_PLAIN_HOME = PlainHome()
_mine = threading.local()
PLAIN = PlainM()


def forget_waits() -> None:
    """In a forked child: what this thread waited for has been left to the parent."""
    _mine.__dict__.clear()
