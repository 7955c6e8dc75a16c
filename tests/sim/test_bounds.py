"""Schedules against bounds that hold for every one of them, and policies that must break them.

Costs are zero here: then a P never idles while a G is ready, and a tree is taken apart as the theory supposes.
"""

from __future__ import annotations

from random import Random

import pytest

from mpg.sim import Policy, simulate
from mpg.sim.dag import Dag, run_dag
from mpg.sim.scenarios import Scenario, run_scenario
from mpg.sim.theory import greedy_bounds, max_steals

GREEDY = {
    "go": Policy(),
    "no runnext": Policy(runnext=False, slice=None),
    "lifo one": Policy(local="lifo", steal="one", slice=None),
    "no sysmon": Policy(slice=None, sysmon=False),
}


def makespan(policy: Policy, like: str, procs: int, seed: int) -> tuple[int, Dag]:
    """Of a random graph, in ns."""
    scenario = Scenario(
        "random_dag", procs=procs, seed=seed, like=like, costs="zero", policy=policy, trace=False
    )
    measured, result = run_scenario(scenario)
    dag, order = result.value[0]
    assert dag.allows(order)
    return round(measured.makespan * 1e9), dag


# -- Greedy bounds.


@pytest.mark.parametrize("like", ["go", "host"])
@pytest.mark.parametrize("policy", GREEDY)
def test_greedy_bounds_of_random_graphs(policy, like):
    broken = []
    for seed in range(30):
        for procs in (1, 2, 3, 5, 8):
            took, dag = makespan(GREEDY[policy], like, procs, seed)
            least, most = greedy_bounds(dag.t1, dag.tinf, procs)
            if not least <= took <= most:
                broken.append((seed, procs, least, took, most))
    assert broken == []


def test_waking_nobody_breaks_the_bound():
    """The check is able to fail: work that wakes no idle P is done by P 0 alone."""
    took, dag = makespan(Policy.mitzenmacher(), "go", 4, 0)
    assert took > greedy_bounds(dag.t1, dag.tinf, 4)[1]


@pytest.mark.parametrize("workload", ["fork_join", "spawn_tree"])
def test_greedy_bounds_of_unit_trees(workload):
    """A complete binary tree of unit nodes: T1 is 2**(h + 1) - 1, Tinf is h + 1."""
    for height in (0, 1, 3, 6):
        for procs in (1, 2, 4, 7, 80):
            params = {"height": height, "node": 1e-3}
            scenario = Scenario(workload, params, procs=procs, costs="zero", trace=False)
            took = round(run_scenario(scenario)[0].makespan * 1e9)
            least, most = greedy_bounds((2 ** (height + 1) - 1) * 10**6, (height + 1) * 10**6, procs)
            assert least <= took <= most


def test_one_p_works_all_the_time():
    took, dag = makespan(Policy(), "go", 1, 7)
    assert took == dag.t1


def test_a_chain_cannot_be_split():
    chain = Dag((5_000, 7_000, 11_000), ((1,), (2,), ()))
    assert (chain.t1, chain.tinf) == (23_000, 23_000)
    found = simulate(run_dag, chain, procs=4, costs="zero", trace=False)
    assert found.value.order == [0, 1, 2]


# -- The graphs themselves.


def test_longest_chain():
    diamond = Dag((1, 10, 2, 1), ((1, 2), (3,), (3,), ()))
    assert (diamond.t1, diamond.tinf) == (14, 12)
    assert diamond.waits_for() == [0, 1, 1, 2]
    assert Dag((), ()).tinf == 0


@pytest.mark.parametrize(
    ("order", "legal"),
    [
        ([0, 1, 2, 3], True),
        ([0, 2, 1, 3], True),
        ([1, 0, 2, 3], False),
        ([0, 1, 3, 2], False),
        ([0, 1, 2], False),
        ([0, 1, 1, 2, 3], False),
        ([0, 1, 2, 3, 4], False),
    ],
    ids=str,
)
def test_legal_orders(order, legal):
    assert Dag((1, 1, 1, 1), ((1, 2), (3,), (3,), ())).allows(order) is legal


@pytest.mark.parametrize("successors", [((0,), ()), ((2,), ()), ((), (0,)), ((),)], ids=str)
def test_no_cycles(successors):
    with pytest.raises(ValueError):
        Dag((1, 1), successors)


def test_random_graphs():
    dag = Dag.random(Random(1), 200, 0.1, 20)
    assert len(dag.lengths) == 200
    assert {*dag.lengths} == {*range(1, 21)}
    edges = sum(map(len, dag.successors))
    assert 0.08 < edges / (200 * 199 / 2) < 0.12
    assert Dag.random(Random(1), 200, 0.1, 20) == dag


# -- Steals of complete trees.

TREES = [(2, height) for height in (1, 2, 3, 4, 6)] + [(3, height) for height in (1, 2, 3, 4)]


def steals_over(policy: Policy, like: str) -> tuple[list[tuple[int, ...]], int]:
    """The trees with more steals than can be, and how many reached the most."""
    over, reached = [], 0
    for arity, height in TREES:
        for procs in (2, 3, 4, 8):
            most = max_steals(arity, height, procs)
            for seed in range(5):
                params = {"height": height, "arity": arity, "jitter": 1.0}
                scenario = Scenario("spawn_tree", params, procs, seed, like, "zero", policy)
                measured, result = run_scenario(scenario)
                assert result.value[0] == [arity**depth for depth in range(height + 1)]
                assert measured.steals == result.stats["steals"]
                reached += measured.steals == most
                if measured.steals > most:
                    over.append((arity, height, procs, seed, measured.steals, most))
    return over, reached


@pytest.mark.parametrize("like", ["go", "host"])
@pytest.mark.parametrize("runnext", [True, False], ids=["runnext", "plain"])
def test_steals_of_complete_trees(runnext, like):
    over, reached = steals_over(Policy(local="lifo", steal="one", runnext=runnext, slice=None), like)
    assert over == []
    assert reached > 0  # the bound is sharp, so a count that is always too low would show


def test_oldest_first_steals_more():
    """The check is able to fail: a P that takes its own oldest leaves small trees for thieves."""
    over, _ = steals_over(Policy(local="fifo", steal="one", runnext=False, slice=None), "go")
    assert over != []
