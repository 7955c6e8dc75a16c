"""What P's did with their time, and how much of it was lost while G's waited.

* Busy is having a G that runs: `running`, P-busy. It is no claim about CPU's: a G that runs may wait for the GIL, sleep
  in a C library, or have lost its CPU to another process. CPU-busy is `cpu`, in traces that hold CPU times (`CpuTime`):
  what M's used while they had the P's. Scheduling uses CPU too, so it may be above P-busy.
* Time is cut by the bins exactly. The shares of a bin sum up to 1, or are all 0 where no P is known: in a partial trace
  a P counts from where it is first named.
* Lost time is SchedViz's: `mpg.trace.derive.idle_while_overloaded` says what it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mpg.trace import derive

from ..arguments import check_bins, check_cpus, choice
from ..base import window
from .bins import time_in_state
from .cpu import cpu_busy
from .steps import bin_edges, step_bins, to_ns
from .timelines import CODE, p_timeline

if TYPE_CHECKING:
    from mpg.trace import Trace

__all__ = ["SHARES", "idle_while_overloaded", "utilization"]

Rows = npt.NDArray[np.void]

#: The states of a P, as `style.STATES` names them.
SHARES: Final = ("running", "syscall", "system", "spinning", "idle")
LOST: Final = ("wall", "per_p", "per_g")
#: The first columns of `utilization`, by `by`.
HEADS: Final[dict[str, list[tuple[str, type]]]] = {
    "time": [("t0", float), ("t1", float), ("procs", float)],
    "p": [("p", int), ("seconds", float)],
}


def utilization(
    trace: Trace, *, t0: float | None = None, t1: float | None = None, bins: int = 100, by: str = "time"
) -> Rows:
    """Shares of the P's time by state: for each bin (t0, t1, procs) or with by="p" for each P (p, seconds).

    Further columns: running, syscall (a call in place holds the P), system (its M schedules), spinning, idle; and cpu,
    for which M's used a CPU, nan if that is not known. `procs` is how many P's there were on average, `seconds` how
    long there was this P. Without time there are no rows.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window, bins not from 1 to 10,000, `by` is neither "time" nor "p".
    """
    choice("by", by, *HEADS)
    check_bins(bins)
    at = window(trace, t0, t1)
    edges = bin_edges(at, bins if by == "time" else 1)
    if len(edges) < 2:
        return np.zeros(0, [*HEADS[by], *((name, float) for name in (*SHARES, "cpu"))])
    rows = p_timeline(trace, t0=t0, t1=t1)
    ps, lane = np.unique(rows["p"], return_inverse=True)
    begin, end = to_ns(rows["t0"], at), to_ns(rows["t1"], at)
    spent = {}
    for name in SHARES:
        mine = rows["state"] == CODE[name]
        spent[name] = time_in_state(lane[mine], begin[mine], end[mine], edges, len(ps)).sum(
            axis=1 if by == "p" else 0
        )
    total = sum(spent.values())
    out = np.zeros(len(total), [*HEADS[by], *((name, float) for name in (*SHARES, "cpu"))])
    for name in SHARES:
        out[name] = spent[name] / np.where(total > 0, total, 1)
    used, known = cpu_busy(trace, edges, ps, by=by)
    held = 1 - out["idle"]  # what is known of a part of it is taken for all of it
    out["cpu"] = np.where(known > 0, used / np.maximum(known, 1) * held, np.nan)
    if len(derive.cpu_times(trace)):
        out["cpu"][(total > 0) & (held < 1e-9)] = 0
    if by == "p":
        out["p"], out["seconds"] = ps, total / 1e9
    else:
        out["t0"], out["t1"] = at.seconds(edges[:-1]), at.seconds(edges[1:])
        out["procs"] = total / np.diff(edges)
    return out


def idle_while_overloaded(
    trace: Trace,
    *,
    t0: float | None = None,
    t1: float | None = None,
    bins: int = 100,
    ncpus: int | None = None,
) -> Rows:
    """What each bin of time lost, in seconds: t0, t1, wall, per_p, per_g. The sum of a column is the window's total.

    `wall`: some P was idle and some G waited; `per_p`: so many idle P's could have had a queue each; `per_g`: so many
    G's could have run. `ncpus` takes the place of the number of P's. Without time there are no rows.

    Raises:
        TypeError: `trace` is no Trace.
        ValueError: a bad window, bins not from 1 to 10,000, ncpus not from 1 to 65,536, a filtered trace.
    """
    check_cpus(ncpus)
    at = window(trace, t0, t1)
    edges = bin_edges(at, bins)
    out = np.zeros(len(edges) - 1, [("t0", float), ("t1", float), *((name, float) for name in LOST)])
    if len(out):
        steps = derive.idle_while_overloaded(trace, ncpus).steps
        idle, queues, waiting = steps["idle"], steps["overloaded"], steps["waiting"]
        rates = ((idle > 0) & (queues > 0), np.minimum(idle, queues), np.minimum(idle, waiting))
        lane = np.repeat(np.arange(len(LOST)), len(steps))
        mean, _ = step_bins(lane, np.tile(steps["t"], len(LOST)), np.concatenate(rates), edges, len(LOST))
        for name, values in zip(LOST, mean, strict=True):
            out[name] = values * np.diff(edges) / 1e9
        out["t0"], out["t1"] = at.seconds(edges[:-1]), at.seconds(edges[1:])
    return out
