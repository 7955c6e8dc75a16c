"""Latencies: from runnable to running, and from a call to the run that follows the hand-off of its P."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mpg.trace.derive import CAUSES

from . import data
from .base import axes, empty, legend, note
from .data.latency import latency_marks
from .panels import counted, duration, key, log_ticks, plain, title, whole_numbers
from .style import INK, STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mpg.trace import Trace

__all__ = ["handoff_anatomy", "latency_histogram"]

#: The look of a cause is that of the state which the G, or who ran it, came from; and its words.
LOOKS: Final = {
    "new": ("system", "new"),
    "wake": ("blocked", "woken"),
    "netpoll": ("netpoll", "I/O is ready"),
    "timer": ("runnable", "timer"),
    "gosched": ("idle", "yielded"),
    "preempted": ("running", "preempted"),
    "syscall": ("syscall", "back from a call"),
    "stolen": ("spinning", "stolen"),
}
DASHES: Final = {"p50": "-", "p90": "--", "p99": "-.", "max": ":"}
#: The three parts of a hand-off: their ends, their look, and their words.
PARTS: Final = (
    ("retake", "syscall", "call, until the P is taken"),
    ("start", "system", "until an M starts the P"),
    ("run", "runnable", "until a G runs"),
)
MOST_BARS: Final = 2000
MOST_NAMES: Final = 24


def latency_histogram(
    trace: Trace, *, t0: float | None = None, t1: float | None = None, ax: Axes | None = None
) -> Axes:
    """How long G's took from runnable to running, in bins of powers of two, by what had made them runnable.

    Lines mark the latencies that 50, 90 and 99 % did not exceed, and the longest. 0 has a bar of its own at the left.

    Args:
        t0, t1: seconds from the trace's start; a latency counts where it ended.

    Raises:
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    rows = data.latency_histogram(trace, t0=t0, t1=t1)
    ax = axes(ax, (9, 4))
    title(ax, "from runnable to running")
    if not len(rows):
        return empty(
            ax, "no G became runnable and then ran in this trace" if t0 is t1 is None else "none here", trace
        )
    positive = rows["low"][rows["low"] > 0]
    zero = (float(positive.min()) / 4, float(positive.min()) / 2) if len(positive) else (0.5e-9, 1e-9)
    left = np.where(rows["low"] > 0, rows["low"], zero[0])
    width = np.where(rows["low"] > 0, rows["high"], zero[1]) - left
    bars, place = np.unique(left, return_inverse=True)
    height = np.zeros(len(bars))
    handles: list[Any] = []
    ax.set_xscale("log")
    for code, cause in enumerate(CAUSES):
        mine = rows["cause"] == code
        if not mine.any():
            continue
        state = STATES[LOOKS[cause][0]]
        at = place[mine]
        ax.bar(
            left[mine],
            rows["n"][mine],
            width[mine],
            bottom=height[at],
            align="edge",
            color=state.colour,
            hatch=state.hatch,
            edgecolor=INK if state.hatch else "white",
            lw=0 if state.hatch else 0.5,
        )
        height[at] += rows["n"][mine]
        handles.append(
            Patch(
                facecolor=state.colour,
                hatch=state.hatch,
                edgecolor=INK,
                lw=0,
                label=f"{LOOKS[cause][1]} ({rows['n'][mine].sum():,})",
            )
        )
    for name, value in latency_marks(trace, t0=t0, t1=t1).items():
        x = value if value > 0 else (zero[0] * zero[1]) ** 0.5
        ax.axvline(x, color=INK, ls=DASHES[name], lw=1.2)
        handles.append(Line2D([], [], color=INK, ls=DASHES[name], lw=1.2, label=f"{name} {duration(value)}"))
    any_zero = bool((rows["low"] == 0).any())
    low, high = zero[0] if any_zero else float(positive.min()), float(rows["high"].max())
    ax.set_xlim(low / 1.15, high * 1.15)
    log_durations(ax, float(positive.min()) if len(positive) else 0.0, high, zero if any_zero else None)
    ax.set_xlabel("latency", fontsize=9)
    ax.set_ylabel("G's", fontsize=9)
    ax.set_ylim(0, height.max() * 1.05)
    whole_numbers(ax)
    plain(ax)
    key(ax, handles)
    note(ax, f"{counted(int(rows['n'].sum()), 'time')} that a G began to run; bins are powers of 2 ns", trace)
    return ax


def log_durations(ax: Axes, low: float, high: float, zero: tuple[float, float] | None = None) -> None:
    """x is a log axis of durations; `zero` is where the bar of 0 stands."""
    from matplotlib.ticker import NullLocator

    ticks = log_ticks(low, high) if low > 0 else []
    labels = [duration(tick) for tick in ticks]
    if zero is not None:
        ticks, labels = [(zero[0] * zero[1]) ** 0.5, *ticks], ["0", *labels]
    ax.set_xticks(ticks, labels=labels)
    ax.xaxis.set_minor_locator(NullLocator())


def handoff_anatomy(
    trace: Trace, *, t0: float | None = None, t1: float | None = None, ax: Axes | None = None
) -> Axes:
    """Each hand-off of a P as a bar from the call that it was taken from to the G that ran on it, longest at the top.

    Three parts, on a log axis: sysmon's delay, until the M had started, until a G ran. A hand-off without a call
    begins where the P was given up. Beyond 2,000 the slowest are drawn.

    Args:
        t0, t1: seconds from the trace's start.

    Raises:
        NotRecorded: the trace's world has no Handoff events.
        TypeError: `trace` is no Trace, or `ax` no Axes.
        ValueError: a bad window.
    """
    rows = data.handoff_anatomy(trace, t0=t0, t1=t1)
    ax = axes(ax, (9, min(1.8 + 0.18 * max(len(rows), 8), 6)))
    title(ax, "hand-offs of P's")
    if not len(rows):
        return empty(
            ax,
            "no handoffs in this trace" if t0 is t1 is None else "no handoffs in this part of the trace",
            trace,
        )
    count = len(rows)
    rows = rows[-MOST_BARS:]
    ends = np.stack([rows[name] for name, _, _ in PARTS], axis=1)
    positive = ends[np.isfinite(ends) & (ends > 0)]
    if not len(positive):
        return empty(ax, f"{counted(count, 'hand-off')}, and none took any time", trace)
    low, high = float(positive.min()) / 1.6, float(positive.max()) * 1.15
    half = 0.4 if len(rows) <= 100 else 0.5
    y = np.arange(len(rows))
    begin = np.full(len(rows), low)
    present = []
    ax.set_xscale("log")
    for place, (_, name, _) in enumerate(PARTS):
        end = np.where(np.isfinite(ends[:, place]), np.maximum(ends[:, place], low), begin)
        if (end > begin).any():
            present.append(name)
            bars(ax, begin, end, half, name)
        begin = end
    ax.set_xlim(low, high)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    log_durations(ax, low, high)
    plain(ax)
    ax.set_xlabel("time since the call began, or the P was given up", fontsize=9)
    if len(rows) <= MOST_NAMES:
        names = [f"P{p}: M{old} to M{new}" for p, old, new in rows[["p", "m_from", "m_to"]].tolist()]
        ax.set_yticks(y, labels=[name.replace("M-1", "none") for name in names])
        ax.tick_params(axis="y", length=0)
    else:
        ax.set_ylabel("hand-offs, by duration", fontsize=9)
        whole_numbers(ax)
    legend(ax, present, labels={name: words for _, name, words in PARTS})
    called = int(rows["called"].sum())
    slow = f"the slowest {len(rows):,} of " if count > len(rows) else ""
    parts = [f"{slow}{counted(count, 'hand-off')}, {called:,} from {'a call' if called == 1 else 'calls'}"]
    lost = int(np.isnan(rows["run"]).sum())
    parts += [f"{lost:,} after which no G ran"] if lost else []
    note(ax, "; ".join(parts), trace)
    return ax


def bars(
    ax: Axes, begin: npt.NDArray[np.float64], end: npt.NDArray[np.float64], half: float, name: str
) -> None:
    """One part of all bars, as one artist; where they touch, as one outline: thousands of hatches take seconds."""
    from matplotlib.collections import PolyCollection

    state = STATES[name]
    look: dict[str, Any] = {
        "facecolor": state.colour,
        "edgecolor": INK,
        "lw": 0,
        "hatch": state.hatch or None,
    }
    y = np.arange(len(begin))
    if half < 0.5:
        some = end > begin
        x = np.stack([begin, begin, end, end], axis=1)
        corners: Any = np.stack([x, y[:, None] + half * np.array([-1, 1, 1, -1])], axis=2)
        made: Any = ax.add_collection(PolyCollection(corners[some], closed=True, **look), autolim=False)
    else:
        edges = np.append(y, len(y)) - 0.5
        made = ax.stairs(end, edges, baseline=begin, orientation="horizontal", fill=True, **look)
    made.set_gid(f"states:{name}")
