"""The simulator against queueing theory: the mean time in system of jobs, with its standard error.

What is measured is what the theory is about, and nothing else:

* Poisson arrivals at each P, exponential service of mean 1 s, which is the unit of time; no costs, no slices. A job's
  time is from its arrival to its end. sysmon is off: without slices, calls and timers it has nothing to decide.
* The first tenth of the horizon is discarded. Every job counts that ends in the rest, so at both ends of it as many
  are cut off, and nothing is biased.
* The standard error comes from the means of 20 batches of equally many jobs, in the order in which they ended:
  neighbouring jobs depend on each other, batches hardly. With less than some thousand jobs it is too small.
* Rates are per P and second, in the same nine tenths.

Which theory there is depends on the policy:

| steal | victims | theory                                                                           |
|-------|---------|----------------------------------------------------------------------------------|
| any   | scan    | M/M/N, exactly: no P idles while work waits                                      |
| one   | one     | Mitzenmacher's fixed point, of infinitely many P's: how far N are off is no chance |
| half  | one     | none                                                                             |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import fsum, sqrt
from typing import NamedTuple

from ..arguments import POSITIVE_TIME, check_arguments
from ..current import tls
from ..seconds import to_ns
from . import theory
from .knobs import Policy
from .port import SimPort
from .simulate import simulate
from .workloads import Jobs, poisson

__all__ = ["BATCHES", "WARM_UP", "Check", "batch_means", "check"]

WARM_UP = 0.1  #: of the horizon
BATCHES = 20

ARGUMENTS = {"horizon": POSITIVE_TIME}


class Check(NamedTuple):
    """A measurement beside what theory says.

    Attributes:
        procs, load, steal, victims, retry, horizon, seed: as asked for.
        jobs: how many were measured.
        mean_time: in system, in mean service times.
        std_error: of `mean_time`.
        attempt_rate, success_rate: of stealing, per P and second.
        theory: what `mean_time` should be; None if there is no theory.
        z: how many standard errors lie between the two; None unless the theory is exact.
    """

    procs: int
    load: float
    steal: str
    victims: str
    retry: float
    horizon: float
    seed: int
    jobs: int
    mean_time: float
    std_error: float
    attempt_rate: float
    success_rate: float
    theory: float | None
    z: float | None


def check(
    procs: int,
    load: float,
    *,
    steal: str = "half",
    victims: str = "scan",
    retry: float = 0.0,
    horizon: float = 2000.0,
    seed: int = 0,
) -> Check:
    """Measure the mean time in system on `procs` P's with `load` arrivals per P and second.

    Args:
        steal, victims: as in `Policy`.
        retry: `Policy.retry_rate`.
        horizon: in mean service times.

    Raises:
        ValueError: the load is not in (0, 1), the policy contradicts itself, or too few jobs end within the horizon.
    """
    theory.checked(load)
    check_arguments(ARGUMENTS, {"horizon": horizon})
    policy = policy_of(steal, victims, retry)
    result = simulate(
        measured, load, horizon, procs=procs, seed=seed, like="go", costs="zero", policy=policy, trace=False
    )
    jobs, (attempts, successes) = result.value
    begin = horizon * WARM_UP
    times = [spent for ended, spent in zip(jobs.ended, jobs.spent, strict=True) if begin <= ended <= horizon]
    n, mean, error = batch_means(times)
    expected = theory_of(procs, load, steal, victims, retry)
    return Check(
        *(procs, load, steal, victims, retry, horizon, seed, n, mean, error),
        attempt_rate=attempts / (procs * (horizon - begin)),
        success_rate=successes / (procs * (horizon - begin)),
        theory=expected,
        z=(mean - expected) / error if expected is not None and victims == "scan" and error else None,
    )


def policy_of(steal: str, victims: str, retry: float) -> Policy:
    """Go's or Mitzenmacher's, with nothing in it that the theory does not know.

    Raises:
        ValueError: there is no such policy.
    """
    if victims == "one":
        return replace(Policy.mitzenmacher(retry), steal=steal)
    return Policy(steal=steal, victims=victims, retry_rate=retry, slice=None, sysmon=False)


def theory_of(procs: int, load: float, steal: str, victims: str, retry: float) -> float | None:
    """The mean time by the theory for this policy, if there is one."""
    if victims == "scan":
        return theory.mmn_time(procs, load)
    return theory.one_attempt(load, retry).mean_time if steal == "one" else None


def measured(load: float, horizon: float) -> tuple[Jobs, tuple[int, int]]:
    """The simulation's main: the jobs, and how many attempts and steals there were after the warm-up."""
    sched = tls.m.sched
    port: SimPort = sched.port
    counts: list[tuple[int, int]] = []

    def count() -> None:  # called by the world, not on a P: it disturbs nothing
        counts.append((port.stats["attempts"], port.stats["steals"]))

    begin = port.now()
    for until in (horizon * WARM_UP, horizon):  # in ns just as main's own sleep is
        port.at(begin + to_ns(until), count)
    jobs = poisson(load, horizon, 1.0)
    (attempts, steals), (all_attempts, all_steals) = counts
    return jobs, (all_attempts - attempts, all_steals - steals)


def batch_means(values: Sequence[float], batches: int = BATCHES) -> tuple[int, float, float]:
    """How many were used, their mean and its standard error; the first few are left out so that batches are equal.

    Raises:
        ValueError: less than one for each batch.
    """
    size = len(values) // batches
    if size == 0:
        raise ValueError(f"{len(values)} jobs are too few for {batches} batches: take a longer horizon")
    first = len(values) - size * batches
    means = [fsum(values[i : i + size]) / size for i in range(first, len(values), size)]
    mean = fsum(means) / batches
    variance = fsum((m - mean) ** 2 for m in means) / (batches - 1)
    return size * batches, mean, sqrt(variance / batches)
