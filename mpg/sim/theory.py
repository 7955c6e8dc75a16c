"""What a simulation must come to: queueing theory and bounds, in closed form.

Rules:

* Time is in mean service times, so the rate of service is 1. `load` is the rate of arrivals per processor,
  below 1: with more there is no steady state, and that is a ValueError.
* Each docstring names its formula and where it is from. "Derived" means that the balance equations are given, and
  that the formula solves them.
* Two models of how work spreads, and two policies that must reproduce them:

  | model                               | is exact for                               | policy                  |
  |-------------------------------------|--------------------------------------------|-------------------------|
  | one attempt (`one_attempt`)         | infinitely many processors, else nearly    | `Policy.mitzenmacher()` |
  | M/M/N (`mmn_time`)                  | any number, if no P idles while work waits | Go's, with zero costs   |

No simulation is imported here and nothing is fitted to one.

Rejected: the sums with factorials that textbooks give for Erlang's formulas, which overflow at a few hundred
servers; the simulation of a differential equation where the fixed point can be written down.
"""

from __future__ import annotations

from math import comb, isfinite, sqrt
from typing import NamedTuple

__all__ = [
    "BlumofeLeiserson",
    "OneAttempt",
    "blumofe_leiserson",
    "erlang_b",
    "erlang_c",
    "greedy_bounds",
    "max_steals",
    "mm1_time",
    "mmn_time",
    "one_attempt",
]


class OneAttempt(NamedTuple):
    """The fixed point of stealing by single attempts, for infinitely many processors.

    Attributes:
        load: arrivals per processor and unit of time.
        retry: further attempts of an idle processor per unit of time.
        pi2: the share of processors with at least two jobs.
        rho: how fast the tail falls: pi(i + 1) = rho * pi(i) from i = 2 on.
        mean_time: of a job, from its arrival to its end.
        attempts, successes: per processor and unit of time.
        stolen: the share of all jobs that are stolen.
    """

    load: float
    retry: float
    pi2: float
    rho: float
    mean_time: float
    attempts: float
    successes: float
    stolen: float

    def pi(self, i: int) -> float:
        """The share of processors with at least `i` jobs."""
        if i < 0:
            raise ValueError(f"a number of jobs is not negative: {i}")
        if i < 2:
            return self.load if i else 1.0
        return self.pi2 * self.rho ** (i - 2)


def one_attempt(load: float, retry: float = 0.0) -> OneAttempt:
    """A processor that becomes empty asks one random other and takes one job, if that has one waiting.

    Poisson arrivals at each processor, exponential service. Fixed point, with L the load:

        pi0 = 1, pi1 = L, pi2 = ((1 + L) - sqrt((1 + L)**2 - 4 L**2)) / 2
        pi(i) = pi2 rho**(i - 2), rho = L / (1 + L - pi2)
        mean time 1 + L / (1 - pi2), attempts L - pi2, successes (L - pi2) pi2

    Source: M. Mitzenmacher, Analyses of Load Stealing Models Based on Differential Equations (SPAA 1998; Theory
    of Computing Systems 34), the simplest model.

    With `retry` = r, an idle processor goes on asking, at the times of a Poisson process of that rate. Derived:
    attempts become L - pi2 + r (1 - L), each still succeeds with probability pi2, and the balances

        L (1 - L) + r (1 - L) pi2 = (L - pi2) (1 - pi2)             processors with a job
        L (pi(i-1) - pi(i)) = (pi(i) - pi(i+1)) (1 + attempts)      at least i >= 2 jobs

    have the root and the ratio used here; the mean time is the sum of all pi(i) over L (Little's law).

    Raises:
        ValueError: the load is not in (0, 1), or `retry` is negative.
    """
    load = checked(load)
    if not (isfinite(retry) and retry >= 0):
        raise ValueError(f"a rate of attempts is not negative: {retry!r}")
    # The first balance is pi2**2 - b pi2 + load**2 = 0. Of its roots the smaller, in a form that does not cancel.
    b = 1 + load + retry * (1 - load)
    pi2 = 2 * load * load / (b + sqrt(b * b - 4 * load * load))
    attempts = load - pi2 + retry * (1 - load)
    rho = load / (1 + attempts)
    successes = attempts * pi2
    mean_time = (load + pi2 / (1 - rho)) / load
    return OneAttempt(load, retry, pi2, rho, mean_time, attempts, successes, successes / load)


def erlang_b(servers: int, offered: float) -> float:
    """The share of arrivals that find all of `servers` busy, if those are lost.

    B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), with a = `offered` the rate of arrivals. Source: A. K. Erlang (1917),
    in the recursion that every text on teletraffic has.

    Raises:
        ValueError: less than no server, or a negative rate.
    """
    if servers < 0 or not (isfinite(offered) and offered >= 0):
        raise ValueError(f"there are no {servers!r} servers with {offered!r} arrivals")
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = offered * blocked / (k + offered * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """The share of jobs that have to wait in M/M/N: C = B / (1 - L (1 - B)), with B of `erlang_b` for a rate N L.

    Raises:
        ValueError: the load is not in (0, 1), or there is no server.
    """
    load = checked(load)
    if servers < 1:
        raise ValueError(f"M/M/N has at least one server, not {servers!r}")
    blocked = erlang_b(servers, servers * load)
    return blocked / (1 - load * (1 - blocked))


def mmn_time(servers: int, load: float) -> float:
    """Mean time of a job in M/M/N, waiting and service: 1 + C / (N (1 - L)), with C of `erlang_c`.

    The mean is the same for every policy that never lets a server idle while a job waits and does not look at how
    long jobs are: with exponential service all of them finish jobs at the same rate, so there are equally many
    in the system. How many are stolen at a time does not matter, nor do time slices.

    Raises:
        ValueError: the load is not in (0, 1), or there is no server.
    """
    return 1 + erlang_c(servers, load) / (servers * (1 - load))


def mm1_time(load: float) -> float:
    """Mean time of a job in M/M/1: 1 / (1 - L). So it is where nobody steals.

    Raises:
        ValueError: the load is not in (0, 1).
    """
    return 1 / (1 - checked(load))


def greedy_bounds(t1: int, tinf: int, procs: int) -> tuple[int, float]:
    """The least and the greatest makespan on `procs` P's if no P ever idles while a G is runnable.

        max(ceil(T1 / P), Tinf) <= TP <= (T1 - Tinf) / P + Tinf

    Source: R. Brent (1974), R. Graham (1969); the upper bound as in R. Blumofe and C. Leiserson, Scheduling
    Multithreaded Computations by Work Stealing (J. ACM 46, 1999).

    Args:
        t1: all work together, in whole units of time that are not divided, such as ns.
        tinf: the longest chain of work in which each part waits for the one before, in the same unit.

    Raises:
        ValueError: not 0 <= Tinf <= T1, or no P.
    """
    if not 0 <= tinf <= t1 or procs < 1:
        raise ValueError(f"there is no program with T1 {t1!r} and Tinf {tinf!r} on {procs!r} P's")
    return max(-(-t1 // procs), tinf), (t1 - tinf) / procs + tinf


class BlumofeLeiserson(NamedTuple):
    """What randomised stealing is expected to need.

    Attributes:
        makespan: T1 / P + c Tinf.
        attempts: to steal: c P Tinf.
        space: P times what one P needs.
    """

    makespan: float
    attempts: float
    space: float


def blumofe_leiserson(
    t1: float, tinf: float, procs: int, *, c: float = 1.0, space: float = 1.0
) -> BlumofeLeiserson:
    """E[TP] = T1/P + O(Tinf), O(P Tinf) attempts to steal and space of at most P S1, for fully strict programs.

    Source: R. Blumofe and C. Leiserson (J. ACM 46, 1999). The theorem does not say how large the constant is: `c`
    is what a measurement fits, so these are lines to compare with and not bounds.

    Args:
        space: S1, what the program needs on one P.

    Raises:
        ValueError: not 0 <= Tinf <= T1, or no P.
    """
    if not 0 <= tinf <= t1 or procs < 1:
        raise ValueError(f"there is no program with T1 {t1!r} and Tinf {tinf!r} on {procs!r} P's")
    return BlumofeLeiserson(t1 / procs + c * tinf, c * procs * tinf, procs * space)


def max_steals(arity: int, height: int, procs: int) -> int:
    """The most steals that can succeed in a complete k-ary tree of height h on n P's: it is reached.

        sum of (k - 1)**i C(h, i) for i = 1 ... n - 1

    One P begins with the root and n - 1 are idle. A P that comes to an inner node goes on with one child and queues
    the others; it takes its own youngest, a thief the oldest, one at a time.

    Source: C. Leiserson, T. Schardl, W. Suksompong, Upper Bounds on Number of Steals in Rooted Trees (Theory of
    Computing Systems 58, 2016). Its abstract lets the sum end at n; with n P's, one of which begins with the root,
    every case that can be searched exhaustively comes to this sum, which ends at the number of thieves.

    Raises:
        ValueError: fewer than two children, a negative height, or no P.
    """
    if arity < 2 or height < 0 or procs < 1:
        raise ValueError(f"there is no {arity!r}-ary tree of height {height!r} on {procs!r} P's")
    return sum((arity - 1) ** i * comb(height, i) for i in range(1, procs))


def checked(load: float) -> float:
    if not 0 < load < 1:
        raise ValueError(f"the load is between 0 and 1, both excluded, not {load!r}")
    return load
