"""Programs to schedule: each a plain function, for `mpg.simulate` and for `mpg.run` alike.

Rules:

* Every argument has a default, so `mpg.simulate(fork_join)` and `mpg.run(fork_join)` both work; the defaults are a
  few ms to a few hundred ms of work. Times are in seconds. What else an argument may be is in `params.py`.
* The graph of `random_dag` is in `dag.py`, and what serves requests in `serving.py`.
* What takes time is `mpg.work` and `mpg.stall`; random numbers are those of `mpg.sim.rng()`, so in a simulation the
  seed determines them.
* Each returns what can be checked: that nothing was lost, done twice or done too early.
* WORKLOADS maps names to functions, for the command line and for sweeps. Only `poisson` needs a simulation.

| name                  | what it stresses                                                    |
|-----------------------|---------------------------------------------------------------------|
| `fork_join`           | spawning and joining: a complete tree, each node waits for its own   |
| `spawn_tree`          | stealing: the same tree, and only main waits                        |
| `random_dag`          | dependencies: each node starts what has waited for it alone          |
| `unequal`             | balance: CPU-bound G's of which a few are long                      |
| `ping_pong`           | hand-overs between two G's                                          |
| `producers_consumers` | a bounded buffer with several at both ends                          |
| `poisson`             | arrivals at each P by themselves: queueing theory                   |
| `blocking_server`     | handlers that sometimes block                                       |
| `hog`                 | one long computation among short G's: preemption, stealing          |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..chan import Chan
from ..goroutine import go
from ..sync import Mutex, WaitGroup
from ..timer import now, sleep
from ..work import work
from .arrivals import rng
from .dag import Dag, DagRun, run_dag
from .params import check_params
from .serving import Jobs, Served, blocking_server, poisson

__all__ = [
    "WORKLOADS",
    "Hogged",
    "Jobs",
    "Served",
    "blocking_server",
    "fork_join",
    "hog",
    "ping_pong",
    "poisson",
    "producers_consumers",
    "random_dag",
    "spawn_tree",
    "unequal",
]


# -- Trees and graphs.


def fork_join(height: int = 6, arity: int = 2, node: float = 2e-4) -> int:
    """Fork and join a complete tree: a node works for `node` seconds, starts its children and waits for them.

    Returns the number of nodes, as the joins have added it up.
    """
    check_params(locals())

    def fork(height: int) -> int:
        work(node)
        if height == 0:
            return 1
        children = [go(fork, height - 1) for _ in range(arity)]
        total = 1
        for child in children:
            child.join()
            total += child.result
        return total

    return fork(height)


def spawn_tree(height: int = 6, arity: int = 2, node: float = 2e-4, jitter: float = 0.0) -> list[int]:
    """Spawn a complete tree: an inner node starts all its children but one and goes on as that one; only main waits.

    This is the tree of `theory.max_steals`. A node works for `node` seconds, give or take the share `jitter`, 0 to 1.

    Returns how many nodes there were at each depth.
    """
    check_params(locals())
    levels = [0] * (height + 1)
    mutex, group = Mutex(), WaitGroup()
    random = rng()

    def descend(depth: int) -> None:
        while True:
            work(node * random.uniform(1 - jitter, 1 + jitter))
            with mutex:
                levels[depth] += 1
            if depth == height:
                return
            depth += 1
            for _ in range(arity - 1):
                group.go(descend, depth)

    descend(0)
    group.wait()
    return levels


def random_dag(nodes: int = 60, edge: float = 0.08, longest: float = 1e-3) -> DagRun:
    """Run a random graph of work: each waits for each earlier one with probability `edge`, and takes up to `longest`.

    Returns the graph and the nodes in the order in which they finished; `dag.allows(order)` says if that is legal.
    """
    check_params(locals())
    return run_dag(Dag.random(rng(), nodes, edge, max(1, round(longest * 1e9))))


# -- Plain loads.


def unequal(count: int = 60, shortest: float = 1e-4, longest: float = 2e-2) -> list[float]:
    """Compute in G's of unequal length: `count`, uniform on a logarithmic scale, so a few make most of the work.

    Returns their lengths in the order in which they finished.
    """
    check_params(locals())
    random = rng()
    finished: list[float] = []
    group = WaitGroup()

    def compute(length: float) -> None:
        work(length)
        finished.append(length)

    for _ in range(count):
        group.go(compute, shortest * (longest / shortest) ** random.random())
    group.wait()
    return finished


def hog(shorts: int = 30, short: float = 2e-4, gap: float = 1e-3, length: float = 6e-2) -> Hogged:
    """Run a long computation among short G's: one of `length` seconds, while a short one comes every `gap` seconds.

    Returns how long each short G took from its creation to its end.
    """
    check_params(locals())
    done = Chan[float](shorts)
    group = WaitGroup()
    group.go(work, length)

    def serve(created: float) -> None:
        work(short)
        done.send(now() - created)

    for _ in range(shorts):
        sleep(gap)
        go(serve, now())
    times = [done.recv() for _ in range(shorts)]
    group.wait()
    return Hogged(times, length)


class Hogged(NamedTuple):
    """Seconds that each short G took, in the order in which they finished, and the length of the hog."""

    times: list[float]
    length: float


# -- Channels.


def ping_pong(pairs: int = 1, hops: int = 200, node: float = 0.0) -> list[int]:
    """Hand a number to and fro between two G's: `hops` times each way, adding one, after `node` seconds of work.

    Returns the number that each of `pairs` ends with: twice `hops`.
    """
    check_params(locals())

    def play(ball: Chan[int], back: Chan[int]) -> None:
        for number in ball:
            work(node)
            back.send(number + 1)

    def pair() -> int:
        ball, back = Chan[int](), Chan[int]()
        go(play, ball, back)
        number = 0
        for _ in range(hops):
            ball.send(number)
            number = back.recv() + 1
            work(node)
        ball.close()
        return number

    gs = [go(pair) for _ in range(pairs)]
    for g in gs:
        g.join()
    return [g.result for g in gs]


def producers_consumers(
    producers: int = 3,
    consumers: int = 4,
    items: int = 40,
    capacity: int = 8,
    produce: float = 1e-4,
    consume: float = 2e-4,
) -> list[int]:
    """Share a bounded buffer: `producers` make `items` numbers each, all different, and `consumers` take them out.

    Returns all that was taken, sorted: every number below producers * items.
    """
    check_params(locals())
    buffer, taken = Chan[int](capacity), Chan[list[int]](consumers)
    group = WaitGroup()

    def producer(first: int) -> None:
        for number in range(first, first + items):
            work(produce)
            buffer.send(number)

    def consumer() -> None:
        own = []
        for number in buffer:
            work(consume)
            own.append(number)
        taken.send(own)

    for i in range(producers):
        group.go(producer, i * items)
    for _ in range(consumers):
        go(consumer)
    group.wait()
    buffer.close()
    return sorted(number for _ in range(consumers) for number in taken.recv())


#: The functions by name.
WORKLOADS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        fork_join,
        spawn_tree,
        random_dag,
        unequal,
        ping_pong,
        producers_consumers,
        poisson,
        blocking_server,
        hog,
    )
}
