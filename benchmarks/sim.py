"""How fast simulations are: `python -m benchmarks.sim`, or with names of workloads; `--large` for the large one alone.

Each workload runs on 8 P's twice in a process of its own: with tracing, for its number of events, and without, for the
CPU time of this process, invariants off; the best of three. The large one puts 1,000,000 G's through 1,024 P's, a
hundred thousand alive at most: seconds, and the most resident memory of its process.

CPU time, because machines are shared. Some seconds each, the large one minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import mpg
from benchmarks.memory import peak
from mpg.sim.workloads import WORKLOADS
from mpg.trace import Recorder

TARGET = 150_000  #: events per second
PROCS = 8
ROUNDS = 3

#: Arguments that make a few hundred thousand events of each.
SIZES: dict[str, dict[str, Any]] = {
    "fork_join": {"height": 14},
    "spawn_tree": {"height": 14},
    "random_dag": {"nodes": 20_000, "edge": 0.0005},
    "unequal": {"count": 20_000},
    "ping_pong": {"pairs": 8, "hops": 6_000, "node": 1e-6},
    "producers_consumers": {"producers": 8, "consumers": 8, "items": 4_000},
    "poisson": {"horizon": 1_500},
    "blocking_server": {"requests": 5_000},
    "hog": {"shorts": 10_000},
}


def measure(name: str) -> dict[str, float]:
    """Events and seconds of one workload."""
    function = WORKLOADS[name]
    knobs: dict[str, Any] = {"procs": PROCS, "seed": 1}

    def main() -> None:
        function(**SIZES[name])

    trace = mpg.simulate(main, trace=Recorder(20_000_000), **knobs).trace
    events = len(trace) + trace.metadata["dropped"]
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        mpg.simulate(main, trace=False, **knobs)
        took.append(time.process_time() - began)
    return {"events": events, "seconds": min(took)}


def large(gs: int = 1_000_000, procs: int = 1024, alive: int = 100_000) -> dict[str, float]:
    """Many G's on many P's."""

    def main() -> None:
        room = mpg.Chan[None](alive)

        def short(length: float) -> None:
            mpg.work(length)
            room.recv()

        rng = mpg.sim.rng()
        for _ in range(gs):
            room.send(None)
            mpg.go(short, rng.random() * 1e-3)

    began = time.process_time()
    found = mpg.simulate(main, procs=procs, trace=False)
    return {
        "seconds": time.process_time() - began,
        "peak": peak() / 1e9,
        "spawns": found.stats["spawns"],
        "now": found.now,
    }


def alone(*arguments: str) -> dict[str, float]:
    """What `--one` prints, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.sim", "--one", *arguments]
    out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def run() -> None:
    parser = argparse.ArgumentParser(description="How fast simulations are.")
    parser.add_argument("names", nargs="*", metavar="WORKLOAD", help="workloads; default: all")
    parser.add_argument("--large", action="store_true", help="1,024 P's and a million G's instead")
    parser.add_argument("--one", choices=[*SIZES, "large"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(large() if args.one == "large" else measure(args.one)))
        return
    if args.large:
        found = alone("large")
        print(
            f"{found['spawns']:,} G's on 1,024 P's: {found['seconds']:.0f} s, {found['peak']:.2f} GB at most"
        )
        return
    if unknown := set(args.names) - set(SIZES):
        parser.error(f"there is no workload {', '.join(sorted(unknown))}: there are {', '.join(SIZES)}")
    print(f"{'workload':22}{'events':>10}{'seconds':>10}{'events/s':>12}{'target':>10}")
    for name in args.names or SIZES:
        found = alone(name)
        rate = found["events"] / found["seconds"]
        print(
            f"{name:22}{found['events']:>10,}{found['seconds']:>10.2f}{rate:>12,.0f}{TARGET:>10,}", flush=True
        )


if __name__ == "__main__":
    run()
