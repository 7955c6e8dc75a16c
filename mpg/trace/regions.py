"""Regions, tasks and log lines: what the program itself writes into its trace (Go: runtime/trace, annotation.go).

Without a recorder, and outside a run, they cost one look and do nothing. A task is inherited: it lives in a context
variable, and a G runs in a copy of its creator's context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ..current import tls
from .events import Log, RegionBegin, RegionEnd, TaskBegin, TaskEnd

__all__ = ["log", "region", "task"]

_task: ContextVar[int] = ContextVar("mpg task", default=-1)


def log(text: str) -> None:
    """Write a line into the trace, with the task that it belongs to.

    Raises:
        TypeError: not a str.
    """
    if not isinstance(text, str):
        raise TypeError(f"mpg.trace.log takes a str, not {type(text).__name__}")
    write(Log, text, _task.get())


@contextmanager
def region(name: str) -> Iterator[None]:
    """`with region(name):` a part of what this G does. Regions of one G nest.

    Raises:
        TypeError: not a str.
    """
    if not isinstance(name, str):
        raise TypeError(f"a region's name is a str, not {type(name).__name__}")
    write(RegionBegin, name, -1)
    try:
        yield
    finally:
        write(RegionEnd, name, -1)


@contextmanager
def task(name: str) -> Iterator[int]:
    """`with task(name) as number:` something that several G's do together: those created in it belong to it.

    The number is -1 without a recorder.

    Raises:
        TypeError: not a str.
    """
    if not isinstance(name, str):
        raise TypeError(f"a task's name is a str, not {type(name).__name__}")
    rec = tls.m.rec
    number = -1
    if rec is not None:
        number = next(rec.owner.tasks)
        rec.owner.tasked = _task  # from now on a G that is made in one says so
    before = _task.set(number)
    write(TaskBegin, name, number)
    try:
        yield number
    finally:
        write(TaskEnd, name, number)
        _task.reset(before)


def write(kind: int, text: str, number: int) -> None:
    """One event of the current G."""
    mp = tls.m
    if mp.rec is not None:
        mp.rec.simple(mp, kind, mp.rec.owner.string(text), number)
