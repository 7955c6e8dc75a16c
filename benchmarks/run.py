"""Runs the benchmarks and prints one table: `python -m benchmarks.run [NAME ...] [--quick] [--json FILE]`.

mpg and its peers take turns, repetition by repetition, each measurement in a process of its own, so that what else
the machine does meets all of them alike; the table has the medians. Exits with 1 if a target is missed or something
could not be measured, with 0 else; a peer that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from typing import Any

from . import echo, golang, stall
from .targets import ABOUT, CONTENDERS, GROUPS, ROWS, Row

TIMEOUT = 180.0


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    repetitions: int = 5
    memory_repetitions: int = 3
    operations: int = 200_000
    requests: int = 100_000
    seconds: float = 5.0
    parked: int = 100_000
    million: int = 1_000_000


QUICK = Size(repetitions=3, memory_repetitions=1, operations=40_000, requests=20_000, seconds=2.0)


@dataclass
class Results:
    go: golang.Go
    samples: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    skipped: dict[str, str] = field(default_factory=dict)  # peer: why
    failed: list[str] = field(default_factory=list)

    def median(self, bench: str, contender: str | None, metric: str) -> float | None:
        values = self.samples.get((bench, contender or "", metric))
        return statistics.median(values) if values else None


def child(module: str, *args: object) -> dict[str, float]:
    """Measures in a process of its own, which prints its figures as JSON."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, args)]
    done = subprocess.run(command, cwd=echo.ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return json.loads(done.stdout)


def measure(bench: str, contender: str, size: Size, go: golang.Go) -> dict[str, float]:
    if bench == "echo":
        return echo.measure(contender, go, size.requests)
    if bench == "stall":
        return stall.measure(contender, go, size.seconds)
    if bench in GROUPS["memory"]:
        return child("memory", bench, size.parked if bench == "parked" else size.million)
    return child("micro", bench, contender, size.operations)


def run(bench: str, size: Size, results: Results) -> None:
    """All repetitions of one benchmark; a contender that fails once is left out of the rest."""
    contenders = [one for one in CONTENDERS[bench] if one not in results.skipped]
    for _ in range(size.memory_repetitions if bench in GROUPS["memory"] else size.repetitions):
        for contender in tuple(contenders):
            try:
                figures = measure(bench, contender, size, results.go)
            except (OSError, ValueError, RuntimeError, subprocess.SubprocessError) as error:
                lines = (getattr(error, "stderr", None) or "").strip().splitlines()
                results.failed.append(f"{bench}, {contender}: {lines[-1] if lines else error}")
                contenders.remove(contender)
                continue
            for metric, value in figures.items():
                results.samples[bench, contender, metric].append(value)


def header(results: Results) -> str:
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    parts = [
        f"{platform.python_implementation()} {platform.python_version()}",
        f"GIL {'on' if gil else 'off'}",
    ]
    for name in ("greenlet", "gevent", "uvloop"):
        if importlib.util.find_spec(name):
            parts.append(f"{name} {importlib.metadata.version(name)}")
    parts += [results.go.version] if results.go.version else []
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    return ", ".join([*parts, f"{len(os.sched_getaffinity(0))} CPUs, load {load}"])


def number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "-"
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} {unit}".rstrip()


def judge(row: Row, results: Results) -> dict[str, Any]:
    """A row with its medians, its ratio and whether it meets its target."""
    ours = results.median(row.bench, row.ours, row.metric)
    peer = results.median(row.bench, row.peer, row.metric)
    ratio = ours / peer if ours is not None and peer else None
    figure = ratio if row.peer else ours
    met = None if figure is None else row.met(figure)
    return asdict(row) | {"value": ours, "peer_value": peer, "ratio": ratio, "met": met}


def table(rows: list[dict[str, Any]]) -> str:
    lines = [("benchmark", "mpg", "peer", "", "ratio", "target", "met")]
    for row in rows:
        name = f"{row['bench']} {row['metric']}" + ("" if row["ours"] == "mpg" else ", 4 P's")
        target = "-" if row["limit"] is None else f"{row['sense']} {number(row['limit'])}"
        met = {True: "yes", False: "NO", None: "-"}[row["met"]]
        peer = "-" if row["peer"] is None else "mpg, one P" if row["peer"] == "mpg" else row["peer"]
        theirs = number(row["peer_value"], row["unit"])
        lines.append(
            (name, number(row["value"], row["unit"]), peer, theirs, number(row["ratio"]), target, met)
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([text[0], "-" * max(map(len, text)), *text[1:]])


def arguments() -> argparse.Namespace:
    names = "\n".join(f"  {name:<10} {about}" for name, about in ABOUT.items())
    groups = "\n".join(f"  {name:<10} {' '.join(of)}" for name, of in GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        epilog=f"names:\n{names}\n\ngroups:\n{groups}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="benchmarks or groups of them; all if none")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and less of everything")
    parser.add_argument("--json", metavar="FILE", help="also write every measurement to FILE")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in CONTENDERS and name not in GROUPS]
    if unknown:
        parser.error(f"no benchmark called {', '.join(unknown)}")
    wanted = {one for name in args.names or ["all"] for one in GROUPS.get(name, (name,))}
    args.names = [name for name in CONTENDERS if name in wanted]
    return args


def main() -> int:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="mpg-bench-") as directory:
        needs_go = not {"echo", "stall"}.isdisjoint(args.names)
        results = Results(golang.build(directory) if needs_go else golang.Go(absent="not needed"))
        if needs_go and not results.go:
            results.skipped["go"] = f"{results.go.absent}; the client is the slower one in Python"
        for peer in ("gevent", "uvloop"):
            if importlib.util.find_spec(peer) is None:
                results.skipped[peer] = "not installed"
        print(header(results), flush=True)
        for peer, why in results.skipped.items():
            print(f"skipped: {peer}: {why}", flush=True)
        for name in args.names:
            print(f"measuring {name}", file=sys.stderr, flush=True)
            run(name, QUICK if args.quick else Size(), results)
    shown = [row for row in ROWS if row.bench in args.names and row.peer not in results.skipped]
    rows = [judge(row, results) for row in shown]
    print(table(rows))
    for line in results.failed:
        print(f"failed: {line}")
    if args.json:
        samples = {" ".join(key): values for key, values in results.samples.items()}
        with open(args.json, "w") as file:
            json.dump({"about": header(results), "rows": rows, "samples": samples}, file, indent=1)
    return 1 if results.failed or any(row["met"] is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
