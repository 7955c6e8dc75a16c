"""Sweeps: one array whatever ran them, and no failure that costs more than its own row."""

from __future__ import annotations

import math
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from sim.programs import answer, deadlocks, dies, fails, fails_unsendably, leaves

import mpg
from mpg.sim import HOST, Policy
from mpg.sim.scenarios import Measured, Scenario, measure, sweep
from mpg.trace.derive import steals


class Here(Executor):
    """Runs everything at once, in the caller."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as exc:
            future.set_exception(exc)
        return future


SCENARIOS = [
    Scenario("fork_join", procs=procs, seed=seed, like=like)
    for procs in (1, 3)
    for seed in (1, 2)
    for like in ("go", "host")
] + [
    Scenario("unequal", {"count": 20}, policy=Policy(steal="one"), label="one"),
    Scenario(answer, {"number": 7}, costs="zero", trace=False),
]


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal, nan's included."""
    return one.dtype == other.dtype and one.tobytes() == other.tobytes()


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return sweep(SCENARIOS, Here())


# -- What is measured.


def test_one_row_for_each(rows):
    assert rows.shape == (len(SCENARIOS),)
    assert rows.dtype.names == ("label", "workload", "procs", "seed", "like", *Measured._fields, "error")
    assert [*rows["workload"]] == ["fork_join"] * 8 + ["unequal", "answer"]
    assert [*rows["procs"]] == [one.procs for one in SCENARIOS]
    assert [*rows["seed"]] == [one.seed for one in SCENARIOS]
    assert [*rows["like"]] == [one.like for one in SCENARIOS]
    assert [*rows["label"]] == [one.label for one in SCENARIOS]
    assert not rows["error"].any()


def test_a_row_is_what_measure_says(rows):
    for row, scenario in zip(rows, SCENARIOS, strict=True):
        np.testing.assert_array_equal([row[name] for name in Measured._fields], measure(scenario))


def test_without_a_trace(rows):
    row = rows[-1]
    assert (row["makespan"], row["value"], row["handoffs"]) == (1e-3, 7.0, 0)
    assert row["utilisation"] == 1 / 4
    assert all(math.isnan(row[name]) for name in ("latency_p50", "latency_p99"))


def test_measured_by_hand():
    """Two P's; G 2 works for 3 ms on the one, main for 1 ms on the other: 4 of 6 ms, and main waits."""

    def program() -> int:
        g = mpg.go(mpg.work, 3e-3)
        mpg.work(1e-3)
        g.join()
        return 5

    found = measure(Scenario(program, procs=2, costs="zero"))
    assert found.makespan == pytest.approx(3e-3, abs=1e-5)
    assert found.utilisation == pytest.approx(4 / 6, abs=0.01)
    assert (found.steals, found.handoffs, found.value) == (1, 0, 5.0)
    assert 0 <= found.latency_p50 <= found.latency_p99 <= 1e-5


def test_steals_and_handoffs_are_those_of_the_trace():
    scenario = Scenario("blocking_server", {"block": 0.8}, procs=2, seed=4)
    found = measure(scenario)
    trace = mpg.simulate(lambda: scenario.function(block=0.8), procs=2, seed=4).trace
    assert found.steals == len(steals(trace))
    assert found.handoffs == trace.names.count("Handoff") > 0


def test_empty_sweep():
    assert sweep([], Here()).shape == (0,)
    assert sweep([]).shape == (0,)


# -- Failures.

BAD = {
    "no such workload": (Scenario("nix"), "ValueError: there is no workload 'nix'"),
    "no such argument": (Scenario("hog", {"size": 1}), "TypeError: hog() got an unexpected keyword"),
    "no P": (Scenario("hog", procs=0), "ValueError: procs is an int from 1 to 65536, not 0"),
    "no number": (Scenario("hog", procs="x"), "TypeError: procs is an int from 1 to 65536, not str"),  # type: ignore[arg-type]
    "too many": (Scenario("hog", procs=10**30), "ValueError: procs is an int from 1 to 65536, not 1000"),
    "no consumer": (
        Scenario("producers_consumers", {"consumers": 0}),
        "ValueError: consumers is an int of at",
    ),
    "fails": (Scenario(fails), "RuntimeError: on purpose"),
    "cannot be sent": (Scenario(fails_unsendably), "Unsendable: cannot be unpickled"),
    "exits": (Scenario(leaves), "SystemExit: 3"),
    "deadlock": (
        Scenario(deadlocks),
        "DeadlockError: all goroutines are asleep - deadlock!; goroutine 1 [chan",
    ),
}


def check_failures(found: np.ndarray) -> None:
    """The rows of BAD with a good one on either side."""
    assert [*found["error"][[0, -1]]] == ["", ""]
    assert [*found["value"][[0, -1]]] == [42.0, 42.0]
    for row, (_, text) in zip(found[1:-1], BAD.values(), strict=True):
        assert row["error"].startswith(text)
        assert "\n" not in row["error"]
        assert math.isnan(row["makespan"])
        assert (row["steals"], row["handoffs"]) == (-1, -1)


def with_bad() -> list[Scenario]:
    good = Scenario(answer)
    return [good, *[scenario for scenario, _ in BAD.values()], good]


def test_failures_here():
    check_failures(sweep(with_bad(), Here()))


def test_a_seed_too_large_for_its_column():
    found = sweep([Scenario(answer, seed=1 << 64)], Here())
    assert (found["seed"][0], found["value"][0], found["error"][0]) == (-1, 42.0, "")


def test_executor_that_refuses():
    class Closing(Here):
        left = 2

        def submit(self, fn, /, *args, **kwargs):
            if not self.left:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self.left -= 1
            return super().submit(fn, *args, **kwargs)

    found = sweep([Scenario(answer)] * 3, Closing())
    assert [*found["error"]] == ["", "", "RuntimeError: cannot schedule new futures after shutdown"]


def test_executor_that_cancels():
    class Cancelling(Here):
        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    found = sweep([Scenario(answer)], Cancelling())
    assert [*found["error"]] == [CancelledError.__name__]


def test_interrupt_is_no_failure():
    """Ctrl-C while waiting ends the sweep, and what has not begun is taken back."""
    futures = [Future(), Future()]

    class Interrupted(Executor):
        def submit(self, fn, /, *args, **kwargs):
            return futures[self.count()]

        def count(self) -> int:
            self.number = getattr(self, "number", -1) + 1
            return self.number

    class Struck(Future):
        def result(self, timeout=None):
            raise KeyboardInterrupt

    futures[0] = Struck()
    with pytest.raises(KeyboardInterrupt):
        sweep([Scenario(answer)] * 2, Interrupted())
    assert futures[1].cancelled()


# -- Where they run.


def test_on_threads(rows):
    with ThreadPoolExecutor(3) as pool:
        assert same(sweep(SCENARIOS, pool), rows)
        assert same(sweep(SCENARIOS[:1], pool), rows[:1].astype(sweep(SCENARIOS[:1], Here()).dtype))


def test_on_processes(rows):
    """The default: the same array, and failures as everywhere."""
    found = sweep([*SCENARIOS, *with_bad()])
    count = len(SCENARIOS)
    for name in rows.dtype.names:
        np.testing.assert_array_equal(found[name][:count], rows[name])
    check_failures(found[count:])


def test_process_that_dies():
    """It takes its pool along; the others are run again."""
    found = sweep([Scenario(answer), Scenario(dies), *[Scenario(answer, {"number": n}) for n in range(3)]])
    assert [*found["value"][[0, 2, 3, 4]]] == [42.0, 0.0, 1.0, 2.0]
    assert [bool(error) for error in found["error"]] == [False, True, False, False, False]
    assert found["error"][1].startswith("BrokenProcessPool: ")


def test_functions_without_a_name_cannot_be_sent():
    found = sweep([Scenario(lambda: 1), Scenario(answer)])
    assert "<lambda>" in found["error"][0]
    assert (found["error"][1], found["value"][1]) == ("", 42.0)


def test_custom_worlds_are_sent():
    found = sweep([Scenario("fork_join", {"height": 3}, like=HOST)])
    assert [*found["like"]] == ["custom"]
    assert [*found["value"]] == [15.0]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # what a cluster warns of is its own affair
def test_on_dask(rows, tmp_path):
    """A real scheduler and two real workers of dask.distributed on this machine."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = sweep([*SCENARIOS[:-1], Scenario("nix")], client.get_executor())
    for name in rows.dtype.names:
        np.testing.assert_array_equal(found[name][:-1], rows[name][:-1])
    assert found["error"][-1].startswith("ValueError: there is no workload 'nix'")
