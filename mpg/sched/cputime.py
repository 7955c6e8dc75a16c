"""CPU times of M's, for a recorder: sysmon asks for them every few ms.

A P that runs a G has a thread, and no trace of switches says whether that thread had a CPU, or on a GIL build the
GIL. So sysmon records how much CPU time each M has used, of those that have a P or had one when it last looked: what
happens within one long slice is then known too. A switch pays nothing for it.

Only sysmon writes them: two writers would have to agree on what came first, and a time that goes back would be taken
for a fault of the scheduler.

Rejected: CPU times at every switch (a system call, half a switch), and by each M around its sleeps (what it used since
sysmon's last look belongs to the same stretch).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..status import PRUNNING
from ..trace.events import CpuTime
from .policy import CPU_SAMPLE_NS, CPU_SAMPLE_SLACK_NS

if TYPE_CHECKING:
    from .schedt import Sched
    from .structs import M

__all__ = ["CpuTimes"]


class CpuTimes:
    """What sysmon, which is `mp`, has recorded of CPU times."""

    def __init__(self, mp: M) -> None:
        self.mp = mp
        self.due = 0
        self.held: list[M] = []  # those that had a P at the last look

    def look(self, sched: Sched, now: int) -> None:
        """Record them, unless that has been done a moment ago; and once more when the run ends."""
        if now < self.due and not sched.stopping:
            return
        self.due = now + CPU_SAMPLE_NS
        holders = [pp.m for pp in sched.allp if pp.status == PRUNNING]
        held, self.held = self.held, [mp for mp in holders if mp is not None]
        for mp in self.held + [mp for mp in held if mp not in self.held]:
            self.sample(mp)

    def sample(self, mp: M) -> None:
        me = self.mp
        before = me.now()
        used = me.sched.port.cpu_time(mp)
        now = me.now()
        if used >= 0 and now - before < CPU_SAMPLE_SLACK_NS:  # else we lost our own CPU in between
            me.rec.row(now, CpuTime, -1, -1, mp.id, used)
