"""Models: somebody looks at a recording while M's write it."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any
from unittest import mock

import numpy as np
from explorer.modelling import model, sysmon_does, take_and_hand_off

import mpg
from mpg.current import tls
from mpg.explorer import pause, point, thread, window
from mpg.trace import Recorder, flight
from mpg.trace.events import GoSyscallEndBlocked, ProcSteal
from mpg.trace.pen import Pen


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
        rows = [flight.rows_until(stream, last) for stream in rec.streams]
        found.extend(flight.kinds(np.concatenate(rows)).tolist())

    with mock.patch.object(Pen, "taken", slowly):
        with window():
            thread(look)
            sysmon_does(lambda sched: take_and_hand_off(sched, pp))
            with mpg.blocking():
                pass
        pause()
    assert ProcSteal in found or GoSyscallEndBlocked not in found
