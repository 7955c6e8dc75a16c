"""A page about a whole trace: what happened how often, how busy each P was, who waited for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .derive import CAUSES, latencies, queue_lengths, spans_p, steals, tasks, waits
from .events import KINDS
from .lanes import RUNNING, SPINNING, SYSCALL

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["summary"]


def summary(trace: Trace) -> str:
    """Facts, P's, latencies and waits, for a terminal."""
    if not len(trace):
        return "no events"
    span = max(int(trace.ts[-1] - trace.ts[0]), 1)
    facts = " ".join(f"{key}={value}" for key, value in trace.metadata.items())
    lines = [f"{len(trace)} events in {seconds(span)}" + (f"; {facts}" if facts else ""), ""]
    lines += [*events_part(trace), "", *procs_part(trace, span), "", *latency_part(trace), *waits_part(trace)]
    lines += tasks_part(trace)
    return "\n".join(lines).rstrip() + "\n"


def events_part(trace: Trace) -> list[str]:
    codes, counts = np.unique(trace.kind, return_counts=True)
    words = [
        f"{KINDS[code].name if code in KINDS else code} {count}"
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True)
    ]
    return [", ".join(words[i : i + 6]) for i in range(0, len(words), 6)]


def procs_part(trace: Trace, span: int) -> list[str]:
    """A line for each P: in shares of the whole time."""
    spans, stolen, queues = spans_p(trace), steals(trace), queue_lengths(trace)
    lines = ["P      runs   running   syscall  spinning    stole  was robbed  longest queue"]
    for p in np.unique(spans["lane"]).tolist():
        own = spans[spans["lane"] == p]
        took = {
            state: int((own["t1"] - own["t0"])[own["state"] == state].sum()) / span
            for state in (RUNNING, SYSCALL, SPINNING)
        }
        longest = queues["n"][queues["p"] == p].max(initial=0)
        lines.append(
            f"{p:<3}{int((own['state'] == RUNNING).sum()):>8}{took[RUNNING]:>10.1%}{took[SYSCALL]:>10.1%}"
            f"{took[SPINNING]:>10.1%}{int(stolen['n'][stolen['thief'] == p].sum()):>9}"
            f"{int(stolen['n'][stolen['victim'] == p].sum()):>12}{longest:>15}"
        )
    return lines


def latency_part(trace: Trace) -> list[str]:
    """Runnable to running."""
    found = latencies(trace)
    lines = ["from runnable to running      n       p50       p99       max"]
    for code, cause in enumerate(CAUSES):
        ns = found["ns"][found["cause"] == code]
        if len(ns):
            p50, p99 = np.percentile(ns, [50, 99])
            lines.append(
                f"  {cause:<18}{len(ns):>11}{seconds(p50):>10}{seconds(p99):>10}{seconds(ns.max()):>10}"
            )
    return [*lines, ""] if len(lines) > 1 else []


def waits_part(trace: Trace) -> list[str]:
    found = waits(trace)
    lines = ["waited for                    n      mean     total"]
    for reason in np.unique(found["reason"]).tolist():
        rows = found[found["reason"] == reason]
        ns = rows["t1"] - rows["t0"]
        name = trace.string(reason) or "?"
        lines.append(f"  {name:<18}{len(ns):>11}{seconds(ns.mean()):>10}{seconds(ns.sum()):>10}")
    return lines if len(lines) > 1 else []


def tasks_part(trace: Trace) -> list[str]:
    """A line for each name."""
    found = tasks(trace)
    lines = ["", "tasks                         n      mean       G's"]
    for name in np.unique(found["name"]).tolist():
        rows = found[found["name"] == name]
        whole = rows[rows["begin"] >= 0]
        mean = seconds((whole["t1"] - whole["t0"]).mean()) if len(whole) else "?"
        lines.append(f"  {trace.string(name) or '?':<18}{len(rows):>11}{mean:>10}{int(rows['gs'].sum()):>10}")
    return lines if len(lines) > 2 else []


def seconds(ns: float) -> str:
    """A duration with a unit that keeps it short."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"
