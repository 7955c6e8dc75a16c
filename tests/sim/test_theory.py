"""Closed forms, against published and tabulated values, and against the equations that they solve."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import factorial, sqrt

import pytest

from mpg.sim.theory import (
    blumofe_leiserson,
    erlang_b,
    erlang_c,
    greedy_bounds,
    max_steals,
    mm1_time,
    mmn_time,
    one_attempt,
)

# load: pi2, rho, mean time, attempts, successes, stolen in %, M/M/1
ONE_ATTEMPT = {
    0.50: (0.190983, 0.381966, 1.6180, 0.3090, 0.0590, 11.8, 2.0),
    0.70: (0.367817, 0.525454, 2.1073, 0.3322, 0.1222, 17.5, 3.333),
    0.80: (0.487689, 0.609612, 2.5616, 0.3123, 0.1523, 19.0, 5.0),
    0.90: (0.645862, 0.717624, 3.5414, 0.2541, 0.1641, 18.2, 10.0),
    0.95: (0.755626, 0.795396, 4.8875, 0.1944, 0.1469, 15.5, 20.0),
    0.99: (0.895376, 0.904420, 10.4624, 0.0946, 0.0847, 8.6, 100.0),
}

# load: mean time with N = 4, 8, 16, 64, 128
MMN = {
    0.5: (1.0870, 1.0148, 1.0011, 1.0000, 1.0000),
    0.7: (1.3572, 1.1128, 1.0270, 1.0002, 1.0000),
    0.8: (1.7455, 1.2860, 1.0953, 1.0044, 1.0004),
    0.9: (2.9694, 1.8769, 1.3696, 1.0485, 1.0132),
    0.95: (5.4571, 3.1104, 1.9752, 1.1838, 1.0715),
    0.99: (25.4476, 13.0975, 6.9598, 2.4155, 1.6780),
}


# -- One attempt.


@pytest.mark.parametrize("load", ONE_ATTEMPT)
def test_one_attempt_table(load):
    found = one_attempt(load)
    pi2, rho, mean_time, attempts, successes, stolen, alone = ONE_ATTEMPT[load]
    assert (round(found.pi2, 6), round(found.rho, 6)) == (pi2, rho)
    assert round(found.mean_time, 4) == mean_time
    assert (round(found.attempts, 4), round(found.successes, 4)) == (attempts, successes)
    assert round(100 * found.stolen, 1) == stolen
    assert round(mm1_time(load), 3) == alone


def test_golden_ratio():
    assert one_attempt(0.5).mean_time == pytest.approx((1 + sqrt(5)) / 2, rel=1e-14)


def test_tail():
    found = one_attempt(0.9)
    assert [round(found.pi(i), 5) for i in range(2, 7)] == [0.64586, 0.46349, 0.33261, 0.23869, 0.17129]
    assert (found.pi(0), found.pi(1)) == (1.0, 0.9)
    with pytest.raises(ValueError):
        found.pi(-1)


@pytest.mark.parametrize("retry", [0.0, 0.3, 4.0])
@pytest.mark.parametrize("load", [0.1, 0.5, 0.9, 0.99])
def test_fixed_point_is_one(load, retry):
    """Nothing changes: what flows in equals what flows out, for each number of jobs."""
    found = one_attempt(load, retry)
    s = [found.pi(i) for i in range(60)]
    idle = retry * (s[0] - s[1])
    assert load * (s[0] - s[1]) + idle * s[2] == pytest.approx((s[1] - s[2]) * (1 - s[2]), rel=1e-12)
    for i in range(2, 59):
        leaving = (s[i] - s[i + 1]) * (1 + (s[1] - s[2]) + idle)
        assert load * (s[i - 1] - s[i]) == pytest.approx(leaving, rel=1e-9, abs=1e-300)
    assert found.mean_time * load == pytest.approx(sum(found.pi(i) for i in range(1, 6000)), rel=1e-12)


def test_more_attempts_help():
    times = [one_attempt(0.9, retry).mean_time for retry in (0, 0.1, 1, 10, 100)]
    assert times == sorted(times, reverse=True)
    assert mm1_time(0.9) > times[0]
    assert one_attempt(0.9, 1e9).mean_time == pytest.approx(1, abs=1e-6)  # as if all shared one queue


# -- M/M/N.


@pytest.mark.parametrize("load", MMN)
def test_mmn_table(load):
    assert tuple(round(mmn_time(n, load), 4) for n in (4, 8, 16, 64, 128)) == MMN[load]


@pytest.mark.parametrize("load", [0.25, 0.5, 0.875])
@pytest.mark.parametrize("servers", [1, 2, 3, 10])
def test_erlang_by_its_definition(servers, load):
    """The sums over the states, in fractions."""
    a = servers * Fraction(load)
    weights = [a**k / factorial(k) for k in range(servers + 1)]
    waiting = weights[-1] / (1 - Fraction(load))
    assert erlang_b(servers, float(a)) == pytest.approx(float(weights[-1] / sum(weights)), rel=1e-12)
    assert erlang_c(servers, load) == pytest.approx(float(waiting / (sum(weights[:-1]) + waiting)), rel=1e-12)


def test_mmn_with_one_server_is_mm1():
    assert mmn_time(1, 0.8) == pytest.approx(mm1_time(0.8), rel=1e-12)
    assert erlang_c(1, 0.8) == pytest.approx(0.8, rel=1e-12)


def test_many_servers_do_not_overflow():
    assert 1 < mmn_time(10_000, 0.99) < 1.01


# -- Bounds.


def test_greedy_bounds():
    assert greedy_bounds(127, 7, 1) == (127, 127)
    assert greedy_bounds(127, 7, 4) == (32, 37)
    assert greedy_bounds(127, 7, 1000) == (7, 7.12)
    assert greedy_bounds(10, 10, 3) == (10, 10)
    assert greedy_bounds(0, 0, 3) == (0, 0)


def test_blumofe_leiserson():
    found = blumofe_leiserson(1000, 10, 4, c=2, space=3)
    assert found == (270, 80, 12)
    assert blumofe_leiserson(1000, 10, 4).makespan >= greedy_bounds(1000, 10, 4)[1]


# -- Steals of trees.


@pytest.mark.parametrize(
    ("height", "most"),
    [(4, (4, 10, 14, 15)), (6, (6, 21, 41, 63)), (8, (8, 36, 92, 254)), (10, (10, 55, 175, 967))],
)
def test_max_steals_table(height, most):
    assert tuple(max_steals(2, height, n) for n in (2, 3, 4, 8)) == most


def test_max_steals_of_nobody():
    assert max_steals(2, 5, 1) == 0
    assert max_steals(2, 0, 5) == 0


def searched(arity: int, height: int, procs: int) -> int:
    """The most steals in any order of steps.

    A P is None (idle) or the height of the node it is at, and the heights of the nodes in its queue, the oldest first.
    """
    idle = (-1, ())

    @cache
    def most(state: tuple[tuple[int, tuple[int, ...]], ...]) -> int:
        best = 0
        for i, (at, queue) in enumerate(state):
            if at > 0:  # to the first child
                moves = [(0, (at - 1, queue + (at - 1,) * (arity - 1)), None, None)]
            elif at == 0:  # a leaf: the youngest of its own, if there is one
                moves = [(0, (queue[-1], queue[:-1]) if queue else idle, None, None)]
            else:
                moves = [
                    (1, (other[1][0], ()), j, (other[0], other[1][1:]))
                    for j, other in enumerate(state)
                    if other[1]
                ]
            for steal, mine, j, theirs in moves:
                after = list(state)
                after[i] = mine
                if j is not None:
                    after[j] = theirs
                best = max(best, steal + most(tuple(sorted(after))))
        return best

    return most(tuple(sorted([(height, ()), *[idle] * (procs - 1)])))


@pytest.mark.parametrize(
    ("arity", "height", "procs"),
    [
        *[(2, height, 2) for height in (1, 2, 3, 4)],
        *[(2, height, 3) for height in (1, 2, 3)],
        *[(2, height, 4) for height in (1, 2)],
        *[(3, height, procs) for height in (1, 2) for procs in (2, 3)],
        (4, 2, 2),
    ],
)
def test_max_steals_is_the_most(arity, height, procs):
    assert max_steals(arity, height, procs) == searched(arity, height, procs)


# -- Wrong arguments.


@pytest.mark.parametrize("load", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
def test_no_steady_state(load):
    for theory in (one_attempt, mm1_time, lambda load: mmn_time(4, load)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            theory(load)


@pytest.mark.parametrize(
    ("theory", "args"),
    [
        (one_attempt, (0.5, -1)),
        (one_attempt, (0.5, float("nan"))),
        (mmn_time, (0, 0.5)),
        (erlang_b, (-1, 0.5)),
        (erlang_b, (1, -0.5)),
        (greedy_bounds, (5, 6, 1)),
        (greedy_bounds, (5, 5, 0)),
        (greedy_bounds, (5, -1, 1)),
        (blumofe_leiserson, (5, 6, 1)),
        (max_steals, (1, 3, 2)),
        (max_steals, (2, -1, 2)),
        (max_steals, (2, 3, 0)),
    ],
)
def test_wrong_arguments(theory, args):
    with pytest.raises(ValueError):
        theory(*args)
