"""Directed acyclic graphs of work, and a G for each node.

A node is a G that works and then starts those successors that wait for nobody else any more. So all waiting is before
a G exists: with costs zero no P idles while a G is ready, which is what `theory.greedy_bounds` is about. (A program
that starts a G and goes on working is greedy but for 3 us: so long Go leaves a running P its runnext.)

Lengths are integers, ns, because the bounds are exact for whole units only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf, log
from random import Random
from typing import NamedTuple

from ..goroutine import go
from ..sync import Mutex, WaitGroup
from ..work import work

__all__ = ["Dag", "DagRun", "run_dag"]


def chosen(rng: Random, n: int, share: float) -> Iterator[int]:
    """Each number below `n` with probability `share`; one random number for each that is chosen, not for each."""
    if share <= 0:
        return
    scale = log(1 - share) if share < 1 else -inf
    at = 0
    while True:
        at += int(log(1.0 - rng.random()) / scale)  # how many are passed over: geometric
        if at >= n:
            return
        yield at
        at += 1


@dataclass(frozen=True, slots=True)
class Dag:
    """Nodes 0, 1, ... of which each may only wait for earlier ones.

    Attributes:
        lengths: the work of each node, in ns.
        successors: for each node, those that wait for it.
    """

    lengths: tuple[int, ...]
    successors: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        n = len(self.lengths)
        if len(self.successors) != n or any(length < 0 for length in self.lengths):
            raise ValueError("a Dag has a length that is not negative, and successors, for each node")
        if any(not node < later < n for node, after in enumerate(self.successors) for later in after):
            raise ValueError("a node of a Dag can only wait for an earlier one")

    @classmethod
    def random(cls, rng: Random, nodes: int, edge: float, longest: int) -> Dag:
        """`nodes` nodes of 1 to `longest` ns; each waits for each earlier one with probability `edge`."""
        successors: list[list[int]] = [[] for _ in range(nodes)]
        for later in range(nodes):
            for node in chosen(rng, later, edge):
                successors[node].append(later)
        return cls(tuple(rng.randint(1, longest) for _ in range(nodes)), tuple(map(tuple, successors)))

    @property
    def t1(self) -> int:
        """All work together, in ns."""
        return sum(self.lengths)

    @property
    def tinf(self) -> int:
        """The longest chain of work, in ns."""
        begin = [0] * len(self.lengths)
        for node, length in enumerate(self.lengths):
            for later in self.successors[node]:
                begin[later] = max(begin[later], begin[node] + length)
        return max((b + length for b, length in zip(begin, self.lengths, strict=True)), default=0)

    def waits_for(self) -> list[int]:
        """How many earlier nodes each one waits for."""
        count = [0] * len(self.lengths)
        for after in self.successors:
            for later in after:
                count[later] += 1
        return count

    def allows(self, order: Iterable[int]) -> bool:
        """Is `order` every node once, each after all that it waits for?"""
        left = self.waits_for()
        done = set()
        for node in order:
            if node in done or not 0 <= node < len(left) or left[node]:
                return False
            done.add(node)
            for later in self.successors[node]:
                left[later] -= 1
        return len(done) == len(left)


class DagRun(NamedTuple):
    """What was run, and the nodes in the order in which they finished."""

    dag: Dag
    order: list[int]


def run_dag(dag: Dag) -> DagRun:
    """Run every node of `dag` in a G of its own, as soon as all that it waits for are done."""
    left = dag.waits_for()
    order: list[int] = []
    mutex, group = Mutex(), WaitGroup()
    group.add(len(left))

    def node(number: int) -> None:
        work(dag.lengths[number] / 1e9)
        ready = []
        with mutex:
            order.append(number)
            for later in dag.successors[number]:
                left[later] -= 1
                if not left[later]:
                    ready.append(later)
        for later in ready:
            go(node, later)
        group.done()

    for number in [number for number, count in enumerate(left) if not count]:
        go(node, number)
    group.wait()
    return DagRun(dag, order)
