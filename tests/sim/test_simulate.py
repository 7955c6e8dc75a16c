"""`mpg.simulate`: exact times, the same run everywhere, the words of a workload in three worlds, bad input."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mpg
from mpg.current import tls
from mpg.sim import Costs, Policy
from mpg.status import GRUNNING
from mpg.trace import Trace, derive

LIKES = ("go", "host", "host-gil")


def simulate(main: Any, **knobs: Any) -> Any:
    result = mpg.simulate(main, **knobs)
    if knobs.get("trace", True):
        result.trace.validate()
    return result


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


# The same everywhere.

PROGRAM = """
import mpg
def main():
    rng = mpg.sim.rng()
    ch = mpg.Chan(2)
    wg = mpg.sync.WaitGroup()
    def worker(i):
        for _ in range(20):
            mpg.work(rng.random() * 1e-3)
            mpg.select(mpg.send_case(ch, i), mpg.recv_case(ch))
    for i in range(10):
        wg.go(worker, i)
    wg.wait()
for like in ("go", "host", "host-gil"):
    print(mpg.simulate(main, procs=3, seed=7, like=like).digest())
"""
KNOWN = Path(__file__).parent / "digests.txt"


def test_the_same_digest_in_every_process() -> None:
    found = set()
    for seed in ("0", "1", "random"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, timeout=60, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert found.pop() == KNOWN.read_text()  # what every Python gets; changes with the scheduler or the costs


def test_another_seed_is_another_run() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(50):
            wg.go(mpg.work, mpg.sim.rng().random() / 1000)
        wg.wait()

    digests = {simulate(main, seed=seed).digest() for seed in (1, 2, 1, 2)}
    assert len(digests) == 2


def test_tracing_changes_nothing() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(50):
            wg.go(mpg.work, mpg.sim.rng().random() / 1000)
        wg.wait()

    for like in LIKES:
        on, off = (simulate(main, like=like, trace=trace) for trace in (True, False))
        assert (on.now, on.stats) == (off.now, off.stats)
    with pytest.raises(ValueError, match="trace=False"):
        off.trace


@pytest.mark.parametrize("like", LIKES)
def test_the_invariants_hold(like: str) -> None:
    def main() -> None:
        rng = mpg.sim.rng()
        ch = mpg.Chan[int](2)
        wg = mpg.sync.WaitGroup()

        def worker(i: int) -> None:
            for _ in range(10):
                mpg.work(rng.random() * 1e-3)
                if rng.random() < 0.3:
                    mpg.sleep(rng.random() * 1e-3)
                mpg.select(mpg.send_case(ch, i), mpg.recv_case(ch))
                if rng.random() < 0.2:
                    with mpg.blocking():
                        mpg.stall(rng.random() * 1e-3)

        for i in range(20):
            wg.go(worker, i)
        wg.wait()

    for procs in (1, 3):
        for seed in range(5):
            on, off = (
                simulate(main, procs=procs, seed=seed, like=like, costs="zero", invariants=every)
                for every in (1, 0)
            )
            assert on.digest() == off.digest()


def test_a_broken_invariant_is_seen() -> None:
    def main() -> None:
        tls.m.sched.npidle += 1
        mpg.work(0.001)

    with pytest.raises(mpg.explorer.InvariantError, match="said to be idle"):
        simulate(main, invariants=1)


def test_the_invariants_hold_at_scale() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(20_000):
            wg.go(mpg.work, mpg.sim.rng().random() * 1e-3)
        wg.wait()

    assert simulate(main, procs=256, invariants=5_000, trace=False).stats["spawns"] >= 20_000


def test_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from mpg.sim import progress

    def main() -> None:
        mpg.work(1)

    monkeypatch.setattr(progress, "EVERY", 0.0)
    result = simulate(main, procs=1, progress=True)
    err = capsys.readouterr().err
    assert "G's made" in err
    assert err.endswith("\r")
    assert simulate(main, procs=1).digest() == result.digest()
    assert capsys.readouterr().err == ""


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


# What cannot be, and bad input.


def test_a_program_that_does_not_advance_is_ended() -> None:
    def main() -> None:
        while True:
            mpg.gosched()

    with pytest.raises(mpg.SimulationError, match=r"5000 steps without .*goroutine 1 \(.*main\)"):
        simulate(main, costs="zero", patience=5000)


def test_a_long_step_is_warned_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from mpg.sim import world

    clock = iter(range(0, 10**6, 5))
    monkeypatch.setattr(world, "perf_counter", lambda: float(next(clock)))

    def main() -> None:
        for _ in range(10):
            mpg.gosched()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        simulate(main, procs=1)
    assert len(caught) == 1
    assert "5.0 s of real time" in str(caught[0].message)


@pytest.mark.parametrize("like", LIKES)
def test_the_warning_names_who_did_it(like: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpg.sim import world

    clock = [0.0]
    monkeypatch.setattr(world, "perf_counter", lambda: clock[0])

    def slow() -> None:
        mpg.work(1e-4)
        clock[0] += 7.0

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        wg.go(mpg.work, 2e-4)
        wg.go(slow)
        wg.go(mpg.work, 1e-4)
        wg.wait()

    code = slow.__code__
    where = rf"7.0 s of real time in goroutine \d+ \(.*slow\) at {code.co_filename}:{code.co_firstlineno}"
    with pytest.warns(RuntimeWarning, match=where):
        simulate(main, procs=2, like=like)


def test_sockets_and_unknown_calls_say_so() -> None:
    def listens() -> None:
        with mpg.net.listen("127.0.0.1:0") as listener:
            listener.accept()

    with pytest.raises(mpg.SimulationError, match="G 1 "):
        simulate(listens)
    for like in LIKES:
        with pytest.raises(mpg.SimulationError, match=r"to_thread\(len\).*goroutine 1 .*virtual time 0\.25"):
            simulate(lambda: (mpg.work(0.25), mpg.to_thread(len, "abc")), like=like, costs="zero")


def test_a_g_that_raises_names_itself_and_the_time() -> None:
    def fails() -> None:
        mpg.work(0.5)
        raise KeyError("x")

    def main() -> None:
        mpg.go(fails)
        mpg.sleep(1)

    with pytest.raises(KeyError) as caught:
        simulate(main, costs="zero")
    notes = " ".join(caught.value.__notes__)
    assert "fails" in notes
    assert "virtual time 0.5" in notes
    caught.value.trace.validate()  # type: ignore[attr-defined]


@pytest.mark.parametrize("like", LIKES)
def test_a_deadlock_names_the_g_s_and_the_time(like: str) -> None:
    def main() -> None:
        mpg.sleep(0.25)
        mpg.Chan[int]().recv()

    with pytest.raises(mpg.DeadlockError, match="all goroutines are asleep") as caught:
        simulate(main, like=like, costs="zero")
    assert "virtual time 0.25" in " ".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"procs": 0}, ValueError),
        ({"procs": True}, ValueError),
        ({"procs": 2.0}, ValueError),
        ({"seed": "x"}, TypeError),
        ({"like": "java"}, ValueError),
        ({"costs": "free"}, ValueError),
        ({"costs": {}}, ValueError),
        ({"like": []}, ValueError),
        ({"policy": "x"}, TypeError),
        ({"policy": {}}, TypeError),
    ],
)
def test_bad_arguments(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        simulate(int, **arguments)


@pytest.mark.parametrize("call", [mpg.work, mpg.stall])
def test_a_negative_time(call: Any) -> None:
    def main() -> None:
        mpg.work(0.125)
        call(-1)

    with pytest.raises(ValueError, match="negative") as caught:
        simulate(main, costs="zero")
    assert "goroutine 1 (" in " ".join(caught.value.__notes__)
    assert "virtual time 0.125" in " ".join(caught.value.__notes__)


def test_not_inside_a_run_and_no_function() -> None:
    with pytest.raises(TypeError, match="function"):
        mpg.simulate(3)  # type: ignore[arg-type]

    def main() -> None:
        with pytest.raises(RuntimeError, match="inside a run"):
            mpg.simulate(int)

    simulate(main)
    mpg.run(main)


def test_a_primitive_of_a_simulation_outside_of_it() -> None:
    ch = simulate(lambda: mpg.Chan[int](1)).value
    with pytest.raises(mpg.MpgError):
        ch.send(1)
