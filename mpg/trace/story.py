"""The life of one G in sentences: by whom it was made and where queued, who stole it, why it waited, what it did.

* A line for each event that changes the G or that it brings about, with the time since its first one and how long the
  G had been in the state that ends.
* Places in the program (`Recorder(sites=True)`) are part of the sentence that they belong to.

Rejected: a sentence for each event that mentions the G. Its own GoSite, or a hand-off of the P that it had, says
nothing about the G that the line beside it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..status import GSTATUS
from . import events as ev
from .derive import stolen
from .events import KINDS

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["story"]


def story(trace: Trace, g: int) -> str:
    """The life of G `g`."""
    rows = trace.mentions("g", g).nonzero()[0].tolist()
    if not rows:
        return f"G {g} does not occur"
    teller = Teller(trace, g, rows)
    start, since = int(trace.ts[rows[0]]), None
    lines: list[str] = []
    for at, i in enumerate(rows):
        ts = int(trace.ts[i])
        spent = ""
        text = teller.own(at, i) if teller.mine(i) else teller.beside(i)
        if not text:
            continue
        if teller.mine(i):
            spent = f", after {(ts - since) / 1000:.3f} us" if since is not None else ""
            since = ts
        lines.append(f"{(ts - start) / 1000:12.3f} us  G {g} {text}{spent}")
    return "\n".join(lines)


class Teller:
    """What the sentences of one G need to know of the whole trace."""

    def __init__(self, trace: Trace, g: int, rows: list[int]) -> None:
        self.trace, self.g, self.rows = trace, g, rows
        found = stolen(trace)
        found = found[found["g"] == g]
        self.thefts = {int(row["end"]): row for row in found}
        self.home = -1  # the M that it ran on last

    def mine(self, i: int) -> bool:
        """Does this event change the state of the G?"""
        event = KINDS.get(int(self.trace.kind[i]))
        return (
            event is not None and event.g is not None and int(getattr(self.trace, event.g.who)[i]) == self.g
        )

    def site(self, at: int, step: int) -> str:
        """ " at file:line", if the G's event beside this one says it."""
        trace, other = self.trace, at + step
        if not 0 <= other < len(self.rows):
            return ""
        row = self.rows[other]
        if trace.kind[row] != ev.GoSite or int(trace.a[row]) != self.g:
            return ""
        return f" at {trace.string(int(trace.b[row]))}"

    def task(self, at: int) -> str:
        """ " in task 3", if one of the two events after the creation says it."""
        trace = self.trace
        for row in self.rows[at + 1 : at + 3]:
            if trace.kind[row] == ev.GoTask and int(trace.a[row]) == self.g:
                return f" in task {int(trace.b[row])}"
        return ""

    def queued(self, i: int) -> str:
        """Where the G that is runnable from now on waits."""
        trace = self.trace
        p, m = int(trace.p[i]), int(trace.m[i])
        pinned = trace.metadata.get("world") in ("host", "sim-pinned")
        if pinned and self.home >= 0:
            sent = "" if self.home == m else ", sent to it"
            return f" and queued on its M {self.home}{sent}"
        last = [row for row in range(i + 1, min(i + 3, len(trace))) if int(trace.m[row]) == m]
        put = last and trace.kind[last[0]] == ev.GlobqLen and int(trace.p[last[0]]) < 0
        if put or (p < 0 and m >= 0):
            return " and put into the global queue"
        return f" and queued on P {p}" if p >= 0 else ""

    def own(self, at: int, i: int) -> str:
        trace = self.trace
        kind, a, b = (int(column[i]) for column in (trace.kind, trace.a, trace.b))
        p, m, by = int(trace.p[i]), int(trace.m[i]), int(trace.g[i])
        whom = f"by G {by}" if by >= 0 and by != self.g else "by the scheduler" if m >= 0 else "by the world"
        reason = trace.string(a)
        match kind:
            case ev.GoCreate:
                return (
                    f"({trace.string(b)}) is created {whom}{self.site(at, 1)}{self.task(at)}{self.queued(i)}"
                )
            case ev.GoStart:
                self.home = m
                return f"starts to run on P {p}, M {m}{self.source(i, reason)}"
            case ev.GoStop:
                return f"leaves P {p} and stays runnable ({reason}){self.queued(i)}"
            case ev.GoBlock:
                what = f", object {b}" if b >= 0 else ""
                return f"leaves P {p} and waits: {reason}{what}{self.site(at, -1)}"
            case ev.GoUnblock:
                how = f" ({trace.string(b)})" if b >= 0 else ""
                return f"is made runnable {whom}{how}{self.queued(i)}"
            case ev.GoSyscallBegin:
                return f"begins a blocking call ({reason})"
            case ev.GoSyscallEnd:
                return f"comes back from its call and still has P {p}"
            case ev.GoSyscallEndBlocked:
                direct = at + 1 < len(self.rows) and trace.kind[self.rows[at + 1]] == ev.GoStart
                if direct and trace.string(int(trace.a[self.rows[at + 1]])) == "direct":
                    return f"comes back from its call and has got P {p}"
                return f"comes back from its call without a P and is runnable{self.queued(i)}"
            case ev.GoStatus:
                return f"is {GSTATUS.get(b, b)}"
            case ev.GoEnd:
                return "ends"
            case ev.GoDrop:
                return "is dropped: the run is over before it began"
        return ""

    def source(self, i: int, queue: str) -> str:
        theft: Any = self.thefts.get(i)
        if theft is None:
            return f", taken from: {queue}" if queue else ""
        if theft["steal"] < 0:
            return ", stolen"
        others = int(theft["n"]) - 1
        beside = f" with {others} other{'s' if others > 1 else ''}" if others else ""
        again = ", which had stolen it" if theft["p"] != theft["victim"] else ""
        return f", stolen from P {theft['victim']}{again}{beside}"

    def beside(self, i: int) -> str:
        """What the G does, or others do to it, that leaves its state as it is."""
        trace = self.trace
        kind, a, b = (int(column[i]) for column in (trace.kind, trace.a, trace.b))
        text = trace.string(a)
        if int(trace.g[i]) != self.g:
            match kind:
                case ev.Preempt:
                    return f"is asked to give up P {a}: its slice is over"
                case ev.Stall:
                    return (
                        f"has kept P {a} for long without an operation: it is named as the culprit of a stall"
                    )
            return ""
        match kind:
            case ev.GoCreate:
                return f"creates G {a} ({trace.string(b)})"
            case ev.GoUnblock:
                return f"makes G {a} runnable"
            case ev.RegionBegin:
                return f"begins the region {text!r}"
            case ev.RegionEnd:
                return f"ends the region {text!r}"
            case ev.TaskBegin:
                return f"begins task {b} ({text})"
            case ev.TaskEnd:
                return f"ends task {b} ({text})"
            case ev.Log:
                return f"logs: {text!r}" + (f" (task {b})" if b >= 0 else "")
            case ev.Offload:
                return "has its call made by " + (f"M {a}" if a >= 0 else "a spare M")
        return ""
