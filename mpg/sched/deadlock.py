"""checkdead: can anything ever run again? (Go: checkdead in proc.go)

Called with `sched.lock` held whenever an M goes idle, and by sysmon, because the last reason for hope may be
a thread that is not ours and says nothing when it ends. A run is dead when

* no M runs, none is on its way (a promised P, a letter in its inbox), and no spare M makes a call for a G,
* no G waits for I/O and no timer is armed that will come (`first_timer`),
* no ordinary thread has used a primitive of this run, and none that was started since the run began is alive,
* nobody waits for an object that a thread made which is alive and not one of the run's,
* every other run of this process is as stuck (channels may connect them). A run says so in `stuck`; whoever
  posts to a sleeping M of it takes that back first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..current import runs
from ..errors import DeadlockError
from ..status import GWAITING
from .finish import live_gs, stop_locked

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched

__all__ = ["checkdead_locked", "first_timer", "goroutine_table", "is_stuck_locked"]

ASLEEP = "all goroutines are asleep - deadlock!"
NO_GOROUTINES = "no goroutines (main called runtime.Goexit) - deadlock!"


def checkdead_locked(sched: Sched) -> None:
    """Record a DeadlockError and begin the end of the run if nothing can run any more."""
    if not sched.detect_deadlock or sched.stopping or not is_stuck_locked(sched):
        return
    sched.stuck = True
    if not all(other.stuck for other in list(runs.values()) if other.port.world == sched.port.world):
        return
    if sched.plain_used or sched.port.foreign_threads():
        return
    parked = live_gs(sched)
    creators = {-sg.c.run_id for sg in _sudogs(parked) if sg.c is not None and sg.c.run_id < 0}
    if creators and sched.port.others_alive(creators):
        return
    if any(sg.c is not None and getattr(sg.c, "plain_used", False) for sg in _sudogs(parked)):
        return
    text = ASLEEP if parked else NO_GOROUTINES
    error = DeadlockError(text, tuple(goroutine_table(sched, parked)))
    if sched.stuck and is_stuck_locked(sched):  # else a `__del__` has woken somebody meanwhile
        stop_locked(sched, error)


def is_stuck_locked(sched: Sched) -> bool:
    """Nothing runs, nothing is due, nobody of ours will ever wake anybody."""
    if sched.nsyscall or sched.globq or (sched.sysmon is not None and sched.sysmon.inbox):
        return False
    for mp in sched.allm:
        if not mp.idle or mp.inbox or mp.nextp is not None or mp.iowait or mp.sigint or mp.sigterm:
            return False
        if mp.next is not None or mp.lq or mp.gq:
            return False
    return not first_timer(sched) and all(pp.runqempty() for pp in sched.allp)


def first_timer(sched: Sched) -> int:
    """When the first timer is due; 0 if none is armed, or none that will come in this world."""
    first = min((pp.when for pp in sched.allp if pp.when), default=0)
    return first if first < sched.never else 0


def _sudogs(gs: list[G]) -> list[Any]:
    out: list[Any] = []
    for gp in gs:
        w = gp.waiting
        if w is not None:
            out.extend(getattr(w, "sudogs", None) or ([w] if hasattr(w, "c") else []))
    return out


def goroutine_table(sched: Sched, gs: list[G]) -> list[str]:
    """One line per G, as a Go traceback begins: id, state, what for, since when, where, created where."""
    now = sched.port.now()
    lines = []
    for gp in gs:
        state = gp.waitreason if gp.atomicstatus == GWAITING else gp.status
        what = ", ".join(dict.fromkeys(repr(sg.c) for sg in _sudogs([gp]) if sg.c is not None))
        line = f"goroutine {gp.id} [{state}{', ' + what if what else ''}]: {gp.name}"
        if gp.atomicstatus == GWAITING and gp.since:
            line += f", for {max(0, now - gp.since) / 1e9:.1f} s"
        where = parked_at(gp)
        if where:
            line += f", at {where}"
        if gp.created:
            line += f", created at {gp.created}"
        lines.append(line)
    return lines


def parked_at(gp: G) -> str:
    """`file:line` of the innermost frame that is not mpg's own."""
    frame = getattr(gp.stack, "gr_frame", None)
    while frame is not None:
        if not str(frame.f_globals.get("__name__", "")).startswith("mpg."):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
