"""Workloads that serve: jobs and requests that come at times of their own.

`poisson` is the model of queueing theory, with arrivals made by the world (`arrivals.py`). In `blocking_server` a G
lets the requests come in, as an accept loop does, so it runs on the host too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from ..chan import Chan
from ..goroutine import go, gomaxprocs
from ..sched.syscall import blocking, to_thread
from ..timer import now, sleep
from ..work import stall, work
from .arrivals import arrivals, rng
from .params import check_params

__all__ = ["Jobs", "Served", "blocking_server", "poisson"]


class Jobs(NamedTuple):
    """Jobs in the order in which they ended.

    Attributes:
        ended: virtual seconds since the start.
        spent: seconds from the arrival to the end.
        arrived: how many have arrived; those beyond the number that ended were still there.
    """

    ended: array[float]
    spent: array[float]
    arrived: int


def poisson(load: float = 0.8, horizon: float = 1.0, service: float = 1e-3) -> Jobs:
    """Serve Poisson arrivals: they come to each P by themselves and work for an exponential time, until `horizon`.

    Only in a simulation. The model of queueing theory if `service` is the unit of time, slices are off and costs
    are zero.

    Args:
        load: the share of its time for which a P has work in the long run.
        service: the mean of a job, in seconds.

    Raises:
        SimulationError: outside a simulation.
        TypeError, ValueError: as `params` has it.
    """
    check_params(locals())
    ended, spent = array("d"), array("d")
    arrived = 0
    start = now()
    random = rng()

    def gaps(stream: Random) -> Iterator[float]:
        nonlocal arrived
        while True:
            yield stream.expovariate(1.0) * service / load
            arrived += 1  # whoever asks for the next gap has just let one in

    def job(arrival: float) -> None:
        work(random.expovariate(1.0) * service)
        end = now()
        ended.append(end - start)
        spent.append(end - arrival)

    for p in range(gomaxprocs()):
        arrivals(p, gaps(Random(random.getrandbits(64))), job)
    sleep(horizon)
    return Jobs(ended, spent, arrived)


class Served(NamedTuple):
    """What a server has done.

    Attributes:
        handled: the numbers of the requests, in the order in which they were answered.
        blocked: how many of their handlers blocked.
        slowest: the longest time from a request to its answer, in seconds.
    """

    handled: list[int]
    blocked: int
    slowest: float


def blocking_server(
    requests: int = 60,
    gap: float = 5e-4,
    service: float = 3e-4,
    block: float = 0.2,
    blocked: float = 4e-3,
    how: str = "blocking",
) -> Served:
    """Serve requests that sometimes block: they come at exponential times of mean `gap`, each to a G of its own.

    Args:
        service: the work of a handler, in seconds: half of it comes before it may block.
        block: the probability that a handler blocks, for `blocked` seconds.
        how: "blocking" (its P can be handed off), "to_thread" (the call moves to a spare M) or "stall" (undeclared).

    Raises:
        TypeError, ValueError: as `params` has it.
    """
    check_params(locals())
    random = rng()
    answers = Chan[tuple[int, bool, float]](requests)

    def handle(number: int, blocks: bool, arrival: float) -> None:
        work(service / 2)
        if blocks:
            BLOCK[how](blocked)
        work(service / 2)
        answers.send((number, blocks, now() - arrival))

    for number in range(requests):
        sleep(random.expovariate(1.0) * gap)
        go(handle, number, random.random() < block, now())
    got = [answers.recv() for _ in range(requests)]
    return Served(
        [number for number, _, _ in got],
        sum(blocks for _, blocks, _ in got),
        max((took for _, _, took in got), default=0.0),
    )


def block_in_place(seconds: float) -> None:
    with blocking():
        stall(seconds)


def block_on_spare(seconds: float) -> None:
    to_thread(stall, seconds)


BLOCK: dict[str, Callable[[float], None]] = {
    "blocking": block_in_place,
    "to_thread": block_on_spare,
    "stall": stall,
}
