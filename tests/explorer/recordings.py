"""Models: somebody looks at a recording while M's write it."""

from __future__ import annotations

from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
from explorer.modelling import model, sysmon_does, take_and_hand_off

import mpg
from mpg.current import tls
from mpg.explorer import pause, point, thread, window
from mpg.trace import Recorder, flight
from mpg.trace import events as ev
from mpg.trace.pen import Pen
from mpg.trace.stream import Stream
from mpg.trace.unfold import kinds, written


def recorded() -> Recorder:
    """A recorder of everybody, from now on. Every look at the clock takes a nanosecond: time stands still here."""
    rec = Recorder()
    now = partial(next, count(1))
    sched = tls.m.sched
    sched.new_rec = lambda mp: rec.pen(mp.id, now)
    for mp in sched.allm:
        mp.rec = rec.pen(mp.id, now)
        if mp.p is not None:
            mp.rec.acquire(mp, mp.p)
    return rec


@model("host", procs=1)
def taken_against_snapshot() -> None:
    """The P of a call is taken, and its M comes back and writes that it has none: a snapshot has both, or the cause."""
    rec, found, taken = recorded(), list[int](), Pen.taken
    pp = tls.m.p
    mpg.go(int)  # somebody wants the P

    def slowly(pen: Pen, *args: Any) -> None:
        point()
        taken(pen, *args)

    def look() -> None:
        point()
        last = flight.whole_until(rec)
        point()
        records = [flight.records_until(stream, last) for stream in rec.streams]
        found.extend(kinds(np.concatenate(records, axis=1)).tolist())

    with mock.patch.object(Pen, "taken", slowly):
        with window():
            thread(look)
            sysmon_does(lambda sched: take_and_hand_off(sched, pp))
            with mpg.blocking():
                pass
        pause()
    assert ev.ProcSteal in found or ev.GoSyscallEndBlocked not in found


class Shared(list[int]):
    """A list that another M looks at: it can be anywhere before an operation on it."""

    def append(self, number: int) -> None:
        point()
        super().append(number)

    def extend(self, numbers: Any) -> None:
        point()
        super().extend(numbers)

    def __iadd__(self, numbers: Any) -> Shared:
        point()
        super().extend(numbers)
        return self

    def copy(self) -> list[int]:
        point()
        return super().copy()


@model("host", procs=1)
def batch_against_snapshot() -> None:
    """Two looks at the poller find three G's each, one of which logs something; a snapshot has what came first."""
    stream = Stream()
    stream.rows, stream.loose = Shared(), Shared()
    pen = Pen(Recorder(), 0, partial(next, count(1)), stream)
    pp = SimpleNamespace(id=0, ring=(), runnext=(), nexttick=0)
    mp: Any = SimpleNamespace(p=pp, curg=None, gq=(), next=None, fifo=True, polled=0, spinning=False)
    pen.acquire(mp, pp)
    found: list[Any] = []

    def look() -> None:
        point()
        found.append(written(stream))

    def serve(*ids: int) -> None:
        gps = [SimpleNamespace(id=g, waiting=SimpleNamespace(seq=g)) for g in ids]
        mp.lq = gps
        pen.polled(mp, gps)
        pen.start(mp, gps[0])
        assert pen.foretold is not None
        pen.stamp(pen.now())
        pen.simple(mp, ev.Log, 0, 0)
        pen.stamp(pen.now())
        pen.end(mp, gps[-1])

    with window():
        thread(look)
        serve(1, 2, 3)
        serve(4, 5, 6)
    pause()
    (part,) = found
    whole = written(stream)
    assert part.T.tolist() == whole.T.tolist()[: part.shape[1]]
