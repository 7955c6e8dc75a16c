"""What the M's wrote, put into one causal order.

Each M's records are in order, and by the rule of `pen.py` the clock orders the rest, with one exception: a
park can be seen, and ended, by another M before the switch away from it is recorded. But a G leaves and is
woken in turns. So the k-th wake-up of a G belongs after its k-th leaving, and is moved there, and with it what its
M wrote next; which may in turn have to be moved before others: what a G needs to start, and a P to be taken, comes
first (`G_TURNS`, `P_TURNS`, `M_TURNS`). Each row has a key, at first its time; keys are moved up until no cause is
behind its effect. All this is done on whole columns.

Of a run that goes on, what was written up to now is taken, less the events whose cause is not yet there.

Rejected: moving wake-ups only (the G that the moved M made next was then started before it was made, seldom), and a
merge row by row (a second for a million).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev

__all__ = ["causal_order"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Turn(NamedTuple):
    """The k-th of `causes` of a G (or P) comes before its k-th of `effects`, which is `lag` turns later.

    A GoStatus or ProcStatus counts as a cause or an effect where it says so: it is what earlier events led to.
    An effect whose cause is missing must be left out, and what comes after it.
    """

    causes: tuple[int, ...]
    effects: tuple[int, ...]
    cause_status: tuple[int, ...] = ()
    effect_status: tuple[int, ...] = ()
    lag: int = 0


WAKINGS: Final = (ev.GoUnblock, ev.GoSyscallEnd, ev.GoSyscallEndBlocked)
RUNNABLE: Final = (ev.GoCreate, ev.GoUnblock, ev.GoSyscallEndBlocked, ev.GoStop)
RELEASES: Final = (ev.ProcStop, ev.ProcSteal)

G_TURNS: Final = (
    Turn((ev.GoBlock, ev.GoSyscallBegin), WAKINGS, (st.GWAITING, st.GSYSCALL)),
    Turn(RUNNABLE, (ev.GoStart, ev.GoDrop), (st.GRUNNABLE,)),
)
P_TURNS: Final = (
    Turn((ev.ProcStart,), RELEASES, (st.PRUNNING,)),
    Turn(RELEASES, (ev.ProcStart,), effect_status=(st.PRUNNING,), lag=1),
)
M_TURNS: Final = (P_TURNS[1],)  # nor does an M take a P before it has lost the last
STEP: Final = 16  # keys per ns
ROUNDS: Final = 1000  # adverse recordings of 20,000 rows took 17; only one that contradicts itself takes more


def causal_order(stream: Ints, ts: Ints, kind: Ints, p: Ints, m: Ints, g: Ints, a: Ints, b: Ints) -> Ints:
    """The indices of the rows in causal order; those that must be left out are missing.

    `stream` says whose each row is, -1 for the state before all; the rows come stream by stream, each in its order.
    """
    n = len(ts)
    if not n:
        return np.zeros(0, np.int64)
    first = np.flatnonzero(np.diff(stream, prepend=-2))  # where each stream's rows begin
    key = running_maximum(ts - ts.min(), first)
    causes, effects, lost = constraints(stream, key, (kind, p, m, g, a, b))
    key *= STEP
    for _ in range(ROUNDS):
        if not push(key, causes, effects):
            break
        key = running_maximum(key, first)
    order = np.argsort(key, kind="stable")
    if len(lost):  # what these follow from has not been recorded yet
        order = order[key[order] < key[lost].min()]
    return order


def constraints(stream: Ints, clock: Ints, columns: tuple[Ints, ...]) -> tuple[Ints, Ints, Ints]:
    """Rows, and for each a row that comes after it; and the rows without a cause.

    `columns` are kind, p, m, g, a, b; no named tuple (see `stream.Chunk`), for this runs just when the M's have ended.
    Turns are counted by the clock: of what gives the same G or P away, and of what takes it, it is right.
    """
    causes, effects, lost = [], [], []
    for turn, before, after, who in sides(stream, columns):
        (left, right), alone = match(who, clock, before, after, turn.lag)
        apart = stream[left] != stream[right]  # what one M wrote stays in its order
        causes.append(left[apart])
        effects.append(right[apart])
        lost.append(alone)
    return np.concatenate(causes), np.concatenate(effects), np.concatenate(lost)


def sides(stream: Ints, columns: tuple[Ints, ...]) -> list[tuple[Turn, Ints, Ints, Ints]]:
    """For each rule: the rows that are causes, those that are effects, and whose turn each row of the trace is.

    Without those that need not be matched (`in_doubt`).
    """
    kind, p, m, g, a, b = columns
    out = []
    for turns, told, other, names, column in (
        (G_TURNS, ev.GoStatus, g, (ev.GoCreate, ev.GoUnblock, ev.GoDrop, ev.GoStatus), a),
        (P_TURNS, ev.ProcStatus, p, (ev.ProcSteal, ev.ProcStatus), a),
        (M_TURNS, ev.ProcStatus, m, (ev.ProcSteal,), b),
    ):
        rows = np.flatnonzero(among(kind, sum((turn.causes + turn.effects for turn in turns), (told,))))
        kinds = kind[rows]
        status = np.where(kinds == told, b[rows], -1)
        who = np.full(len(kind), -1)
        who[rows] = np.where(among(kinds, names), column[rows], other[rows])
        for turn in turns:
            causes = rows[among(kinds, turn.causes) | among(status, turn.cause_status)]
            effects = rows[among(kinds, turn.effects) | among(status, turn.effect_status)]
            doubtful = in_doubt(stream, who, causes, effects, turn.lag)
            out.append((turn, causes[doubtful[: len(causes)]], effects[doubtful[len(causes) :]], who))
    return out


def in_doubt(stream: Ints, who: Ints, causes: Ints, effects: Ints, lag: int) -> Bools:
    """Which of these rows need be matched: those of a G that several M's tell of, or whose effects lack a cause.

    What one M alone tells of is in order; and a cause that is not written yet is one of another M than its effect.
    """
    rows = np.concatenate([causes, effects])
    whose, writer = dense(who[rows]), stream[rows]
    of = np.full(int(whose.max(initial=-1)) + 1, -1)
    of[whose] = writer
    doubtful = np.bincount(whose[len(causes) :], minlength=len(of)) - lag > np.bincount(
        whose[: len(causes)], minlength=len(of)
    )
    doubtful[whose[(of[whose] != writer) & (writer >= 0)]] = True
    return doubtful[whose]


def among(values: Ints, which: tuple[int, ...]) -> Bools:
    """Which of these values are in `which`. They are small numbers, -1 the least."""
    table = np.zeros(max(int(values.max(initial=0)), *which, 0) + 2, np.bool_)
    table[list(which)] = True  # -1 finds the last, which nothing else does
    return table[values]


def dense(values: Ints) -> Ints:
    """Equal numbers for equal values, none much larger than there are values."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if high - low > 4 * len(values) + 1000:
        return np.unique(values, return_inverse=True)[1]
    return values - low


def running_maximum(key: Ints, first: Ints) -> Ints:
    """Within each M the key never falls."""
    out = key.copy()
    for begin, end in zip(first, np.append(first[1:], len(key)), strict=True):
        np.maximum.accumulate(key[begin:end], out=out[begin:end])
    return out


def match(who: Ints, key: Ints, causes: Ints, effects: Ints, lag: int) -> tuple[tuple[Ints, Ints], Ints]:
    """Pairs (cause, effect) of the same turn of the same G or P, and the effects that lack their cause."""
    causes = causes[np.lexsort((key[causes], who[causes]))]
    effects = effects[np.lexsort((key[effects], who[effects]))]
    wide = np.int64(max(int(who.max(initial=0)), 0) + 1)
    cause_id = who[causes] + wide * (turns(who[causes]) + lag)
    turn = turns(who[effects])
    effect_id = who[effects] + wide * turn
    order = np.argsort(cause_id)
    at = np.searchsorted(cause_id[order], effect_id)
    known = at < len(order)
    known[known] = cause_id[order][at[known]] == effect_id[known]
    return (causes[order[at[known]]], effects[known]), effects[~known & (turn >= lag)]


def turns(values: Ints) -> Ints:
    """Of each of these sorted values, how many equal ones stand before it."""
    first = np.flatnonzero(np.diff(values, prepend=-2)) if len(values) else np.zeros(0, np.int64)
    counts = np.diff(np.append(first, len(values)))
    return np.arange(len(values)) - np.repeat(first, counts)


def push(key: Ints, causes: Ints, effects: Ints) -> bool:
    """Move each effect behind its cause; among equal keys the rows keep the order they are in. False: all were."""
    late = (key[effects] < key[causes]) | ((key[effects] == key[causes]) & (effects < causes))
    moved, after = effects[late], causes[late]
    np.maximum.at(key, moved, key[after] + (moved < after))
    return bool(len(moved))
