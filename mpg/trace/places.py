"""Who is where: the part of `validate.py` that follows which P an M holds and which G runs on a P and an M.

A place holds one guest or nobody. Each row that fills or empties a place is a step, each row that relies on it a
question; sorted by place and row, all are answered by a look at the step before. So there is no loop over events.

That a P has at most one M needs no step: a P can only be acquired when its state is idle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .events import KINDS
from .lanes import came_home, text

if TYPE_CHECKING:
    from .validate import Check

__all__ = ["UNKNOWN", "check_places", "previous"]

Ints = npt.NDArray[np.int64]

FREE: Final = -1  # nobody there
UNKNOWN: Final = -2
SAME: Final = -3  # what was there stays
ANY: Final = -4  # whatever was there


def previous(check: Check, key: Ints, rows: Ints, value: Ints) -> Ints:
    """What the row before left at the same key; SAME lets that stand. UNKNOWN at first and after Dropped."""
    order = np.argsort(key, kind="stable")
    k, v, epoch = key[order], value[order], check.epoch[rows[order]]
    start = np.ones(len(k), bool)
    start[1:] = (k[1:] != k[:-1]) | (epoch[1:] != epoch[:-1])
    setter = np.maximum.accumulate(np.where(start | (v != SAME), np.arange(len(k)), 0))
    left = np.where(v[setter] == SAME, UNKNOWN, v[setter])
    out = np.full(len(k), UNKNOWN, np.int64)
    out[order[1:]] = np.where(start[1:], UNKNOWN, left[:-1])
    return out


class Places:
    """Who is where: for each P or M, what it holds after each row and what it must have held before."""

    def __init__(self, check: Check, place: str, guest: str) -> None:
        self.check, self.place, self.guest = check, place, guest
        self.parts: list[tuple[Ints, Ints, Ints, Ints]] = []

    def add(self, rows: Ints, key: Ints, value: int | Ints, needs: int | Ints) -> None:
        full = np.broadcast_to
        part = (rows, key, full(np.asarray(value), rows.shape), full(np.asarray(needs), rows.shape))
        keep = key >= 0
        self.parts.append((part[0][keep], part[1][keep], part[2][keep], part[3][keep]))

    def judge(self) -> None:
        rows, key, value, needs = (np.concatenate(columns) for columns in zip(*self.parts, strict=True))
        order = np.argsort(rows, kind="stable")
        rows, key, value, needs = rows[order], key[order], value[order], needs[order]
        check = self.check
        held = previous(check, key, rows, value)
        held = np.where((held == UNKNOWN) & ~check.believed(rows), FREE, held)
        bad = (needs != ANY) & (held != needs) & (held != UNKNOWN)

        def rule(i: int) -> str:
            at = int(np.flatnonzero(bad & (rows == i))[0])
            has, wanted = (
                f"{self.guest} {x}" if x >= 0 else f"no {self.guest}" for x in (held[at], needs[at])
            )
            name = KINDS[int(check.trace.kind[i])].name
            return f"{self.place} {key[at]} has {has}, and {name} needs it to have {wanted}"

        check.fault(rows, bad, rule)


def check_places(check: Check) -> None:
    """Rule 4."""
    trace = check.trace
    p, m, g, a, b, where = trace.p, trace.m, trace.g, trace.a, trace.b, check.where
    start, stop, steal = where(ev.ProcStart), where(ev.ProcStop), where(ev.ProcSteal)
    owned = Places(check, "M", "P")
    elsewhere = (
        ev.ProcStart,
        ev.RunqLen,
        ev.GoStatus,
        ev.ProcStatus,
        255,
    )
    rows = np.flatnonzero((p >= 0) & ~check.among(*elsewhere))
    owned.add(rows, m[rows], SAME, p[rows])
    owned.add(start, m[start], p[start], FREE)
    owned.add(stop, m[stop], FREE, ANY)
    owned.add(steal, b[steal], FREE, a[steal])
    rows = where(ev.ProcStatus)
    rows = rows[b[rows] == st.PRUNNING]
    owned.add(rows, m[rows], a[rows], ANY)
    rest = where(ev.MPark, ev.MExit)
    owned.add(rest, m[rest], SAME, FREE)
    owned.judge()

    on_p, on_m = Places(check, "P", "G"), Places(check, "M", "G")
    call = where(ev.GoSyscallBegin)
    moved = a[call] == text(trace, st.OFFLOADED)
    left = where(ev.GoBlock, ev.GoStop, ev.GoEnd)
    statuses = where(ev.GoStatus)
    statuses = statuses[np.isin(b[statuses], (st.GRUNNING, st.GSYSCALL))]
    for places, key in ((on_p, p), (on_m, m)):
        rows = where(ev.GoStart)
        places.add(rows, key[rows], g[rows], FREE)
        places.add(left, key[left], FREE, g[left])
        places.add(call, key[call], np.where(moved, FREE, SAME), g[call])
        rows = where(ev.GoSyscallEnd)
        places.add(rows, key[rows], SAME, g[rows])
        places.add(statuses, key[statuses], a[statuses], ANY)
    on_p.add(stop, p[stop], FREE, ANY if trace.metadata.get("world") == "go" else FREE)
    on_p.add(steal, a[steal], FREE, ANY)
    rows = where(ev.GoSyscallEndBlocked)
    rows = rows[~came_home(trace, rows)]
    on_m.add(rows, m[rows], FREE, g[rows])
    on_m.add(rest, m[rest], SAME, FREE)
    rows = where(ev.GoCreate, ev.GoUnblock)  # who makes a G runnable is there, and runs
    check.fault(rows, (m[rows] < 0) & (g[rows] >= 0), lambda i: f"G {g[i]} acts, and on no M")
    if not check.exact:
        rows = rows[g[rows] >= 0]
    on_m.add(rows, m[rows], SAME, g[rows])
    on_p.judge()
    on_m.judge()
