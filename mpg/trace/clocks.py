"""How far the clocks of two M's may contradict cause and effect: the part of `validate.py` about real machines.

Rows are in causal order (`merge.py`), whatever their times. What gives a G or a P away is recorded before it can
be taken, and what takes it, afterwards (`pen.py`): there the clock must agree. One edge may be inverted: a G that
parks can be seen, and woken by another M, before the switch away from it is recorded; between the two its thread may
lose its CPU.

That inversion is at most `INVERSION`. Measured: 15 ms in 68 runs of the adverse program of the stress tests, on four
M's of a machine with two CPUs and a load of seven, with a switch interval of 1 us; 4 ms with Python's own interval.
All other edges between two M's, 80,000 in those runs, agreed.

Rejected: a tolerance for every edge. A recording whose clock is wrong by less than that would pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from . import events as ev
from .lanes import neighbour

if TYPE_CHECKING:
    from .validate import Check

__all__ = ["INVERSION", "check_clocks"]

Ints = npt.NDArray[np.int64]

INVERSION: Final = 200_000_000  # ns

G_EVENTS: Final = (
    *(ev.GoCreate, ev.GoStart, ev.GoEnd, ev.GoStop, ev.GoBlock, ev.GoUnblock, ev.GoDrop),
    *(ev.GoSyscallBegin, ev.GoSyscallEnd, ev.GoSyscallEndBlocked),
)
P_EVENTS: Final = (ev.ProcStart, ev.ProcStop, ev.ProcSteal)
NAMED: Final = (ev.GoCreate, ev.GoUnblock, ev.GoDrop, ev.ProcSteal)  # their `a` says whom they are about
LEFT: Final = (ev.GoBlock, ev.GoSyscallBegin)


def check_clocks(check: Check) -> None:
    """Cause and effect on two M's of a real machine."""
    trace = check.trace
    if not check.real or trace.metadata.get("world") == "go":
        return
    begun = check.where(ev.MStart)
    by = neighbour(trace.m[begun], begun, trace.a[begun], begun)
    cause, effect = begun[by[by >= 0]], begun[by >= 0]
    early = trace.ts[cause] - trace.ts[effect]
    check.fault(effect, early > 0, rule(cause, effect, early))
    for kinds, own in ((G_EVENTS, trace.g), (P_EVENTS, trace.p)):
        rows = check.where(*kinds)
        kind = trace.kind[rows]
        who = np.where(np.isin(kind, NAMED), trace.a[rows], own[rows])
        order = np.argsort(who, kind="stable")
        rows, who, kind = rows[order], who[order], kind[order]
        cause, effect = rows[:-1], rows[1:]
        two = (who[1:] == who[:-1]) & (who[1:] >= 0) & (trace.m[cause] != trace.m[effect])
        two &= (trace.m[cause] >= 0) & (trace.m[effect] >= 0) & (check.epoch[cause] == check.epoch[effect])
        cause, effect = cause[two], effect[two]
        allowed = np.where(np.isin(trace.kind[cause], LEFT), INVERSION, 0)
        early = trace.ts[cause] - trace.ts[effect]
        check.fault(effect, early > allowed, rule(cause, effect, early))


def rule(cause: Ints, effect: Ints, early: Ints) -> Callable[[int], str]:
    def say(i: int) -> str:
        at = int(np.flatnonzero(effect == i)[0])
        return f"its clock is {early[at] / 1e3:.3f} us before that of event {cause[at]}, which led to it"

    return say
