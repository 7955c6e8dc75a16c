"""The M that an operation is on, and what a primitive takes from the world it is made in.

An operation asks once which M it is on, then everything is reached from that. There are two places to look:

* `tls.m`, a thread-local. A thread that runs no M finds `plain.PLAIN` there. A simulation rewrites `tls.m` each time
  it resumes a virtual M.
* `getcurrent().mpg_m`, on a carrier: it knows the M that it is on. That takes half the time (20 ns against 45), and
  free-threaded M's do not meet in a lock of the interpreter, as they do at a thread-local of a class of our own.
  Whoever is on no carrier gets an AttributeError. The operations where each nanosecond counts try it first.

Primitives take their lock from here, so that it belongs to the world they are created in.

Besides the worlds and `plain` this is the only module that imports `_thread`, `threading` and `greenlet`.
"""

from __future__ import annotations

import sys
import threading
from _thread import allocate_lock
from collections.abc import Callable
from time import monotonic_ns, sleep
from types import CodeType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent as _getcurrent
from greenlet import greenlet

from .errors import MpgError
from .plain import PLAIN

if TYPE_CHECKING:
    from .sched.schedt import Sched

__all__ = [
    "Carrier",
    "TokenLock",
    "getcurrent",
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

#: The code of functions of mpg that call the user's with no lock held: there a signal handler may raise.
user_calls: set[CodeType] = set()

#: The runs now going on in this process, by id: so that a primitive can find the run it was made in.
runs: dict[int, Sched] = {}


class _Tls(threading.local):
    """No defaults on the class: each read would count references of them, and free-threaded M's meet there."""

    m: Any
    call: Any  # what a spare M makes just now

    def __init__(self) -> None:
        self.m = PLAIN
        self.call = None


class Carrier(greenlet):
    """A stack that G's run on, one after another (`sched.stacks`), and the M that it is on now."""

    __slots__ = ("mpg_m",)  # a name that nobody else gives to an attribute of a greenlet

    mpg_m: Any

    def __init__(self, run: Any, mp: Any) -> None:
        super().__init__(run, mp.g0)
        self.mpg_m = mp


tls = _Tls()

#: The greenlet that calls it.
getcurrent: Callable[[], Any] = _getcurrent


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
