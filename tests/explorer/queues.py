"""Models: work and those who look for it, the queues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from explorer.modelling import beside, model

import mpg
from mpg.current import tls
from mpg.explorer import pause, window
from mpg.sched import runq


@contextmanager
def small_rings() -> Iterator[None]:
    """Rings of 4, of which 2 spill."""
    for pp in tls.m.sched.allp:
        pp.bare = min(pp.bare, 4)
    with mock.patch.multiple(runq, RING=4, OVERFLOW=2):
        yield


@model("host", "go")
def spinning_to_parked() -> None:
    """An M that finds nothing goes to sleep, while another makes a G."""
    ran: list[int] = []
    beside(int)  # its M looks for work when it ends, spins, and parks
    with window():
        mpg.go(ran.append, 1)
        pause()
    assert ran == [1]


@model("host", "go")
def global_queue_against_parking() -> None:
    """An M goes to sleep while another yields for a G that computes: the one that has yielded is to run elsewhere."""
    beside(int)
    with window():
        mpg.go(pause)
        mpg.gosched()
        pause()


@model("host", "go")
def steal_against_local_get() -> None:
    """A thief and the owner empty a ring and a runnext; each G runs once."""
    ran: list[int] = []
    wg = mpg.sync.WaitGroup()
    thief = beside(int)
    for i in range(3):
        wg.go(ran.append, i)
    with window():
        wg.wait()
    thief.join()
    assert sorted(ran) == [0, 1, 2]


@model("host")
def steal_against_overflow() -> None:
    """A full ring (here of 4) spills into the global queue while a thief robs it."""
    ran: list[int] = []
    wg = mpg.sync.WaitGroup()
    with small_rings():
        beside(int)
        for i in range(5):
            wg.go(ran.append, i)
        with window():
            wg.go(ran.append, 5)
            wg.wait()
    assert sorted(ran) == list(range(6))


@model("go")
def overflow_where_stacks_move() -> None:
    """The same where any G may be stolen."""
    ran: list[int] = []
    wg = mpg.sync.WaitGroup()
    with small_rings():
        beside(int)
        for i in range(5):
            wg.go(ran.append, i)
        with window():
            wg.go(ran.append, 5)
            pause()
        wg.wait()
    assert sorted(ran) == list(range(6))
