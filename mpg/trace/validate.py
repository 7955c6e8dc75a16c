"""The rules that every trace keeps. The first row that breaks one is named.

1. Each row: a known kind that exists in the trace's world, numbers not below -1, texts that exist, and the p, m
   and g that such an event needs.
2. Time: it never goes back within one M; with a virtual clock it never goes back at all. On a real machine rows are in
   causal order, and the clocks of two M's contradict it by no more than is known to happen (`clocks.py`).
3. States: each change of a G, P or M is legal by the table of `events.py`, and a snapshot repeats the state. A G
   begins by GoCreate or GoStatus; a P may begin idle.
4. Places: a P has at most one M and an M one P; a P and an M run at most one G, the same one, and the G that
   leaves is the one that was there; whoever writes has the P it says; an M parks without P and G.
5. CPU times: that of an M never goes back, nor does it grow faster than time.
6. Queues: 0 to 256 in a ring and one in runnext; a steal takes at least one, from another P, and what its rule
   says of what the victim had (on a real machine: at most that), which a StealBefore says after each.
7. In simulations, exactly: lengths add up (`replay.py`); who wakes, creates, sleeps, looks for work, takes and hands
   off (`exact.py`).

A trace that is "partial" (`filter`), and what follows a `Dropped`, may begin in the middle of things: there the
first mention of a G, P or M is believed.

Not checked on real machines, because they may break it for a moment: rule 7. Nor in simulations, because nothing else
in a trace says it:

* a TimerFire that made no G ready (a timer may call anything), or one too many; how late it was;
* an MWake of an M whose deadline has come as well, or that would have ended with the run;
* a Handoff to a spinning M while other P's were idle, for which a timer may have been the reason; with pinned stacks,
  one to an M that slept, which may have waited for a P;
* in which of ring and runnext a G was: RunqLen counts both; which started G's have left the inbox of their M;
* a RunqLen that repeats what was told before; lengths after the first GoDrop, or after a loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .. import status as st
from . import events as ev
from .clocks import check_clocks
from .events import EVENTS, KINDS, MSTATUS, Change, InvalidTrace
from .exact import check_exact
from .lanes import neighbour, text
from .places import UNKNOWN, check_places, previous

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["validate"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CPU_SLACK_NS: Final = 1_000_000
RING: Final = 256  # as in the scheduler's policy.py, which is a layer above

#: Columns that an event cannot do without.
NEEDS: Final = {
    ev.GoStart: "pmg",
    ev.GoEnd: "pmg",
    ev.GoStop: "pmg",
    ev.GoBlock: "pmg",
    ev.GoSyscallBegin: "pmg",
    ev.GoSyscallEnd: "pmg",
    ev.GoSyscallEndBlocked: "mg",
    ev.ProcStart: "pm",
    ev.ProcStop: "pm",
    ev.MStart: "m",
    ev.MExit: "m",
    ev.MPark: "m",
    ev.SpinStart: "m",
    ev.SpinStop: "m",
    ev.Steal: "pm",
    ev.RunqLen: "p",
}


class Check:
    """The columns of a trace, and the first fault found in them."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.first = len(trace)
        self.rule: Callable[[int], str] = lambda i: ""
        kind = trace.kind
        self.code = np.where((kind < 0) | (kind > 255), 255, kind).astype(np.uint8)  # 255 is none
        self.partial = bool(trace.metadata.get("partial"))
        dropped = np.cumsum(trace.kind == ev.Dropped)
        self.epoch: Ints = dropped.astype(np.int64)
        self.real = trace.metadata.get("clock", "virtual") != "virtual"
        simulated = str(trace.metadata.get("world")).startswith("sim-")
        self.exact = simulated and not self.real and not self.partial and not dropped.any()

    def fault(self, rows: Ints, bad: Bools, rule: str | Callable[[int], str]) -> None:
        """Remember the first of `rows` that is bad, if it comes before all others."""
        if bad.any():
            row = int(rows[bad].min())
            if row < self.first:
                self.first = row
                self.rule = rule if callable(rule) else lambda i: rule

    def among(self, *kinds: int) -> Bools:
        """Which rows are of these kinds."""
        wanted = np.zeros(256, bool)
        wanted[list(kinds)] = True
        found: Bools = wanted[self.code]
        return found

    def where(self, *kinds: int) -> Ints:
        return np.flatnonzero(self.among(*kinds))

    def believed(self, rows: Ints) -> Bools:
        """Where the first mention of something is no fault."""
        return (self.epoch[rows] > 0) | self.partial


def validate(trace: Trace) -> None:
    """Check a trace.

    Raises:
        InvalidTrace: with the first row that breaks a rule.
    """
    check = Check(trace)
    for rule in RULES:
        rule(check)
    if check.first < len(trace):
        from .text import line

        raise InvalidTrace(check.first, line(trace, check.first), check.rule(check.first))


def check_rows(check: Check) -> None:
    trace = check.trace
    everything = np.arange(len(trace))
    known = np.isin(trace.kind, list(KINDS))
    check.fault(everything, ~known, lambda i: f"no event has the code {trace.kind[i]}")
    for name in ("p", "m", "g"):
        check.fault(everything, getattr(trace, name) < -1, f"{name} is below -1")
    world = trace.metadata.get("world")
    counts = np.bincount(trace.kind[known], minlength=256)
    for event in EVENTS:
        if not counts[event.code]:
            continue
        rows = check.where(event.code)
        if world is not None and world not in event.worlds:
            check.fault(rows, np.ones(len(rows), bool), f"{event.name} does not exist in a trace of {world}")
        for name in NEEDS.get(event.code, ""):
            check.fault(rows, getattr(trace, name)[rows] < 0, f"{event.name} needs a {name.upper()}")
        for column, arg in ((trace.a, event.a), (trace.b, event.b)):
            values = column[rows]
            if arg.kind == "string":
                bad = (values < -1) | (values >= len(trace.strings))
                check.fault(rows, bad, f"{arg.name} is not in the string table")
            elif arg.kind in ("g", "p", "m"):
                check.fault(rows, values < -1, f"{arg.name} is below -1")
        for change in (event.g, event.p, event.m):
            if change is not None and change.who == "a":
                check.fault(rows, trace.a[rows] < 0, f"{event.name} needs {event.a.name}")


def check_time(check: Check) -> None:
    ts, m = check.trace.ts, check.trace.m
    if not check.real:
        rows = np.arange(1, len(ts))
        check.fault(rows, np.diff(ts) < 0, lambda i: f"time goes back, from {ts[i - 1]}")
        return
    order = np.argsort(m, kind="stable")
    order = order[m[order] >= 0]
    back = (m[order][1:] == m[order][:-1]) & (np.diff(ts[order]) < 0)
    check.fault(order[1:], back, lambda i: f"time goes back within M {m[i]}")


def check_states(check: Check) -> None:
    """Rule 3, for G's, P's and M's alike."""
    trace = check.trace
    for what, names in (("g", st.GSTATUS), ("p", st.PSTATUS), ("m", MSTATUS)):
        before, after = np.zeros(256, np.int64), np.full(256, -1, np.int64)
        who = np.full(len(trace), -1, np.int64)
        for event in EVENTS:
            change: Change | None = getattr(event, what)
            if change is None:
                continue
            rows = check.where(event.code)
            who[rows] = getattr(trace, change.who)[rows]
            before[event.code] = sum(1 << state for state in change.before)
            if change.after is not None:
                after[event.code] = change.after
        rows = np.flatnonzero(who >= 0)
        kind = trace.kind[rows]
        told = after[kind] < 0
        check.fault(rows, told & ~np.isin(trace.b[rows], list(names)), f"no {what.upper()} has such a status")
        state = np.where(told, np.clip(trace.b[rows], 0, 7), after[kind])
        last = previous(check, who[rows], rows, state)
        first = last == UNKNOWN
        if what == "p":
            last = np.where(first, st.PIDLE, last)
            last = np.where(
                (last == st.PDEAD) & (kind == ev.ProcStart), st.PIDLE, last
            )  # GOMAXPROCS grew again
        legal = before[kind] >> np.maximum(last, 0) & 1 == 1
        if what == "g":
            legal[first] = (told | (kind == ev.GoCreate))[first]
        elif what == "m":
            legal[first] = True
        legal &= ~told | first | (last == state)
        legal |= first & check.believed(rows)
        check.fault(rows, ~legal, state_rule(check, what, names, rows, last, who))


def state_rule(
    check: Check, what: str, names: dict[int, str], rows: Ints, last: Ints, who: Ints
) -> Callable[[int], str]:
    def rule(i: int) -> str:
        was = int(last[np.searchsorted(rows, i)])
        state = "not known" if was == UNKNOWN else names.get(was, str(was))
        return (
            f"{what.upper()} {who[i]} is {state}, which does not allow {KINDS[int(check.trace.kind[i])].name}"
        )

    return rule


def check_cpu(check: Check) -> None:
    """Rule 5. The look at a clock and the note of it are not one moment."""
    trace = check.trace
    rows = check.where(ev.CpuTime)
    check.fault(rows, (trace.a[rows] < 0) | (trace.b[rows] < 0), "a CPU time is of an M, and not negative")
    rows = rows[np.argsort(trace.a[rows], kind="stable")]
    used, gone = np.diff(trace.b[rows]), np.diff(trace.ts[rows])
    same = (np.diff(trace.a[rows]) == 0) & (np.diff(check.epoch[rows]) == 0)
    check.fault(rows[1:], same & (used < 0), lambda i: f"the CPU time of M {trace.a[i]} goes back")
    check.fault(
        rows[1:],
        same & (used > gone + CPU_SLACK_NS),
        lambda i: f"M {trace.a[i]} used more CPU than there was time",
    )


def check_queues(check: Check) -> None:
    """Rule 6."""
    trace, where = check.trace, check.where
    a, b = trace.a, trace.b
    rows = where(ev.RunqLen)
    check.fault(rows, (a[rows] < 0) | (a[rows] > RING + 1), f"a ring and runnext hold 0 to {RING + 1} G's")
    check.fault(rows, b[rows] < -1, "a queue cannot be shorter than empty")
    rows = where(ev.Overflow)
    check.fault(
        rows, a[rows] > RING // 2 + 1, f"at most half of a ring and one more overflow: {RING // 2 + 1}"
    )
    rows = where(ev.GoStart)
    queues = [text(trace, name) for name in ev.QUEUES[1:]]
    check.fault(rows, (a[rows] >= 0) & ~np.isin(a[rows], queues), "there is no such queue")
    rows = where(ev.GlobqLen, ev.NetpollReady, ev.Overflow)
    check.fault(rows, a[rows] < 0, "a queue cannot be shorter than empty")
    rows = where(ev.Steal)
    check.fault(rows, b[rows] < 1, "a steal takes at least one G")
    check.fault(rows, a[rows] == trace.p[rows], "no P steals from itself")
    said = where(ev.StealBefore)
    steal = neighbour(trace.m[rows], rows, trace.m[said], said)
    alone = steal < 0
    check.fault(said, alone & ~check.believed(said), "StealBefore comes after a Steal of the same M")
    said, steal = said[~alone], steal[~alone]
    if not check.partial:
        times = np.bincount(steal, minlength=len(rows))
        silent = rows[times == 0]
        if len(silent):  # of an M that still runs: what it is about to write
            later = neighbour(trace.m, np.arange(len(trace)), trace.m[silent], silent, after=True)
            check.fault(silent, later >= 0, "every Steal has its StealBefore")
        again = np.ones(len(said), bool)
        again[np.unique(steal, return_index=True)[1]] = False
        check.fault(said, again, "one Steal has two StealBefore")
    n = b[rows[steal]] if len(rows) else said
    half = b[said] == text(trace, "half")
    most = np.where(half, a[said] - a[said] // 2, 1)
    bad = n > most if check.real else n != most
    check.fault(
        said,
        bad,
        lambda i: f"of {a[i]} no thief takes that many by the rule {trace.string(int(b[i]))!r}",
    )


RULES: Final = (
    *(check_rows, check_time, check_states, check_places, check_cpu, check_queues),
    *(check_clocks, check_exact),
)
