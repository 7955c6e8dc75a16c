"""The M of the current thread, and how an ordinary thread takes part.

`tls.m` is the one thread-local that mpg reads: once per operation (60 ns), then everything is reached from
the M. A thread that runs no M finds `PLAIN` there, an M-like object without a `curg`; every primitive works
on such a thread by blocking it. A simulation rewrites `tls.m` each time it resumes a virtual M.

Primitives take their lock from here, so that it belongs to the world they are created in.

Besides the ports this is the only module that imports `_thread` and `threading`.
"""

from __future__ import annotations

import sys
import threading
from _thread import allocate_lock, interrupt_main
from random import Random
from time import monotonic_ns, sleep, thread_time_ns
from types import CodeType
from typing import TYPE_CHECKING, Any

from .errors import MpgError
from .status import GRUNNING, GWAITING

if TYPE_CHECKING:
    from .sched.structs import Sched

__all__ = [
    "HOST_WORLD",
    "PLAIN",
    "PlainG",
    "TokenLock",
    "host_lock",
    "inside_operation",
    "is_ours",
    "new_lock",
    "note_foreign",
    "runs",
    "tls",
    "user_calls",
    "world_error",
]

#: Worlds are small ints, which free-threaded builds never count references of.
HOST_WORLD = 0

#: The code of functions of mpg that call the user's with no lock held: there a signal handler may raise.
user_calls: set[CodeType] = set()

#: The runs now going on in this process, by id: so that a primitive can find the run it was made in.
runs: dict[int, Sched] = {}


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
        gp: PlainG | None = tls.g
        if gp is None:
            gp = tls.g = PlainG()
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


class _Tls(threading.local):
    """No defaults on the class: each read would count references of them, and free-threaded M's meet there."""

    m: Any
    g: Any
    call: Any  # what a spare M makes just now

    def __init__(self) -> None:
        self.m = PLAIN
        self.g = None
        self.call = None


_PLAIN_HOME = PlainHome()
PLAIN = PlainM()
tls = _Tls()


def is_ours(frame: Any) -> bool:
    """Is this a frame of mpg?"""
    return str(frame.f_globals.get("__name__", "")).startswith("mpg.")


def inside_operation() -> bool:
    """Has the operation that calls this interrupted another one, in a signal handler or `__del__`?

    The frames below are the operation's own, then the program's, then those of mpg that called the program: to run it
    (`user_calls`), or because the interpreter ran a handler in the middle of them.
    """
    frame: Any = sys._getframe(1)
    while frame is not None and is_ours(frame):
        frame = frame.f_back
    while frame is not None and not is_ours(frame):
        frame = frame.f_back
    return frame is not None and frame.f_code not in user_calls


host_lock = allocate_lock  # a lock between threads, whatever world this is


class TokenLock(list[None]):
    """A lock as a one-slot list: whoever pops the token has the lock, and appends it again.

    Both are single atomic operations of the list. Where each nanosecond counts they are written out, `pop()` with
    `acquire_slow` for the IndexError: 50 ns the pair, against 130 to 200 for a `_thread.lock`. Who finds the lock taken
    sleeps for microseconds and tries again: it is held for less than one.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__((None,))

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        end = monotonic_ns() + timeout * 1e9
        pause = 0.0
        while True:
            try:
                self.pop()
                return True
            except IndexError:
                if not blocking or (timeout >= 0 and monotonic_ns() >= end):
                    return False
            sleep(pause)
            pause = min(2 * pause or 1e-6, 1e-3)

    def release(self) -> None:
        self.append(None)

    def __enter__(self) -> bool:
        try:
            self.pop()
        except IndexError:
            from .locks import acquire_slow

            acquire_slow(self)
        return True

    def __exit__(self, *exc: object) -> None:
        self.append(None)


def new_lock() -> Any:
    """A lock for a primitive of the world that the caller runs in (`port.TokenLock`)."""
    sched = tls.m.sched
    return TokenLock() if sched is None else sched.port.new_token_lock()


def note_foreign(obj: Any) -> None:
    """An ordinary thread uses `obj`: it may do so again, so no deadlock of those who wait for it is certain."""
    obj.plain_used = True
    sched = runs.get(obj.run_id)
    if sched is not None:
        sched.plain_used = True


def world_error(what: object) -> MpgError:
    """The error for a primitive that is used outside of the world it was created in."""
    return MpgError(f"{what!r} belongs to another world: a primitive is used where it was created")
