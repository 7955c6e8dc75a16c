"""`mpg.simulate`: exact times, the words of a workload in three worlds, costs and policies."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sim.worlds import LIKES, simulate

import mpg
from mpg.sim import Costs, Policy
from mpg.status import GRUNNING
from mpg.trace import Trace, derive


def slices(trace: Trace) -> list[float]:
    """How long G's ran at a stretch, in ms, in order."""
    spans = derive.spans_g(trace)
    spans = np.sort(spans[spans["state"] == GRUNNING], order="t0")
    return [round((int(row["t1"]) - int(row["t0"])) / 1e6, 6) for row in spans]


# Time.


def test_work_takes_virtual_time_only() -> None:
    def main() -> float:
        mpg.work(100.0)
        return mpg.now()

    found = simulate(main, procs=1, costs="zero")
    assert found.now == pytest.approx(100.0, abs=1e-6)


def test_go_s_slices_at_costs_zero() -> None:
    """Two hogs on one P from the moment on that sysmon starts: measured on Go, derived from its two-look rule."""

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        wg.go(mpg.work, 0.1)
        wg.go(mpg.work, 0.1)
        wg.wait()

    trace = simulate(main, procs=1, costs="zero").trace
    runs = [ms for ms in slices(trace) if ms > 1]
    assert [round(ms, 2) for ms in runs[:3]] == [11.22, 20.0, 20.0]
    costly = [ms for ms in slices(simulate(main, procs=1, costs="go").trace) if ms > 1][:3]
    for ms, expected in zip(costly, (10.5, 15.3, 20.2), strict=True):
        assert ms == pytest.approx(expected, abs=0.3)


def test_sleepers_wake_in_order() -> None:
    def main() -> list[tuple[int, float]]:
        woke: list[tuple[int, float]] = []
        start = mpg.now()
        wg = mpg.sync.WaitGroup()

        def sleeper(i: int) -> None:
            mpg.sleep(i / 1000)
            woke.append((i, round(mpg.now() - start, 9)))

        for i in (3, 1, 2):
            wg.go(sleeper, i)
        wg.wait()
        return woke

    assert simulate(main, procs=2, costs="zero").value == [(1, 0.001), (2, 0.002), (3, 0.003)]


# The words.


@pytest.mark.parametrize("like", LIKES)
def test_work_is_shared_among_the_p_s_that_run_in_parallel(like: str) -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(4):
            wg.go(mpg.work, 0.1)
        wg.wait()

    found = simulate(main, procs=4, like=like, costs="zero").now
    if like == "host-gil":  # one at a time
        assert found == pytest.approx(0.4, rel=0.01)
    else:
        assert found == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize("like", LIKES)
def test_three_ways_to_block(like: str) -> None:
    """An undeclared stall keeps its P, `blocking` hands it off, `to_thread` frees the G's M too."""

    def main(how: str) -> list[float]:
        done: list[float] = []
        wg = mpg.sync.WaitGroup()
        start = mpg.now()

        def blocks() -> None:
            if how == "undeclared":
                mpg.stall(0.2)
            elif how == "blocking":
                with mpg.blocking():
                    mpg.stall(0.2)
            else:
                mpg.to_thread(mpg.stall, 0.2)

        def short() -> None:
            mpg.work(0.001)
            done.append(round(mpg.now() - start, 6))

        wg.go(short)
        wg.go(short)
        wg.go(blocks)  # the last one made runs first
        wg.wait()
        return done

    first = {
        how: simulate(lambda how=how: main(how), procs=1, like=like, costs="zero").value[0]
        for how in ("undeclared", "blocking", "to_thread")
    }
    assert first["to_thread"] <= first["blocking"] <= first["undeclared"]
    assert first["blocking"] < 0.05
    if like == "go":
        assert first["undeclared"] >= 0.2  # Go has no help for a call that it is not told of
    else:
        assert first["undeclared"] < 0.1  # a relief P runs what has not started
        assert first["to_thread"] == pytest.approx(0.001)


def test_a_call_with_a_cost() -> None:
    def main() -> tuple[int, float]:
        start = mpg.now()
        return mpg.to_thread(max, 3, 4, cost=0.5), round(mpg.now() - start, 6)

    for like in LIKES:
        value, took = simulate(main, like=like, costs="zero").value
        assert value == 4
        assert took == pytest.approx(0.5, abs=0.001)


def test_arrivals_at_a_busy_p() -> None:
    """The world puts G's into the ring of a P whether or not it is busy."""

    def main() -> list[float]:
        born: list[float] = []
        start = mpg.now()
        source = mpg.sim.arrivals(0, [0.01, 0.01, 0.01], lambda _: born.append(round(mpg.now() - start, 6)))
        mpg.work(0.1)
        mpg.sleep(0.1)
        del source
        return born

    found = simulate(main, procs=1, costs="zero", policy=Policy(slice=None)).value
    assert len(found) == 3
    assert min(found) >= 0.1 - 1e-6  # they were there, and had to wait


# Costs and policies.


def test_costs_are_charged() -> None:
    def main() -> None:
        for _ in range(1000):
            mpg.gosched()

    zero = simulate(main, procs=1, costs="zero").now
    some = simulate(main, procs=1, costs=dataclasses.replace(Costs(), switch=1000)).now
    assert some - zero == pytest.approx(1000 * 1000e-9, rel=0.05)


def test_steal_one_and_steal_half() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(64):
            wg.go(mpg.work, 0.001)
        wg.wait()

    half = derive.steals(simulate(main, procs=2, costs="zero").trace)
    one = derive.steals(simulate(main, procs=2, costs="zero", policy=Policy(steal="one")).trace)
    assert half["n"].max() > 10
    assert one["n"].max() == 1
    assert len(one) > len(half)


def test_lifo_runs_the_youngest_first() -> None:
    def main() -> list[int]:
        ran: list[int] = []
        wg = mpg.sync.WaitGroup()
        for i in range(5):
            wg.go(ran.append, i)
        wg.wait()
        return ran

    fifo = simulate(main, procs=1, costs="zero").value
    lifo = simulate(main, procs=1, costs="zero", policy=Policy(local="lifo")).value
    assert fifo == [4, 0, 1, 2, 3]  # runnext first
    assert lifo == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("slice", [float("inf"), float("nan"), 0, -1, 1e-12, 1e12, "x", True])
def test_a_slice_that_is_no_time(slice: Any) -> None:
    with pytest.raises(ValueError, match=r"Policy\.slice is a time in seconds"):
        Policy(slice=slice)


@pytest.mark.parametrize("knob", ["retry_rate", "spinning", "global_tick", "phase"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, "x", None])
def test_a_knob_that_is_no_number(knob: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"Policy\.{knob} is a"):
        Policy(**{knob: value})


def test_no_slices() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        wg.go(mpg.work, 0.1)
        wg.go(mpg.work, 0.1)
        wg.wait()

    trace = simulate(main, procs=1, costs="zero", policy=Policy(slice=None)).trace
    assert [ms for ms in slices(trace) if ms > 1] == [100.0, 100.0]
