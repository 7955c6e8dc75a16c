"""Every workload keeps its promise in every world, and each run's trace keeps the rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mpg
from mpg.sim import Policy
from mpg.sim.params import check_params
from mpg.sim.workloads import (
    WORKLOADS,
    Hogged,
    Jobs,
    Served,
    blocking_server,
    fork_join,
    hog,
    ping_pong,
    poisson,
    producers_consumers,
    random_dag,
    spawn_tree,
    unequal,
)

LIKES = ("go", "host", "host-gil")


def whole_tree(nodes: int) -> None:
    assert nodes == 2**7 - 1


def whole_levels(levels: list[int]) -> None:
    assert levels == [1, 2, 4, 8, 16, 32, 64]


def legal_order(run: Any) -> None:
    assert len(run.order) == 60
    assert run.dag.allows(run.order)


def lengths_as_asked(finished: list[float]) -> None:
    assert len({*finished}) == 60
    assert 1e-4 <= min(finished) < 2e-3 < max(finished) <= 2e-2


def counted_up(numbers: list[int]) -> None:
    assert numbers == [400]


def nothing_lost(taken: list[int]) -> None:
    assert taken == list(range(120))


def jobs_served(jobs: Jobs) -> None:
    assert 500 < len(jobs.ended) == len(jobs.spent) <= jobs.arrived
    assert list(jobs.ended) == sorted(jobs.ended)
    assert min(jobs.spent) > 0


def all_answered(served: Served) -> None:
    assert sorted(served.handled) == list(range(60))
    assert 0 < served.blocked < 60
    assert served.slowest >= 4e-3


def shorts_done(hogged: Hogged) -> None:
    assert len(hogged.times) == 30
    assert min(hogged.times) >= 2e-4


PROMISES: dict[str, Callable[[Any], None]] = {
    "fork_join": whole_tree,
    "spawn_tree": whole_levels,
    "random_dag": legal_order,
    "unequal": lengths_as_asked,
    "ping_pong": counted_up,
    "producers_consumers": nothing_lost,
    "poisson": jobs_served,
    "blocking_server": all_answered,
    "hog": shorts_done,
}


@pytest.mark.parametrize("procs", [1, 4])
@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize("name", WORKLOADS)
def test_in_a_simulation(name, like, procs):
    found = mpg.simulate(WORKLOADS[name], procs=procs, seed=3, like=like)
    PROMISES[name](found.value)
    found.trace.validate()


@pytest.mark.parametrize("procs", [1, 3])
@pytest.mark.parametrize("name", [name for name in WORKLOADS if name != "poisson"])
def test_in_a_run(name, procs):
    recorder = mpg.trace.Recorder()
    PROMISES[name](mpg.run(WORKLOADS[name], procs=procs, trace=recorder))
    recorder.trace.validate()


@pytest.mark.parametrize("name", WORKLOADS)
def test_same_seed_same_run(name):
    first, second = (mpg.simulate(WORKLOADS[name], seed=5) for _ in range(2))
    assert first.digest() == second.digest()
    assert first.value == second.value


@pytest.mark.parametrize("name", ["random_dag", "unequal", "poisson", "blocking_server"])
def test_other_seed_other_run(name):
    first, second = (mpg.simulate(WORKLOADS[name], seed=seed, trace=False) for seed in (5, 6))
    assert first.value != second.value


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_argument_has_a_default(name):
    params = inspect.signature(WORKLOADS[name]).parameters.values()
    assert {type(param.default) for param in params} <= {int, float, str}


# -- What arguments may be.

NONSENSE: dict[type, dict[type[Exception], list[Any]]] = {
    int: {TypeError: [2.0, "2", None, True], ValueError: [-1]},
    float: {TypeError: ["2", None, True], ValueError: [-1.0, float("nan"), float("inf")]},
    str: {TypeError: [1, None], ValueError: ["often"]},
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_argument_is_checked(name):
    """Before anything else is done."""

    def main() -> None:
        for param in inspect.signature(WORKLOADS[name]).parameters.values():
            for error, values in NONSENSE[type(param.default)].items():
                for value in values:
                    with pytest.raises(error, match=rf"^{param.name} is .*, not "):
                        WORKLOADS[name](**{param.name: value})

    assert mpg.simulate(main).stats["spawns"] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"arity": 0},
        {"jitter": 1.1},
        {"edge": 1.1},
        {"block": 1.1},
        {"shortest": 0.0},
        {"longest": 0},
        {"producers": 0},
        {"consumers": 0},
        {"load": 0.0},
        {"service": 0.0},
        {"node": 1e300},
    ],
    ids=str,
)
def test_out_of_its_range(wrong):
    with pytest.raises(ValueError, match=r"is .*, not "):
        check_params(wrong)


# -- What each is for.


@pytest.mark.parametrize(("arity", "height"), [(2, 0), (3, 2), (5, 1)])
def test_trees_of_other_shapes(arity, height):
    count = sum(arity**depth for depth in range(height + 1))
    assert mpg.simulate(fork_join, height, arity).value == count
    assert mpg.simulate(spawn_tree, height, arity).value == [arity**depth for depth in range(height + 1)]


def test_jitter_changes_lengths_but_not_the_tree():
    ends = {mpg.simulate(spawn_tree, 4, 2, 1e-3, 1.0, seed=seed).now for seed in range(5)}
    assert len(ends) == 5
    assert {mpg.simulate(spawn_tree, 4, 2, 1e-3, 1.0, seed=seed).value[4] for seed in range(5)} == {16}


def test_unequal_lengths_are_all_worked():
    """With one P and costs zero the time is the sum of the lengths."""
    found = mpg.simulate(unequal, 20, 1e-4, 1e-2, procs=1, costs="zero", policy=Policy(slice=None))
    assert found.now == pytest.approx(sum(found.value), abs=20e-9)


@pytest.mark.parametrize("pairs", [1, 7])
def test_pairs_do_not_disturb_each_other(pairs):
    assert mpg.simulate(ping_pong, pairs, 30, 1e-5).value == [60] * pairs


@pytest.mark.parametrize(("producers", "consumers", "capacity"), [(1, 1, 0), (5, 1, 1), (1, 5, 100)])
def test_buffers_of_other_sizes(producers, consumers, capacity):
    assert mpg.simulate(producers_consumers, producers, consumers, 9, capacity).value == list(
        range(9 * producers)
    )


def test_random_dag_is_determined_by_the_seed():
    """The same graph under every policy."""
    graphs = {
        mpg.simulate(random_dag, seed=2, like=like, procs=procs).value.dag
        for like in LIKES
        for procs in (1, 8)
    }
    assert len(graphs) == 1


def test_poisson_arrivals():
    """As many as expected within five standard deviations, and as much service."""
    found = mpg.simulate(poisson, 0.7, 40.0, 1e-2, procs=4, seed=1, costs="zero", trace=False)
    expected = 4 * 0.7 * 40 / 1e-2
    assert abs(found.value.arrived - expected) < 5 * expected**0.5
    # An M/M/4 queue with load 0.7: the mean time is 1.3572 services.
    assert np.mean(found.value.spent) == pytest.approx(1.3572e-2, rel=0.1)


def test_poisson_needs_a_simulation():
    with pytest.raises(mpg.SimulationError, match="needs a simulation"):
        mpg.run(poisson)


@pytest.mark.parametrize("how", ["blocking", "to_thread", "stall"])
@pytest.mark.parametrize("like", LIKES)
def test_ways_to_block(how, like):
    found = mpg.simulate(lambda: blocking_server(how=how), like=like, seed=1)
    all_answered(found.value)
    found.trace.validate()


def test_handing_off_helps():
    """One P: while a handler blocks, others run only if the P goes to another M."""
    handed, stuck = (
        mpg.simulate(lambda how=how: blocking_server(how=how, block=1.0), procs=1, seed=1).now
        for how in ("blocking", "stall")
    )
    assert handed < stuck / 2


def test_preemption_bounds_the_wait_behind_a_hog():
    """One P, costs zero: with slices a short G waits for some of them, without for the hog's end."""
    params = {"shorts": 5, "short": 1e-4, "gap": 1e-3, "length": 1.0}
    sliced, whole = (
        mpg.simulate(lambda: (hog(**params), mpg.now()), procs=1, costs="zero", policy=policy, trace=False)
        for policy in (Policy(), Policy(slice=None))
    )
    assert max(sliced.value[0].times) < 0.05
    assert sliced.value[1] == pytest.approx(1.0005, abs=1e-6)
    assert whole.value[1] > 1.0


def test_hog_on_another_p():
    found = mpg.simulate(hog, procs=2, costs="zero")
    assert max(found.value.times) == pytest.approx(2e-4, abs=1e-5)
