"""What the M's wrote, put into one causal order.

Each M's records are in order, and by the rule of `pen.py` the clock orders the rest, with one exception: a
park can be seen, and ended, by another M before the switch away from it is recorded. But a G leaves and is
woken in turns. So the k-th wake-up of a G belongs after its k-th leaving, and is moved there, and with it what its
M wrote next. All this is done on whole columns.

Of a run that goes on, what was written up to now is taken, less the events whose cause is not yet there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev

__all__ = ["causal_order"]

Ints = npt.NDArray[np.int64]

LEAVINGS: Final = (ev.GoBlock, ev.GoSyscallBegin)
WAKINGS: Final = (ev.GoUnblock, ev.GoSyscallEnd, ev.GoSyscallEndBlocked)
TURNS: Final = 100  # rounds of moving; each settles at least the earliest conflict


def causal_order(stream: Ints, ts: Ints, kind: Ints, p: Ints, m: Ints, g: Ints, a: Ints, b: Ints) -> Ints:
    """The indices of the rows in causal order; those that must be left out are missing.

    `stream` says whose each row is; the rows come stream by stream, each in its order. A G that a GoStatus calls
    waiting has left before.
    """
    n = len(ts)
    if not n:
        return np.zeros(0, np.int64)
    first = np.flatnonzero(np.diff(stream, prepend=-1))  # where each stream's rows begin
    key = 2 * ts
    told = kind == ev.GoStatus
    about = np.where((kind == ev.GoUnblock) | told, a, g)
    away = np.isin(kind, LEAVINGS) | (told & np.isin(b, (st.GWAITING, st.GSYSCALL)))
    leave, wake = np.flatnonzero(away), np.flatnonzero(np.isin(kind, WAKINGS))
    lost: Ints = np.zeros(0, np.int64)
    for _ in range(TURNS):
        key = running_maximum(key, first)
        before = key.copy()
        pairs, lost = match(about, key, leave, wake)
        push(key, *pairs)
        if np.array_equal(key, before):
            break
    order = np.argsort(key, kind="stable")
    if len(lost):  # the park that ends here has not been recorded yet
        order = order[key[order] < key[lost].min()]
    return order


def running_maximum(key: Ints, first: Ints) -> Ints:
    """Within each M the key never falls."""
    out = key.copy()
    for begin, end in zip(first, np.append(first[1:], len(key)), strict=True):
        np.maximum.accumulate(key[begin:end], out=out[begin:end])
    return out


def match(about: Ints, key: Ints, causes: Ints, effects: Ints) -> tuple[tuple[Ints, Ints], Ints]:
    """Pairs (cause, effect) of the same turn of the same G, and the effects without a cause."""
    causes = causes[np.lexsort((key[causes], about[causes]))]
    effects = effects[np.lexsort((key[effects], about[effects]))]
    left, right = ranked(about[causes]), ranked(about[effects])
    wide = np.int64(max(int(about.max(initial=0)), 0) + 1)
    cause_id, effect_id = left[0] + wide * left[1], right[0] + wide * right[1]
    order = np.argsort(cause_id)
    at = np.searchsorted(cause_id[order], effect_id)
    known = at < len(order)
    known[known] = cause_id[order][at[known]] == effect_id[known]
    return (causes[order[at[known]]], effects[known]), effects[~known]


def ranked(values: Ints) -> tuple[Ints, Ints]:
    """Sorted values, and of each how many equal ones stand before it."""
    first = np.flatnonzero(np.diff(values, prepend=-2)) if len(values) else np.zeros(0, np.int64)
    counts = np.diff(np.append(first, len(values)))
    return values, np.arange(len(values)) - np.repeat(first, counts)


def push(key: Ints, causes: Ints, effects: Ints) -> None:
    """Each effect comes after its cause."""
    late = key[effects] < key[causes]
    moved = effects[late]
    key[moved] = key[causes[late]] | 1
