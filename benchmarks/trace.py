"""What recording costs, and how long a million events take: `python -m benchmarks.trace [--quick]`.

* off: the switch benchmark of the package as it is against a copy of it without the hooks (`if ... rec is not None`).
* on: the same benchmark with a `Recorder` against without, and the echo benchmark's server the same way; and that
  with a recorder that is full, so that for each record the oldest one is dropped.
* a million events, of a simulation: load, validate, summary, a figure, the page.

CPU time; pairs alternate, each measurement in a process of its own, but for the echo servers, which take turns; the
medians of the ratios are compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import mpg
from benchmarks import echo, golang

PACKAGE = Path(mpg.__file__).parent
#: (row, its two sides, the most that the first may take of the second)
PAIRS = (
    ("switch, hooks against none", ("switch", "off"), ("switch", "stripped"), 1.03),
    ("switch, recording against not", ("switch", "on"), ("switch", "off"), 1.40),
)
ECHO = {
    "mpg1-recording": ("echo, recording against not", 1.10),
    "mpg1-full": ("echo, a full recorder against none", None),
}
#: the most CPU seconds, and bytes, for a million events
MILLION = {"load_s": 0.5, "all_s": 10.0, "file_bytes": 10e6, "html_bytes": 15e6}

HOOKS = (
    re.compile(
        r"^( +)if (?:woken and )?(?:self|mp)\.rec is not None.*:(?:  #.*)?\n(?:\1    .*\n)+", re.MULTILINE
    ),
    re.compile(r"^( +)if sched\.new_rec is not None and .*:\n(?:\1    .*\n)+", re.MULTILINE),
    re.compile(
        r"^( +)rec = (?:self|mp)\.rec\n\1if rec is not None.*:(?:  #.*)?\n(?:\1    .*\n|\1else:\n)+",
        re.MULTILINE,
    ),
    re.compile(r"^    if rec is not None:\n        .*\n", re.MULTILINE),
)
HOT = (
    "goroutine.py",
    "sched/doorbell.py",
    "sched/movable.py",
    "sched/netpoll.py",
    "sched/park.py",
    "sched/pinned.py",
    "sched/proc.py",
    "sched/ready.py",
    "sched/runq.py",
    "sched/stacks.py",
    "sched/steal.py",
    "sched/timers.py",
)


def stripped(folder: Path) -> int:
    """A copy of the package without hooks on the hot paths; how many there were."""
    shutil.copytree(PACKAGE, folder / "mpg", ignore=shutil.ignore_patterns("__pycache__"))
    n = 0
    for name in HOT:
        file = folder / "mpg" / name
        text = file.read_text()
        for hook in HOOKS:
            text, k = hook.subn("", text)
            n += k
        file.write_text(text)
    return n


def switch(n: int, **knobs: Any) -> float:
    """CPU ns of one yield of two G's that take turns."""

    def turns() -> None:
        for _ in range(n // 2):
            mpg.gosched()

    took = []

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        begin = time.process_time_ns()
        wg.go(turns)
        wg.go(turns)
        wg.wait()
        took.append(time.process_time_ns() - begin)

    mpg.run(main, procs=1, **knobs)
    return took[0] / n


def echo_ratios(repetitions: int, requests: int) -> dict[str, tuple[list[float], list[float]]]:
    """The echo benchmark's CPU us per request of servers that record, and against one that does not, each time.

    The servers live for all of it, and take turns at being loaded; who is first alternates too.
    """
    found: dict[str, tuple[list[float], list[float]]] = {kind: ([], []) for kind in ECHO}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        go = golang.build(folder)
        servers = [stack.enter_context(echo.Server(kind, go)) for kind in ("mpg1", *ECHO)]
        for server in servers:
            server.load(f"--requests={requests}")
        for i in range(repetitions):
            first = i % len(servers)
            turn = servers[first:] + servers[:first]
            took = {server.kind: server.measure(requests)["cpu"] for server in turn}
            for kind, (figures, ratios) in found.items():
                figures.append(took[kind])
                ratios.append(took[kind] / took["mpg1"])
    return found


def million() -> dict[str, float]:
    """CPU seconds and bytes for a million events."""

    times = Random(1)  # equal ones would make a trace that repeats itself

    def pairs() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(32):
            a, b = mpg.Chan[int](), mpg.Chan[int]()

            def ping(a: Any = a, b: Any = b) -> None:
                for i in range(4500):
                    mpg.work(2e-6 * times.random())
                    a.send(i)
                    b.recv()

            def pong(a: Any = a, b: Any = b) -> None:
                for _ in range(4500):
                    b.send(a.recv())

            wg.go(ping)
            wg.go(pong)
        wg.wait()

    trace = mpg.simulate(pairs, procs=8, seed=1, trace=mpg.trace.Recorder(limit=10_000_000)).trace
    out: dict[str, float] = {"events": len(trace)}
    with tempfile.TemporaryDirectory() as folder:
        path, page = Path(folder, "t.npz"), Path(folder, "t.html")
        trace.save(path)
        out["file_bytes"] = path.stat().st_size

        def timed(name: str, call: Callable[[], Any]) -> Any:
            begin = time.process_time()
            value = call()
            out[name] = time.process_time() - begin
            return value

        loaded = timed("load_s", lambda: mpg.trace.load(path))
        timed("validate_s", loaded.validate)
        timed("summary_s", loaded.summary)
        try:
            import matplotlib as mpl

            mpl.use("Agg")
            import scheduler_viz

            timed("draw_s", lambda: scheduler_viz.p_timeline(loaded).figure.savefig(Path(folder, "p.png")))
        except ImportError:
            pass
        timed("html_s", lambda: loaded.to_html(page))
        out["html_bytes"] = page.stat().st_size
    out["all_s"] = sum(out.get(name, 0.0) for name in ("load_s", "validate_s", "summary_s", "draw_s"))
    return out


def child(what: str, mode: str, n: int, *, path: Path | None = None) -> Any:
    """Measure in a process of its own."""
    env = {**os.environ, "PYTHONPATH": f"{path or PACKAGE.parent}{os.pathsep}{Path(__file__).parent.parent}"}
    command = [sys.executable, str(Path(__file__)), "--child", what, mode, str(n)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=True)
    return json.loads(done.stdout)


def measure(what: str, mode: str, n: int) -> Any:
    if what == "million":
        return million()
    knobs: dict[str, Any] = {"trace": mpg.trace.Recorder()} if mode == "on" else {}
    return switch(n, **knobs)


def report(row: str, figure: float, ratio: float, most: float | None) -> bool:
    """Print a line of the table; whether the target is missed."""
    missed = most is not None and ratio > most
    target = "" if most is None else f"  at most {most:.2f}"
    print(f"{row:36}{figure:9.0f} ns CPU{ratio:7.3f}{target}{'  MISSED' * missed}")
    return missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "MODE", "N"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        what, mode, n = args.child
        print(json.dumps(measure(what, mode, int(n))))
        return 0
    repetitions, n = (5, 100_000) if args.quick else (15, 300_000)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        print(f"{stripped(Path(folder))} hooks taken out of the copy")
        for row, left, right, most in PAIRS:
            ratios, figures = [], []
            for _ in range(repetitions):
                pair = [
                    child(what, mode, n, path=Path(folder) if mode == "stripped" else None)
                    for what, mode in (left, right)
                ]
                ratios.append(pair[0] / pair[1])
                figures.append(pair[0])
            missed += report(row, statistics.median(figures), statistics.median(ratios), most)
        for kind, (figures, ratios) in echo_ratios(4 * repetitions, n // 10).items():
            row, target = ECHO[kind]
            missed += report(row, 1e3 * statistics.median(figures), statistics.median(ratios), target)
        totals = child("million", "", 0)
        print("  ".join(f"{name} {value:.3g}" for name, value in totals.items()))
        for name, most in MILLION.items():
            if totals[name] > most:
                missed += 1
                print(f"a million events: {name} is {totals[name]:.3g}, at most {most:.3g}  MISSED")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
