"""What happens when a primitive's lock is not free at once.

Locks are held for a few hundred nanoseconds, so waiting is right, with one exception: a signal handler or a
`__del__` that runs *inside* the critical section of its own thread would wait for itself. So the wait is
timed, and after each 50 ms the frames below are searched for one of mpg's that holds this very lock.

Locks of the scheduler know who has them (`port.OwnedLock`): what makes a G runnable must not raise, or that G would be
lost. It is put off.

Rejected: recording the owner of each lock, which costs every uncontended acquire 40 ns.
"""

from __future__ import annotations

import sys
from typing import Any

from .current import is_ours

__all__ = ["acquire_slow"]

PATIENCE = 0.05  # seconds


def acquire_slow(lock: Any) -> None:
    """Acquire `lock`, which was taken a moment ago.

    Raises:
        RuntimeError: this thread holds it itself.
    """
    while not lock.acquire(True, PATIENCE):
        if held_below(lock):
            raise RuntimeError(
                "an mpg operation in a signal handler or __del__ interrupted another one on the same object, on "
                "the same thread, and would wait for itself; hand the work to a G instead"
            )


def held_below(lock: Any) -> bool:
    """Does a frame of mpg further down this stack work with `lock`, below code that is not mpg's?"""
    frame: Any = sys._getframe(2)
    foreign = False
    while frame is not None:
        if is_ours(frame):
            if foreign:
                for value in list(frame.f_locals.values()):
                    if holds(value, lock):
                        return True
        else:
            foreign = True
        frame = frame.f_back
    return False


def holds(value: Any, lock: Any) -> bool:
    """Is `value` this lock, or something of mpg that is guarded by it? (Others may run their own code when asked.)"""
    if value is lock:
        return True
    if not any(cls.__module__.startswith("mpg.") for cls in type(value).__mro__):
        return False
    if getattr(value, "lock", None) is lock or getattr(value, "_lock", None) is lock:
        return True
    several = getattr(value, "locks", None)  # of a select; an M counts there
    return isinstance(several, list) and any(one is lock for one in several)
