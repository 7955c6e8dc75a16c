"""The simulator against queueing theory.

Seeds are fixed, so these tests come out the same each time; the tolerances are those of the statistics. The figures for
finite N beside Mitzenmacher's fixed point come from an independent simulation of the Markov chain: 10 runs of 100,000
mean service times each, a tenth discarded.
"""

from __future__ import annotations

from math import isclose, sqrt
from random import Random

import pytest

from mpg.sim import Policy
from mpg.sim.check import Check, batch_means, check, policy_of
from mpg.sim.theory import mmn_time, one_attempt

#: load: mean time with 16 and with 128 P's, one attempt at one victim.
FINITE = {
    0.5: (1.6138, 1.6170),
    0.7: (2.1021, 2.1061),
    0.8: (2.5768, 2.5647),
    0.9: (3.6568, 3.5523),
    0.95: (5.312, 4.926),
}


def mitzenmacher(procs: int, load: float, horizon: float, retry: float = 0.0, seed: int = 3) -> Check:
    return check(procs, load, steal="one", victims="one", retry=retry, horizon=horizon, seed=seed)


# -- Mitzenmacher.


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_one_attempt_with_16(load):
    found = mitzenmacher(16, load, 2000.0)
    assert abs(found.mean_time - FINITE[load][0]) < 3 * found.std_error < 0.3
    limit = one_attempt(load)
    assert found.theory == limit.mean_time
    assert found.z is None
    assert found.attempt_rate == pytest.approx(limit.attempts, rel=0.05)
    assert found.success_rate == pytest.approx(limit.successes, rel=0.05)


@pytest.mark.parametrize("retry", [0.2, 0.5])
def test_repeated_attempts_with_64(retry):
    found = mitzenmacher(64, 0.8, 500.0, retry)
    limit = one_attempt(0.8, retry)
    assert found.theory == limit.mean_time
    assert found.mean_time == pytest.approx(limit.mean_time, rel=0.04)
    assert found.attempt_rate == pytest.approx(limit.attempts, rel=0.05)
    assert found.success_rate == pytest.approx(limit.successes, rel=0.05)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("load", "horizon"), [(0.5, 4000.0), (0.7, 4000.0), (0.8, 6000.0), (0.9, 16000.0), (0.95, 24000.0)]
)
def test_one_attempt_with_128(load, horizon):
    found = mitzenmacher(128, load, horizon)
    assert found.mean_time == pytest.approx(FINITE[load][1], rel=0.02)
    limit = one_attempt(load)
    assert found.mean_time == pytest.approx(limit.mean_time, rel=0.03)
    assert found.attempt_rate == pytest.approx(limit.attempts, rel=0.02)
    assert found.success_rate == pytest.approx(limit.successes, rel=0.02)


def test_half_of_one_victim_has_no_theory():
    found = check(4, 0.5, steal="half", victims="one", horizon=200.0)
    assert (found.theory, found.z) == (None, None)
    assert found.success_rate > 0


# -- M/M/N.


@pytest.mark.parametrize("steal", ["half", "one"])
@pytest.mark.parametrize(("procs", "load"), [(1, 0.5), (4, 0.5), (4, 0.8), (16, 0.8)])
def test_go_is_mmn(procs, load, steal):
    found = check(procs, load, steal=steal, horizon=16_000.0 / procs, seed=2)
    assert found.theory == mmn_time(procs, load)
    assert found.z == (found.mean_time - found.theory) / found.std_error
    assert abs(found.z) < 3
    assert found.std_error < 0.1 * found.mean_time


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("load", "jobs"), [(0.5, 2e5), (0.8, 3e5), (0.9, 4e5)])
@pytest.mark.parametrize("procs", [4, 8, 16])
def test_go_is_mmn_exactly(procs, load, jobs):
    found = check(procs, load, horizon=jobs / procs / load, seed=1)
    assert abs(found.z) < 3
    assert found.std_error < 0.03 * found.mean_time


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_standard_error_is_one():
    """Over many seeds z has mean 0 and deviation 1, so neither the mean nor its error is biased.

    One seed alone may be far below: a run with few long queues has a low mean and a small error at once.
    """
    found = [check(8, 0.8, horizon=3000.0, seed=seed) for seed in range(30)]
    mean = sum(one.z for one in found) / 30
    deviation = sqrt(sum((one.z - mean) ** 2 for one in found) / 29)
    assert abs(mean) < 3 / sqrt(30)
    assert 0.6 < deviation < 1.5
    pooled = sum(one.mean_time for one in found) / 30
    assert abs(pooled - mmn_time(8, 0.8)) < 3 * sum(one.std_error for one in found) / 30 / sqrt(30)


def test_the_check_can_fail():
    """A policy that lets P's idle while work waits is no M/M/N."""
    found = mitzenmacher(16, 0.8, 1000.0)
    assert (found.mean_time - mmn_time(16, 0.8)) / found.std_error > 10


# -- How it measures.


def test_same_seed_same_figures():
    assert check(4, 0.6, horizon=300.0, seed=9) == check(4, 0.6, horizon=300.0, seed=9)
    assert check(4, 0.6, horizon=300.0, seed=9) != check(4, 0.6, horizon=300.0, seed=8)


def test_jobs_of_the_warm_up_do_not_count():
    found = check(2, 0.5, horizon=2000.0)
    expected = 2 * 0.5 * 0.9 * 2000
    assert abs(found.jobs - expected) < 5 * sqrt(expected)
    assert found.jobs % 20 == 0


def test_every_p_that_becomes_empty_attempts_once():
    """In a steady state M/M/1 becomes empty (1 - load) * load times per unit of time; nobody can be robbed."""
    found = mitzenmacher(1, 0.5, 4000.0)
    assert (found.attempt_rate, found.success_rate) == (0, 0)  # one P has no victim
    two = mitzenmacher(2, 0.05, 4000.0)
    assert two.attempt_rate == pytest.approx(0.05, rel=0.15)  # almost every job leaves its P empty


@pytest.mark.parametrize("horizon", [1388.888888888889, 275 / 9])
def test_horizons_that_are_no_whole_ns(horizon):
    assert check(1, 0.9, horizon=horizon).jobs > 0


def test_batch_means_by_hand():
    n, mean, error = batch_means([99.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0], batches=3)
    assert (n, mean) == (6, 6.0)  # the batches are 2, 6 and 10
    assert isclose(error, 4 / sqrt(3))


def test_batch_means_of_independent_values():
    random = Random(1)
    n, mean, error = batch_means([random.gauss(5, 2) for _ in range(20_000)])
    assert n == 20_000
    assert abs(mean - 5) < 3 * error
    assert error == pytest.approx(2 / sqrt(20_000), rel=0.4)


def test_nothing_that_the_theory_does_not_know():
    assert policy_of("one", "one", 0.5) == Policy.mitzenmacher(0.5)
    assert policy_of("half", "scan", 0.0) == Policy(slice=None, sysmon=False)


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((4, 1.0), {}, "load"),
        ((4, 0.0), {}, "load"),
        ((4, float("nan")), {}, "load"),
        ((0, 0.5), {}, "procs"),
        ((4, 0.5), {"retry": 1.0}, "retry"),
        ((4, 0.5), {"retry": -1.0, "victims": "one"}, "retry"),
        ((4, 0.5), {"steal": "all"}, "steal"),
        ((4, 0.5), {"victims": "two"}, "victims"),
        ((4, 0.5), {"horizon": 0.0}, "horizon"),
        ((4, 0.5), {"horizon": -1.0}, "horizon"),
        ((4, 0.5), {"horizon": float("nan")}, "horizon"),
        ((1, 0.5), {"horizon": 20.0}, "too few"),
    ],
)
def test_wrong_arguments(args, kwargs, text):
    with pytest.raises(ValueError, match=text):
        check(*args, **kwargs)
