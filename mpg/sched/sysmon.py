"""sysmon: the one thread that needs no P, and takes them from those who sit on theirs (Go: sysmon, retake).

Each pass looks at every P and acts on what has not changed since the pass before:

| what it sees                                                    | what it does                              |
|-----------------------------------------------------------------|-------------------------------------------|
| one slice for 10 ms                                             | preempt flag, doorbell                    |
| an M that has waited for a P for 10 ms                          | a P whose M makes headway is to be given up |
| an M has not asked its poller for 10 ms                         | doorbell: ask it                          |
| a G in `blocking`, twice, and work for the P                    | retake: another M gets the P              |
| a P that has not moved, with fresh G's or an accept loop behind it | help: an idle P's M, else one relief P |
| the same for `stall_report_ns`                                  | names the culprit through `logging`       |
| an idle P with a timer overdue                                  | an M for it                               |
| all P's idle for long                                           | deep sleep                                |

An undeclared stall never loses its P: its M may wake at any moment and touch it on the unsynchronised hot
path. So the stuck P's fresh G's are stolen instead, by a helper.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import Goexit
from ..status import GRUNNABLE, PIDLE, PRUNNING
from ..trace.events import MStart, Preempt, Relief, Stall
from .cputime import CpuTimes
from .deadlock import checkdead_locked, first_timer, is_stuck_locked
from .doorbell import attend, interrupt
from .idle import pidleget_locked, pidletake_locked, publish_locked, set_allp_locked
from .mlife import handoffp, post, startm, take_p, wake
from .park import sleep
from .place import unplace
from .policy import DEEP_SLEEP_NS, MAX_SPARES, POLL_NS, SLICE_NS, SYSMON_MIN_NS, sysmon_delay
from .runq import put_global_locked

if TYPE_CHECKING:
    from .g import G
    from .schedt import Sched
    from .structs import M, P

__all__ = ["retake", "sysmon"]

log = logging.getLogger("mpg")

RECHECK_NS = 100_000_000  # while only a thread of somebody else keeps a deadlock from being certain


def sysmon(mp: M) -> None:
    """The loop. `mp` is sysmon's own M, which never holds a P."""
    sched = mp.sched
    cpu = None
    if mp.rec is not None:
        mp.rec.bare(MStart, mp.rec.by)
        if sched.port.cpu_time(mp) >= 0:
            cpu = CpuTimes(mp)
            cpu.look(sched, mp.now())
    idle = 0
    delay = SYSMON_MIN_NS
    moves = -1
    quiet_since = mp.now()
    trace_at = mp.now() + sched.schedtrace_ns
    while True:
        delay = sysmon_delay(idle, delay, sched.caps.sysmon_longest_ns)
        now = mp.now()
        sleep(mp, now + delay)
        now = mp.now()
        if cpu is not None:
            cpu.look(sched, now)
        if sched.stopping:
            return
        if mp.inbox:  # what a `__del__` here has put off
            attend(mp)
        if sched.npidle == len(sched.allp):
            total = sum(pp.slices + pp.nexttick for pp in sched.allp)
            if total != moves:
                moves, quiet_since = total, now
            if now - quiet_since >= sched.caps.deep_sleep_after_ns and not sched.schedtrace_ns:
                if deep_sleep(mp, now):
                    idle, delay = 0, SYSMON_MIN_NS
                now = mp.now()
            else:
                with sched.lock:
                    checkdead_locked(sched)
        idle = 0 if retake(sched, now) else idle + 1
        if sched.schedtrace_ns and now >= trace_at:
            trace_at = now + sched.schedtrace_ns
            sched.schedtrace(now)


def deep_sleep(mp: M, now: int) -> bool:
    """Everything is idle: sleep until the next timer, or until somebody runs. True if woken early."""
    sched = mp.sched
    with sched.lock:
        if sched.npidle != len(sched.allp) or sched.stopping:
            return False
        first = first_timer(sched)
        if first and first <= now:
            return False
        checkdead_locked(sched)
        until = now + (RECHECK_NS if is_stuck_locked(sched) else DEEP_SLEEP_NS)
        if first:
            until = min(until, first)
        sched.sysmonwait = True
    sleep(mp, until)
    sched.sysmonwait = False
    return mp.now() < until


def retake(sched: Sched, now: int) -> int:
    """One pass over the P's. Returns how many P's it took from M's in `blocking`."""
    taken = 0
    find_p_for_waiter(sched, now)
    for pp in [pp for pp in sched.helped if pp.status != PRUNNING]:  # it may have been retired since
        end_help(sched, pp)
    for pp in sched.allp:
        mp = pp.m
        if pp.status == PIDLE:
            if pp.when and pp.when + POLL_NS <= now:
                run_idle(sched, pp)
            continue
        if pp.status != PRUNNING or mp is None:
            continue
        tick = pp.slices
        overdue = False
        if pp.seen_tick != tick:
            pp.seen_tick = tick
            pp.seen_when = now
        elif pp.seen_when + sched.slice_ns <= now:
            overdue = True
            if sched.sysmon is not None and sched.sysmon.rec is not None and not pp.preempt:
                gp = mp.curg  # read once: it changes meanwhile
                sched.sysmon.rec.bare(Preempt, pp.id, -1 if gp is None else gp.id)
            pp.preempt = True
            mp.ring_bell()
        if mp.iowait and mp.polled + POLL_NS <= now:
            mp.poll_due = True
            mp.ring_bell()
        if mp.insyscall:
            if retake_syscall(sched, mp, pp, now, overdue):
                taken += 1
        elif sched.caps.helps_stalled:
            look_for_stall(sched, mp, pp, now)
    return taken


def find_p_for_waiter(sched: Sched, now: int) -> None:
    """An M has waited for a P for a slice: the first P whose M makes headway is to be given up.

    Not only when a slice is overdue: G's that yield all the time never fill one.
    """
    try:
        waiter = sched.pwait[0]
    except IndexError:
        sched.seen_waiter = None
        return
    if waiter is not sched.seen_waiter:
        sched.seen_waiter = waiter
        sched.seen_waiter_when = now
    elif sched.seen_waiter_when + SLICE_NS <= now:
        for pp in sched.allp:
            mp = pp.m
            if mp is not None and not mp.insyscall and pp.seen_moves != pp.slices + pp.nexttick:
                sched.seen_waiter_when = now
                pp.leave = True
                mp.ring_bell()
                return


def run_idle(sched: Sched, pp: P) -> None:
    """An idle P's timer is overdue: the M that should have watched it is busy with another P."""
    with sched.lock:
        if not pidletake_locked(sched, pp):
            return
    startm(sched, pp, False)


def retake_syscall(sched: Sched, mp: M, pp: P, now: int, overdue: bool) -> bool:
    """Take the P of an M whose G is in `blocking`, by Go's rule of two looks."""
    if not overdue and pp.seen_syscalltick != pp.syscalltick:
        pp.seen_syscalltick = pp.syscalltick
        pp.seen_syscallwhen = now
        return False
    if pp.runqempty() and sched.nmspinning + sched.npidle > 0 and pp.seen_syscallwhen + SLICE_NS > now:
        return False
    if not take_p(mp, pp):
        return False
    handoffp(sched, pp)
    return True


def look_for_stall(sched: Sched, mp: M, pp: P, now: int) -> None:
    """Has this P moved since the last look? If not, help those behind it, and say who is to blame."""
    moves = pp.slices + pp.nexttick
    gp = mp.curg if mp.curg is not None else mp.nextg  # the latter while something dies with the G before it
    if moves != pp.seen_moves or gp is None:
        pp.seen_moves = moves
        pp.stuck_since = now
        if pp in sched.helped:
            end_help(sched, pp)
        pp.reported = pp.told = False
        return
    stuck = now - pp.stuck_since
    if stuck < SLICE_NS:
        return
    if pp.rung_at == moves and sched.sysmon is not None and sched.sysmon.rec is not None and not pp.told:
        pp.told = True
        sched.sysmon.rec.bare(Stall, pp.id, gp.id)
    if pp.rung_at != moves:  # it is overdue and has just been told; an M that makes mpg operations will yield
        pp.rung_at = moves
        return
    if mp.inbox:
        unplace(sched, mp, pp)
    if not pp.runqempty() or sched.globq or sched.pwait or (sched.on_help and not pp.helpers):
        help_out(sched, pp)
    if not pp.reported and sched.stall_report_ns and stuck >= sched.stall_report_ns:
        pp.reported = True
        sched.stranded_events += len(mp.gs) - (gp.listed is not None)
        report(sched, mp, gp, pp, stuck)


def help_out(sched: Sched, pp: P) -> None:
    """Start an M for what waits behind a stuck P: on an idle P, else on one relief P."""
    with sched.lock:
        if sched.nmspinning or sched.stopping:
            return
        idle = pidleget_locked(sched)
        if idle is None and pp.relief is None and len(sched.allp) < sched.gomaxprocs + MAX_SPARES:
            idle = pp.relief = sched.new_p(sched, max(p.id for p in sched.allp) + 1)
            idle.relief_for = pp
            if sched.sysmon is not None and sched.sysmon.rec is not None:
                sched.sysmon.rec.bare(Relief, idle.id, pp.id)
            sched.nrelief += 1
            set_allp_locked(sched, [*sched.allp, idle])
        if idle is None:
            return
        if pp not in sched.helped:
            sched.helped.append(pp)
        if not pp.helpers:
            pp.helpers = [gp for gp in (make() for make in sched.on_help) if gp is not None]
            for gp in pp.helpers:
                gp.id = next(sched.goidgen)
                gp.ticket = pp.ticket
                gp.atomicstatus = GRUNNABLE
                sched.nhelpers += 1
                if sched.sysmon is not None and sched.sysmon.rec is not None:
                    sched.sysmon.rec.create(sched.sysmon, gp)
            put_global_locked(sched, pp.helpers)
        waiter = sched.pwait.popleft() if sched.pwait else None
        if waiter is None:
            sched.nmspinning += 1
            publish_locked(sched)
        else:  # an M whose own G's are ready, such as an earlier helper that has accepted a connection
            waiter.wants_p = False
            waiter.nextp = idle
    if waiter is None:
        startm(sched, idle, True)
    else:
        wake(waiter)


def end_help(sched: Sched, pp: P) -> None:
    """The stuck P moves again, or its M has given it up: its relief P and what `on_help` started are to end."""
    relief = pp.relief
    if relief is None:
        sched.helped.remove(pp)
    else:
        relief.leave = True
        mp = relief.m
        if mp is not None:
            mp.ring_bell()
    helpers, pp.helpers = pp.helpers, []
    for gp in helpers:
        sched.pending[gp] = Goexit()  # first: it looks at this once it has begun and has a home
        if gp.home is not None:
            post(gp.home, EndHelper(gp))


class EndHelper:
    """A letter to the M of a helping G: end it."""

    __slots__ = ("gp",)

    def __init__(self, gp: G) -> None:
        self.gp = gp

    def __call__(self, mp: M) -> None:
        mp.sched.pending.pop(
            self.gp, None
        )  # or it would come a second time, out of what it does in order to end
        interrupt(mp, self.gp, Goexit())


def report(sched: Sched, mp: M, gp: G, pp: P, stuck: int) -> None:
    """Name the culprit. On a spare M: a logging handler may wait for a lock that the stuck G holds."""
    text = (
        f"goroutine {gp.id} ({gp.name}) has kept P {pp.id} for {stuck / 1e6:.0f} ms without an mpg operation; "
        f"{len(mp.gs)} started G's of its thread wait. Use mpg.to_thread for blocking calls. It is at:\n"
        f"{sched.port.where(mp)}"
    )
    sched.port.offload(lambda spare: log.warning("%s", text))
