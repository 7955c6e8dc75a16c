"""A trace M by M: what each wrote before and after each row, and which P it held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import events as ev
from .lanes import neighbour

if TYPE_CHECKING:
    from .validate import Check

__all__ = ["Order", "last_row", "since"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Order:
    """What each M wrote before and after each row, and what it held."""

    def __init__(self, check: Check) -> None:
        trace = check.trace
        n = len(trace)
        rows = np.flatnonzero((trace.m >= 0) & ~check.among(ev.GoSite, ev.GoTask))
        m = trace.m[rows]
        small = m.astype(np.int16) if m.max(initial=0) < 1 << 15 else m
        order = np.argsort(small, kind="stable")
        self.rows, self.m = rows[order], m[order]
        rows = self.rows
        self.same = self.m[1:] == self.m[:-1]
        self.before, self.after = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
        self.before[rows[1:]] = np.where(self.same, rows[:-1], -1)
        self.after[rows[:-1]] = np.where(self.same, rows[1:], -1)
        self.first = np.ones(len(rows), bool)
        self.first[1:] = ~self.same
        kind = trace.kind[rows]
        lost = kind == ev.GoSyscallEndBlocked
        lost &= trace.p[rows] < 0
        value = np.where(kind == ev.ProcStart, trace.p[rows], -1)
        told = (kind == ev.ProcStart) | (kind == ev.ProcStop) | lost
        self.holds = np.full(n, -1, np.int64)
        self.holds[rows] = since(value, told, self.first)

    def previous(self, kinds: Bools) -> Ints:
        """For each row the last one of its M before it whose entry in `kinds` (of all rows) is set; -1 if none."""
        out = np.full(len(self.before), -1, np.int64)
        out[self.rows] = since(self.rows, kinds[self.rows], self.first)
        return out


def since(value: Ints, told: Bools, first: Bools) -> Ints:
    """What was told last before each place, within stretches that begin where `first` is set; -1 if nothing was."""
    n = len(value)
    places = np.arange(n)
    last = np.maximum.accumulate(np.where(told, places, -1))
    last = np.concatenate([[-1], last[:-1]])[:n]
    begin = np.maximum.accumulate(np.where(first, places, 0))
    out: Ints = np.where(last >= begin, value[np.maximum(last, 0)], -1)
    return out


def last_row(order: Order, who: Ints, rows: Ints) -> Ints:
    """The last row of each of these M's before these rows."""
    own = neighbour(order.m, order.rows, who, rows)
    out: Ints = np.where(own >= 0, order.rows[own], -1)
    return out
