"""The pictures of the documentation: `python docs/pictures.py [NAME ...]`, some minutes for all of them.

* `two_worlds.png`: one program on threads and in virtual time, as `scheduler_viz` draws its traces.
* `one_blocking_call.png`: what the clients of a server see while one handler holds its thread for half a second
  without saying so: asyncio, gevent, mpg, and mpg with `to_thread`. Each server is a process of its own
  (`servers_for_pictures.py`); a peer that is not installed is left out, with a line that says so.
* `theory.png`: mean time in system against load: curves from formulas, points from simulations.

Nothing is drawn that was not measured or worked out in this run. The colours are those of `scheduler_viz`, no text has
less than 7 points, and colour is never alone: marks differ in shape as well.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from servers_for_pictures import Reply, measure  # noqa: E402

import mpg  # noqa: E402
import scheduler_viz as viz  # noqa: E402
from mpg.sim import theory  # noqa: E402
from mpg.sim.check import check  # noqa: E402
from mpg.trace import Trace, derive  # noqa: E402
from scheduler_viz.style import INK, STATES  # noqa: E402

BLUE, RED, GREEN = (STATES[name].colour for name in ("running", "syscall", "system"))
DPI = 130


# -- two_worlds.png


def tree(height: int) -> None:
    """Work, start two more of us and wait for them."""
    mpg.work(0.002)
    if height:
        for child in [mpg.go(tree, height - 1) for _ in range(2)]:
            child.join()


def declared() -> None:
    """A blocking call that says so: its P goes to another thread at once."""
    mpg.work(0.002)
    with mpg.blocking():
        mpg.stall(0.02)


def undeclared() -> None:
    """One that does not: what has not started behind it is stolen."""
    mpg.work(0.002)
    mpg.stall(0.025)
    mpg.work(0.002)


def main() -> None:
    children = [mpg.go(tree, 3), mpg.go(undeclared), mpg.go(tree, 2), mpg.go(declared)]
    for child in children:
        child.join()


def two_worlds() -> Any:
    """A program on threads, over the same program in virtual time."""
    recorder = mpg.trace.Recorder()
    mpg.run(main, procs=3, trace=recorder)
    traces = [recorder.trace, mpg.simulate(main, procs=3).trace]
    python = traces[0].metadata["python"]
    build = "one GIL" if traces[0].metadata["gil"] else "no GIL"
    titles = [
        f"mpg.run(main, procs=3): threads of CPython {python}, {build}",
        "mpg.simulate(main, procs=3): the same program in virtual time, as Go would run it",
    ]
    figure, rows = plt.subplots(2, 1, figsize=(9, 5.3), layout="constrained", sharex=True)
    end = max(float(trace.ts[-1] - trace.ts[0]) for trace in traces) / 1e9
    for ax, trace, title in zip(rows, traces, titles, strict=True):
        viz.p_timeline(trace, ax=ax)
        ax.set_title(title, loc="left", fontsize=10, pad=24)
        mark_handoff(ax, trace)
    rows[0].set_xlim(0, end)
    return figure


def mark_handoff(ax: Any, trace: Trace) -> None:
    """An arrow at the first hand-off."""
    found = derive.handoffs(trace)
    if len(found):
        one = found[0]
        t = (int(one["t"]) - int(trace.ts[0])) / 1e9
        ax.annotate(
            f"handoff: M{one['m_from']} is in a call, P{one['p']} goes to M{one['m_to']}",
            (t, one["p"] - 0.38),
            xytext=(12, 12),
            textcoords="offset points",
            fontsize=8,
            color=INK,
            arrowprops={"arrowstyle": "->", "color": INK},
            annotation_clip=False,
        )


# -- one_blocking_call.png

AT_ONCE = 0.005  #: seconds; who is answered as soon was not stranded
SERVERS = {
    "asyncio": "asyncio: time.sleep(0.5)",
    "gevent": "gevent: time.sleep(0.5)",
    "mpg": "mpg, two P's: time.sleep(0.5)",
    "mpg-to-thread": "mpg, two P's: mpg.to_thread(time.sleep, 0.5)",
}


def one_blocking_call() -> Any:
    """Latencies over time, a panel for each server."""
    shown = {}
    for kind, title in SERVERS.items():
        if kind == "gevent" and importlib.util.find_spec("gevent") is None:
            print("gevent is not installed: left out")
            continue
        shown[title] = measure(kind)
    columns = 2
    lines = -(-len(shown) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(9, 2.6 * lines), layout="constrained", sharex=True, sharey=True
    )
    for ax, (title, replies) in zip(axes.flat, shown.items(), strict=False):
        latencies(ax, title, replies)
    for ax in axes[-1]:
        ax.set_xlabel("when the request was sent (s)", fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel("latency (ms)", fontsize=9)
    handles: dict[str, Any] = {}
    for ax in axes.flat:
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    return figure


def latencies(ax: Any, title: str, replies: list[Reply]) -> None:
    """A point for each request; those that waited on the thread that was in the call stand out."""
    (call,) = (one for one in replies if one.call)
    begin, end = call.sent, call.sent + call.latency
    stuck = [
        one
        for one in replies
        if not one.call
        and one.thread == call.thread
        and one.latency > AT_ONCE
        and one.sent < end < one.sent + one.latency + AT_ONCE
    ]
    chosen = set(map(id, stuck))
    rest = [one for one in replies if not one.call and id(one) not in chosen]
    here = [one for one in rest if one.thread == call.thread]
    elsewhere = [one for one in rest if one.thread != call.thread]
    ax.axvspan(begin, end, color=STATES["idle"].colour, lw=0, label="the call")
    for group, colour, marker, label in (
        (here, BLUE, ".", "answered by that thread"),
        (elsewhere, GREEN, "^", "answered by another thread"),
        (stuck, RED, "x", "stranded on the thread of the call"),
    ):
        if group:
            x, y = [one.sent for one in group], [1e3 * one.latency for one in group]
            ax.scatter(x, y, s=14, c=colour, marker=marker, lw=0.8, label=label)
    ax.set_yscale("log")
    ax.set_yticks([0.1, 1, 10, 100], labels=["0.1", "1", "10", "100"])
    ax.tick_params(labelsize=8)
    ax.grid(axis="y", lw=0.4, color=STATES["idle"].colour)
    ax.set_axisbelow(True)
    share = f"requests stranded: {len(stuck)}"
    during = sorted(one.latency for one in rest if begin <= one.sent < end)
    served = f"others in that time: {len(during)}"
    if during:
        served += f", median {1e3 * during[len(during) // 2]:.2f} ms"
    ax.set_title(f"{title}\n{share}; {served}", loc="left", fontsize=9)
    print(f"{title}: {share}; {served}")


# -- theory.png

LOADS = (0.5, 0.7, 0.8, 0.9, 0.95)
RUNS = 4  #: of each point, with seeds of their own; the error is that of their mean
JOBS = 100_000  #: of each run, about


class Model(NamedTuple):
    """A curve and what must lie on it."""

    label: str
    formula: Callable[[float], float]
    procs: int
    policy: dict[str, str]
    colour: str
    marker: str
    dashes: str


MODELS = (
    Model("M/M/1: nobody steals", theory.mm1_time, 1, {}, INK, "s", "--"),
    Model(
        "one random victim (Mitzenmacher, infinitely many P's)",
        lambda load: theory.one_attempt(load).mean_time,
        64,
        {"steal": "one", "victims": "one"},
        RED,
        "o",
        "-.",
    ),
    Model(
        "M/M/16: no P idles while work waits", lambda load: theory.mmn_time(16, load), 16, {}, BLUE, "^", "-"
    ),
)


def theory_picture() -> Any:
    """Three curves, and what simulations say."""
    curve = [i / 400 for i in range(120, 389)]
    figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for model in MODELS:
        exact = [model.formula(load) for load in curve]
        ax.plot(curve, exact, model.dashes, color=model.colour, lw=1.3, label=model.label)
        points = [simulated(model, load) for load in LOADS]
        ax.errorbar(
            LOADS,
            [mean for mean, _ in points],
            yerr=[2 * error for _, error in points],
            fmt=model.marker,
            ms=6,
            mfc="none",
            color=model.colour,
            capsize=3,
            label=f"simulated: {model.procs} P" + ("" if model.procs == 1 else "'s"),
        )
    ax.set_yscale("log")
    ax.set_ylim(0.9, 40)
    ax.set_yticks([1, 2, 5, 10, 20], labels=["1", "2", "5", "10", "20"])
    ax.minorticks_off()
    ax.tick_params(labelsize=8)
    ax.set_xlabel("load: arrivals per P and mean service time", fontsize=9)
    ax.set_ylabel("mean time in system, in mean service times", fontsize=9)
    ax.set_title("Lines: theory. Points: mpg.simulate, with two standard errors", loc="left", fontsize=10)
    ax.legend(fontsize=8, frameon=False)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    return figure


def simulated(model: Model, load: float) -> tuple[float, float]:
    """The mean time over all runs and its standard error."""
    horizon = JOBS / model.procs / load
    runs = [
        check(model.procs, load, horizon=horizon, seed=seed, **model.policy).mean_time
        for seed in range(1, RUNS + 1)
    ]
    mean, error = statistics.fmean(runs), statistics.stdev(runs) / math.sqrt(RUNS)
    print(
        f"{model.label}, load {load}: {mean:.4f} +- {error:.4f}, theory {model.formula(load):.4f}", flush=True
    )
    return mean, error


PICTURES: dict[str, Callable[[], Any]] = {
    "two_worlds": two_worlds,
    "one_blocking_call": one_blocking_call,
    "theory": theory_picture,
}


def draw(names: list[str]) -> None:
    for name in names or list(PICTURES):
        figure = PICTURES[name]()
        path = HERE / f"{name}.png"
        figure.savefig(path, dpi=DPI)
        plt.close(figure)
        print(f"{path}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    draw(sys.argv[1:])
