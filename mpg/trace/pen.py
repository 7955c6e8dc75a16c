"""Pens: what the scheduler calls at each event.

Every M has a `Pen` in its `rec` slot, or None: that one read and one branch is all that a run without a recorder
pays. A Pen appends plain ints to lists that only its M writes to, so there is no lock and no formatting; six ints
are a record, and a full list is packed into bytes (`Stream`). In a simulation, where one M runs at a time, all Pens
share one stream, so it is in causal order by itself; what real M's wrote is put in order when it is read (`merge.py`).

What the numbers are, `stream.py` says. Most records are one event, one makes a G stop and another start, and of a
server at work there are times alone (`foretell.py`). Reading makes of it the seven columns of `events.py`
(`unfold.py`, `flight.py`).

The order that `merge` relies on: an event that gives something away (a G made ready, a P released) is recorded
*before* it can be taken, one that takes something, *after* it is ours. So causes come first on the clock, except
where a park becomes visible before its switch is recorded. (A P is taken from an M that may go on at once: that is
timed while it cannot, and written down afterwards.)

Queue lengths are told when they have changed. If nothing has been queued since the last switch, a pen is `calm`: then a
yield among started G's leaves the lengths as they were, a G that blocks makes way for one of the queue, and nothing
need be counted. Whatever queues something ends that, as does an M that opens its inbox. Nor does a calm switch look
whether its chunk is full: every 61st one, which is fair to the global queue, is not calm (`fair`).

A recording ends on each M where the end of the run does: the unwinding of G's that are still alive is not in it.

Rejected: objects or dicts as records (three times the time, and the garbage collector walks them), keeping the lists
(an int object for each number), `Struct.pack_into` for each record (twice the time of `list.extend`), one stream for
all threads (a lock, or contention, on every switch), writing to the file at once.
"""

from __future__ import annotations

from typing import Any

from . import events as ev
from .hotpen import HotPen
from .stream import KIND_BITS, TEXT

__all__ = ["Pen"]

GLOBAL, STOLEN, TIMER, DIRECT, RUNNEXT = (
    TEXT[word] for word in ("global", "stolen", "timer", "direct", "runnext")
)
PREEMPTED, BLOCKING, HALF, ONE = (TEXT[word] for word in ("preempted", "blocking", "half", "one"))


class Pen(HotPen):
    """What one M writes with."""

    __slots__ = ()

    # G's.

    def arrives(self, gp: Any, pp: Any) -> None:
        """GoCreate by the world: nobody of the program has made it. It goes to `pp`."""
        name = self.owner.name_of(gp, getattr(gp.fn, "__code__", None))
        self.world(ev.GoCreate, gp.id, name, pp.id)
        if pp.m is not None and pp.m.rec is not None:
            pp.m.rec.moved()

    def world(self, kind: int, a: int, b: int = -1, p: int = -1) -> None:
        """One event that no M of the run has brought about. In a simulation, where all write to one stream."""
        self.put((self.now(), p + 1 << KIND_BITS | kind, -1, a, b, -1))
        if len(self.rows) >= self.full:
            self.roll()

    def fired(self, mp: Any, pp: Any, late: int) -> None:
        """TimerFire; what is made ready on g0 from now on is the timer's doing."""
        self.calm = False
        self.foretold = None
        self.cause = TIMER
        self.simple(mp, ev.TimerFire, pp.id, late)

    def preempted(self) -> None:
        """The G that yields now was asked to."""
        self.why = PREEMPTED
        self.calm = False
        self.foretold = None

    def take_global(self) -> None:
        """What starts next comes from the global queue, or from the batch that was taken there."""
        self.queue = GLOBAL
        self.calm = False
        self.foretold = None

    def moved(self) -> None:
        """G's that others have made ready may have been queued."""
        self.calm = False
        self.foretold = None

    def call(self, mp: Any) -> None:
        """GoSyscallBegin, in place."""
        self.simple(mp, ev.GoSyscallBegin, BLOCKING, -1)

    def back(self, mp: Any) -> None:
        """GoSyscallEnd: it still has its P."""
        self.simple(mp, ev.GoSyscallEnd, -1, -1)

    def back_elsewhere(self, mp: Any) -> None:
        """GoSyscallEndBlocked and GoStart: it goes on with another P."""
        pp, gp = mp.p, mp.curg
        now = self.now()
        self.row(now, ev.GoSyscallEndBlocked, pp.id, gp.id, -1, -1)
        self.row(now, ev.GoStart, pp.id, gp.id, DIRECT, -1)

    def back_home(self, mp: Any, gp: Any) -> None:
        """GoSyscallEndBlocked of a call that a spare M has made, on the owner."""
        self.calm = False
        self.foretold = None
        pp = mp.p
        self.row(self.now(), ev.GoSyscallEndBlocked, -1 if pp is None else pp.id, gp.id, -1, -1)

    def of_spare(self, sched: Any, spare: Any) -> Pen:
        """What a spare M writes with. It has no number of its own until somebody records."""
        pen: Pen | None = spare.pen
        if pen is None:
            with sched.lock:
                mid = sched.mnext
                sched.mnext += 1
            pen = spare.pen = self.owner.pen(mid, self.now)
            pen.bare(ev.MStart, self.m)
        return pen

    def offload(self, kind: int, gp: Any, mp: Any) -> None:
        """Offload, OffloadEnd: this spare M makes a call for a G of `mp`."""
        self.row(self.now(), kind, -1, gp.id, mp.id, -1)

    def drop(self, gps: list[Any]) -> None:
        """GoDrop of fresh G's, at the end of a run."""
        now = self.now()
        for gp in gps:
            self.row(now, ev.GoDrop, -1, -1, gp.id, -1)

    # Everything else.

    def reach(self) -> None:
        """This M may take the P of another, which may see that before `taken` writes it down."""
        self.stream.owes = self.now()

    def taken(self, mp: Any, pp: Any, when: int) -> None:
        """ProcSteal from `mp`, which did not go on before `when`; 0: it kept its P."""
        if when:
            self.put((when, self.alone | ev.ProcSteal, -1, pp.id, mp.id, -1))
        self.stream.owes = 0

    def acquire(self, mp: Any, pp: Any) -> None:
        """ProcStart, once `mp` has it; and SpinStart, if it was woken to look for work."""
        now = self.now()
        if mp.spinning and not self.spinning:
            self.spinning = True
            self.row(now, ev.SpinStart, -1, -1, -1, -1)
        self.last_next = pp.nexttick
        self.here = here = self.alone | pp.id + 1 << KIND_BITS
        self.switches = here | ev.GoSwitch
        self.starts = here | ev.GoStart
        self.unblocks = here | ev.GoUnblock
        self.calm = False
        self.foretold = None
        self.started = -1
        self.row(now, ev.ProcStart, pp.id, -1, -1, -1)

    def spin(self, mp: Any, on: bool) -> None:
        """SpinStart, SpinStop."""
        if on is not self.spinning:
            self.spinning = on
            pp = mp.p
            p = -1 if pp is None else pp.id
            self.row(self.now(), ev.SpinStart if on else ev.SpinStop, p, -1, -1, -1)

    def steal(self, mp: Any, pp: Any, victim: Any, stolen: int, before: int, one: bool) -> None:
        """Steal, StealBefore and the lengths of both rings; what is run next was stolen."""
        now = self.now()
        rule = RUNNEXT if not before else ONE if one else HALF
        self.row(now, ev.Steal, pp.id, -1, victim.id, stolen)
        self.row(now, ev.StealBefore, pp.id, -1, before, rule)
        self.length(mp, victim, now)
        self.queue = STOLEN
        self.calm = False
        self.foretold = None

    def exit(self, mp: Any) -> None:
        """The end of the run on this M: it gives up what it holds."""
        self.foretold = None
        self.spin(mp, False)
        if mp.p is not None:
            self.bare(ev.ProcStop, p=mp.p.id)
        self.bare(ev.MExit)
