"""The causal order of what several M's wrote: by hand, and traces of simulations whose clocks were bent."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sim.programs import mixed

import mpg
from mpg import status as st
from mpg.trace import Trace
from mpg.trace import events as ev
from mpg.trace.merge import causal_order

# stream, ts, kind, p, m, g, a, b
Row = tuple[int, int, int, int, int, int, int, int]


def order_of(rows: list[Row]) -> list[int]:
    columns = [np.array(values, np.int64) for values in zip(*rows, strict=True)]
    return causal_order(*columns).tolist()


def test_a_wake_up_comes_after_the_park_that_it_ends() -> None:
    rows = [
        (0, 10, ev.GoUnblock, 0, 0, 1, 2, -1),
        (0, 11, ev.RunqLen, 0, 0, -1, 0, 0),
        (1, 12, ev.GoBlock, 1, 1, 2, -1, -1),
        (1, 12, ev.RunqLen, 1, 1, -1, 0, 0),
    ]
    assert order_of(rows) == [2, 3, 0, 1]


def test_what_the_waker_made_next_starts_after_it_was_made() -> None:
    """The switch that parks G 2 starts the very G that its waker made meanwhile."""
    rows = [
        (0, 9, ev.GoStatus, -1, -1, -1, 2, st.GRUNNING),
        (0, 10, ev.GoUnblock, 0, 0, 1, 2, -1),
        (0, 11, ev.GoCreate, 0, 0, 1, 3, -1),
        (1, 12, ev.GoBlock, 1, 1, 2, -1, -1),
        (1, 12, ev.GoStart, 1, 1, 3, -1, -1),
    ]
    assert order_of(rows) == [0, 3, 1, 2, 4]


def test_a_p_is_taken_after_it_was_given_up() -> None:
    """M 0 was moved behind a park of M 1, and M 1 has taken the P that M 0 gave up."""
    rows = [
        (0, 10, ev.GoUnblock, 0, 0, 1, 2, -1),
        (0, 11, ev.ProcStop, 0, 0, -1, -1, -1),
        (1, 12, ev.GoBlock, 1, 1, 2, -1, -1),
        (1, 12, ev.ProcStop, 1, 1, -1, -1, -1),
        (1, 12, ev.ProcStart, 0, 1, -1, -1, -1),
        (2, 1, ev.ProcStart, 0, 0, -1, -1, -1),
        (2, 2, ev.ProcStart, 1, 1, -1, -1, -1),
    ]
    order = order_of(rows)
    assert order.index(2) < order.index(0) < order.index(1) < order.index(4)


def test_an_m_takes_a_p_after_its_last_one_was_taken_from_it() -> None:
    """M 0 came back from its call before M 1 had noted that it took its P, on a clock that stood still."""
    rows = [
        (0, 10, ev.ProcStart, 0, 0, -1, -1, -1),
        (0, 12, ev.ProcStart, 1, 0, -1, -1, -1),
        (1, 12, ev.ProcSteal, -1, 1, -1, 0, 0),
    ]
    assert order_of(rows) == [0, 2, 1]
    assert order_of(rows[:2]) == [0]  # or it is not noted yet


def test_what_follows_from_something_unrecorded_is_left_out() -> None:
    rows = [
        (0, 10, ev.GoCreate, 0, 0, 1, 2, -1),
        (0, 11, ev.GoStart, 0, 0, 3, -1, -1),
        (0, 12, ev.RunqLen, 0, 0, -1, 0, 0),
    ]
    assert order_of(rows) == [0]


def test_nothing() -> None:
    none: Any = np.zeros(0, np.int64)
    assert causal_order(*[none] * 8).tolist() == []


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("like", ["host", "host-gil"])
def test_parks_that_are_recorded_late(like: str, seed: int) -> None:
    """As on threads: others may see a park, and act on it, long before the M that leaves writes it down."""
    whole = mpg.simulate(mixed, procs=4, seed=seed, like=like).trace
    rng = random.Random(seed)
    columns = {name: getattr(whole, name) for name in ("ts", "kind", "p", "m", "g", "a", "b")}
    by_m = np.argsort(columns["m"], kind="stable")
    columns = {name: values[by_m].copy() for name, values in columns.items()}
    ts, kind, m = columns["ts"], columns["kind"], columns["m"]
    late = 0
    for i in range(len(ts) - 1):
        if kind[i] in (ev.GoBlock, ev.GoSyscallBegin) and rng.random() < 0.8:
            end = i + 1  # a switch is one record: what starts there is late with it, and nothing else is
            while end < len(ts) and kind[end] in (ev.GoStart, ev.RunqLen) and ts[end] == ts[i]:
                end += 1
            room = int(ts[end] - ts[i]) if end < len(ts) and m[end] == m[i] else 0
            if room:
                ts[i:end] += room
                late += 1
    assert late > 20
    order = causal_order(m, *columns.values())
    assert sorted(order.tolist()) == list(range(len(ts)))
    bent = Trace(
        *(values[order] for values in columns.values()),
        strings=whole.strings,
        metadata={**whole.metadata, "clock": "monotonic"},
    )
    bent.validate()
