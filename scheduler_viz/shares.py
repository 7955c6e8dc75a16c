"""What P's did with their time, and how much of it was lost while G's waited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mpg.trace import derive

from . import data
from .arguments import check_bins, check_cpus
from .base import axes, empty, filtered, legend, note, time_axis, window
from .data.shares import LOST, SHARES
from .p_timeline import gil_words
from .panels import duration, key, plain, title
from .style import INK, STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["idle_while_overloaded", "utilization"]

NO_CPU: Final = "P-busy only: this trace holds no CPU times"
CPU: Final = "CPU-busy: M's that have P's use a CPU; P-busy is running"
NO_TIME: Final = "no time passes in this trace"
#: Widest first, so that all three can be seen where they are equal: colour, width, words.
LINES: Final = {
    "per_g": ("#9999FF", 5.0, "per G"),
    "per_p": ("#800066", 2.6, "per P"),
    "wall": (INK, 1.0, "wall"),
}


def utilization(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    bins: int = 100,
    by: str = "time",
) -> Axes:
    """Which shares of the P's time went into which state, over time; the key says how much in all.

    Running is P-busy: a G has the P. If the trace holds CPU times, a line is CPU-busy: which share of their time with
    P's M's used a CPU. Otherwise the note says that there are none.

    Args:
        t0, t1: seconds from the trace's start.
        by: "time", or "p" for the shares of each P over the whole window.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window, bins not from 1 to 10,000, `by` is neither "time" nor "p".
    """
    at = window(trace, t0, t1)
    rows = data.utilization(trace, t0=t0, t1=t1, bins=bins, by=by)
    ax = axes(ax, (9, 4))
    title(ax, "what P's did")
    if not len(rows):
        return empty(ax, NO_TIME, trace)
    weight = rows["procs"] * (rows["t1"] - rows["t0"]) if by == "time" else rows["seconds"]
    if not weight.any():
        return empty(ax, "no P's in this trace", trace)
    if by == "time":
        time_axis(ax, at)
        edges = np.append(rows["t0"], rows["t1"][-1])
    else:
        edges = np.arange(len(rows) + 1) - 0.5
        ax.set_xlim(edges[0], edges[-1])
        named(ax, rows["p"].tolist())
    under = np.zeros(len(rows))
    words, extra = gil_words(trace)
    labels: dict[str, str] = {}
    for name in SHARES:
        total = float((rows[name] * weight).sum() / weight.sum())
        if total > 0:
            state = STATES[name]
            over = under + rows[name] * 100
            made = ax.stairs(
                over,
                edges,
                baseline=under,
                fill=True,
                fc=state.colour,
                ec=INK if state.hatch else state.colour,
                hatch=state.hatch or None,
                lw=0,
            )
            made.set_gid(f"states:{name}")
            labels[name] = f"{words.get(name, state.label)} {total:.1%}"
            under = over
    ax.set_ylim(0, 100)
    ax.set_ylabel("share of the P's time (%)", fontsize=9)
    plain(ax)
    known = ~np.isnan(rows["cpu"])
    lines = {}
    if known.any():
        made = ax.stairs(rows["cpu"] * 100, edges, baseline=None, color=INK, lw=1.6)
        made.set_gid("cpu")
        total = float((rows["cpu"] * weight)[known].sum() / max(float(weight[known].sum()), 1e-12))
        lines[f"CPU-busy {total:.1%}"] = INK
    legend(ax, labels, labels=labels, lines=lines)
    note(ax, "\n".join(filter(None, (CPU if lines else NO_CPU, extra))), trace)
    return ax


def named(ax: Axes, ps: list[int]) -> None:
    """x is P's by their place; they need not be all."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(min(len(ps), 12), integer=True, steps=[1, 2, 4, 5, 8, 10]))
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda x, pos: f"P{ps[round(x)]}" if x == round(x) and 0 <= x < len(ps) else "")
    )


def idle_while_overloaded(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    ax: Axes | None = None,
    bins: int = 100,
    ncpus: int | None = None,
) -> Axes:
    """How much of each moment was lost by P's that were idle while G's waited (SchedViz): three lines and their totals.

    `wall` is 1 while some P is idle and some G waits; `per P` is how many idle P's could have had a queue each, `per G`
    how many G's could have run on them.

    Args:
        t0, t1: seconds from the trace's start.
        ncpus: take this as the number of P's.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window, bins not from 1 to 10,000, ncpus not from 1 to 65,536.
    """
    at = window(trace, t0, t1)
    check_bins(bins)
    check_cpus(ncpus)
    known = not filtered(trace)
    rows: Any = ()
    if known:
        rows = data.idle_while_overloaded(trace, t0=t0, t1=t1, bins=bins, ncpus=ncpus)
    ax = axes(ax, (9, 4))
    title(ax, "idle while overloaded")
    if not len(rows):
        return empty(ax, NO_TIME if known else "not known: this is a part of a trace", trace)
    time_axis(ax, at)
    edges = np.append(rows["t0"], rows["t1"][-1])
    width = np.diff(edges)
    made: dict[str, Any] = {}
    most = 1.0
    for name, (colour, thick, words) in LINES.items():
        rate = rows[name] / width
        most = max(most, float(rate.max()))
        label = f"{words}: {duration(float(rows[name].sum()))}"
        made[name] = ax.stairs(rate, edges, baseline=None, color=colour, lw=thick, label=label)
    if most >= 20:
        ax.set_yscale("symlog", linthresh=1)
        ax.set_yticks(
            ticks := [0, *(10**i for i in range(len(str(int(most)))))], labels=[f"{y:,}" for y in ticks]
        )
        ax.minorticks_off()
    ax.set_ylim(0, most * (1.5 if most >= 20 else 1.08))
    ax.set_ylabel("lost per second (s)", fontsize=9)
    plain(ax)
    key(ax, [made[name] for name in LOST])
    parts = ["P's idle, or looking for work, while G's waited"]
    if trace.metadata.get("world") in ("host", "sim-pinned"):
        parts += ["a G that has started counts, though only its own M can run it"]
    if not len(derive.queue_lengths(trace)):
        parts += ["no queue lengths: a runnable G counts for the P that made it so"]
    note(ax, "\n".join(parts), trace)
    return ax
