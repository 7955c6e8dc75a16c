"""What recording costs, and how long a million events take: `python -m benchmarks.trace [--quick]`.

* off: the switch benchmark of the package as it is against a copy of it without the hooks (`if ... rec is not None`).
* on: the same benchmark with a `Recorder` against without, and an echo over connections on this machine.
* a million events, of a simulation: load, validate, summary, a figure, the page.

CPU time; pairs alternate, each measurement in a process of its own; the medians of the ratios are compared.
"""

from __future__ import annotations

import argparse
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

PACKAGE = Path(mpg.__file__).parent
#: (row, its two sides, the most that the first may take of the second)
PAIRS = (
    ("switch, hooks against none", ("switch", "off"), ("switch", "stripped"), 1.03),
    ("switch, recording against not", ("switch", "on"), ("switch", "off"), 1.40),
    ("echo, recording against not", ("echo", "on"), ("echo", "off"), 1.10),
)
DEARER = {"switch": 1, "echo": 10}  # so many fewer operations
#: the most CPU seconds, and bytes, for a million events
MILLION = {"load_s": 0.5, "all_s": 10.0, "file_bytes": 10e6, "html_bytes": 15e6}

HOOKS = (
    re.compile(
        r"^( +)if (?:woken and )?(?:self|mp)\.rec is not None.*:(?:  #.*)?\n(?:\1    .*\n)+", re.MULTILINE
    ),
    re.compile(r"^( +)if sched\.new_rec is not None and .*:\n(?:\1    .*\n)+", re.MULTILINE),
    re.compile(r"^    rec = mp\.rec\n    if rec is not None.*:\n        .*\n", re.MULTILINE),
    re.compile(r"^    if rec is not None:\n        .*\n", re.MULTILINE),
)
HOT = (
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


def echo(n: int, **knobs: Any) -> float:
    """CPU ns of one echo of 64 bytes, client and server in one run."""
    took = []

    def main() -> None:
        def handler(conn: mpg.net.Conn) -> None:
            while data := conn.recv(1024):
                conn.sendall(data)

        listener = mpg.net.listen("127.0.0.1:0")
        server = mpg.net.Server(listener, handler)
        mpg.go(server.serve)

        def client() -> None:
            with mpg.net.dial(listener.addr) as conn:
                for _ in range(n // 10):
                    conn.sendall(b"x" * 64)
                    conn.recv(1024)

        wg = mpg.sync.WaitGroup()
        begin = time.process_time_ns()
        for _ in range(10):
            wg.go(client)
        wg.wait()
        took.append(time.process_time_ns() - begin)
        server.close()

    mpg.run(main, procs=1, **knobs)
    return took[0] / n


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
    return {"switch": switch, "echo": echo}[what](n, **knobs)


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
                    child(
                        what,
                        mode,
                        n // (10 if what == "echo" else 1),
                        path=Path(folder) if mode == "stripped" else None,
                    )
                    for what, mode in (left, right)
                ]
                ratios.append(pair[0] / pair[1])
                figures.append(pair[0])
            ratio = statistics.median(ratios)
            missed += ratio > most
            print(
                f"{row:32}{statistics.median(figures):9.0f} ns CPU{ratio:7.3f}  at most {most:.2f}"
                f"{'' if ratio <= most else '  MISSED'}"
            )
        figures = child("million", "", 0)
        print("  ".join(f"{name} {value:.3g}" for name, value in figures.items()))
        for name, most in MILLION.items():
            if figures[name] > most:
                missed += 1
                print(f"a million events: {name} is {figures[name]:.3g}, at most {most:.3g}  MISSED")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
