"""Every event that a trace may hold: one table, which writers, readers and the validator share.

A record is seven integers: `ts kind p m g a b`. Its rules:

* `ts` is in ns. `kind` is the code of a row below; codes are stored in files, so they never change and a new
  event gets a new one.
* `p`, `m` and `g` say where it happened: the P and the M that wrote it and the G that it is about. An event
  about a *different* G, P or M than the one that was busy writing names it in `a`. -1 is none.
* What `a` and `b` mean stands in the row. Texts are indices into the trace's string table, which begins with
  `STRINGS`: whoever writes `GoBlock` on a hot path needs no look-up.
* Rows are in causal order. What one M wrote is in its own order; between M's the writer orders by what happened
  to a G or a P, never by the clock alone.
* A context switch is one record, `GoSwitch`, because two clock reads and two records would cost half a switch. It is
  expanded when it is read: a `Trace` never holds one.
* Queue lengths are written when they have changed: a reader carries the last one on.

The names are Go's (1.27, execution trace v2) wherever Go has the event. Go has none for stealing, spinning,
parking, waking and queue lengths: those are ours. Go's own rules would reject some of our traces, such as a
call on a spare M, whose owner keeps its P; so this table is the judge and not Go's.

The `object` of a GoBlock is a number for what is waited for: a channel or a primitive of `mpg.sync`, for a join the end
of that G, for IO wait an fd as one M sees it. A select names its channel if all its cases are about one; of several
none is more to blame than the others, and it has none.

The two ways to leave by a blocking call. In place: `GoSyscallBegin "blocking"` keeps G, M and P together until
`GoSyscallEnd`, or `ProcSteal` takes the P and `GoSyscallEndBlocked` makes the G runnable. On a spare M:
`GoSyscallBegin "to_thread"` takes the G off its P and M, which go on; `Offload`, `OffloadEnd` on the spare M frame
the call, and `GoSyscallEndBlocked` on the owner, or `GoUnblock` if the wait is ended early, makes the G runnable.

Rejected: an enum (members are shared objects, see `status.py`); a class for each event (the recorder appends
plain ints); strings in the columns (a million events would be a million objects).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from .. import status as st
from ..errors import MpgError

__all__ = ["COLUMNS", "EVENTS", "KINDS", "MSTATUS", "STRINGS", "Arg", "Change", "Event", "InvalidTrace"]

COLUMNS: Final = ("ts", "kind", "p", "m", "g", "a", "b")

# An M's states. The scheduler itself has no such field: they are read off from the events.
MPARKED: Final = 0
MRUNNING: Final = 1
MSPINNING: Final = 2
MEXITED: Final = 3
MSTATUS: Final = {MPARKED: "parked", MRUNNING: "running", MSPINNING: "spinning", MEXITED: "exited"}

# Codes; the gaps leave room within a subject.
GoCreate: Final = 1
GoStart: Final = 2
GoEnd: Final = 3
GoStop: Final = 4
GoBlock: Final = 5
GoUnblock: Final = 6
GoSwitch: Final = 7
GoDrop: Final = 8
GoSyscallBegin: Final = 10
GoSyscallEnd: Final = 11
GoSyscallEndBlocked: Final = 12
ProcStart: Final = 20
ProcStop: Final = 21
ProcSteal: Final = 22
ProcsChange: Final = 23
ProcRetire: Final = 24
GoStatus: Final = 30
ProcStatus: Final = 31
MStatus: Final = 32
Generation: Final = 33
Dropped: Final = 34
GoName: Final = 35
GoSite: Final = 36
Steal: Final = 40
StealBefore: Final = 41
RunqLen: Final = 42
GlobqLen: Final = 43
Overflow: Final = 44
MStart: Final = 50
MExit: Final = 51
MPark: Final = 52
MWake: Final = 53
SpinStart: Final = 54
SpinStop: Final = 55
CpuTime: Final = 56
Handoff: Final = 60
Preempt: Final = 61
Stall: Final = 62
Relief: Final = 63
Offload: Final = 70
OffloadEnd: Final = 71
NetpollReady: Final = 72
TimerFire: Final = 73
RegionBegin: Final = 80
RegionEnd: Final = 81
TaskBegin: Final = 82
TaskEnd: Final = 83
Log: Final = 84
GoTask: Final = 85

# The first texts of every table that a recorder writes. Appended to, never reordered.
QUEUES: Final = ("", "runnext", "local", "global", "stolen", "netpoll", "timer", "direct")  #: GoStart.queue
STOPS: Final = ("runtime.Gosched", "preempted")  #: GoStop.reason
HOWS: Final = (
    "ready",
    "post",
    "close",
    "abort",
    "blocking",
    st.OFFLOADED,
)  #: GoUnblock.how, GoSyscallBegin.how
RULES: Final = ("half", "one")  #: StealBefore.rule, besides "runnext"
REASONS: Final = (  #: GoBlock.reason
    st.CHAN_RECEIVE,
    st.CHAN_SEND,
    st.SELECT,
    st.SELECT_NO_CASES,
    st.SLEEP,
    st.IO_WAIT,
    st.MUTEX_LOCK,
    st.RWMUTEX_RLOCK,
    st.RWMUTEX_LOCK,
    st.WAITGROUP_WAIT,
    st.COND_WAIT,
    st.SEMACQUIRE,
    st.JOIN,
)
STRINGS: Final = (*QUEUES, *STOPS, *HOWS, *RULES, *REASONS)

# How a G left, in a GoSwitch.
BLOCKED: Final = 0
STOPPED: Final = 1
ENDED: Final = 2
CALLED: Final = 3
LEFT: Final = (GoBlock, GoStop, GoEnd, GoSyscallBegin)


class InvalidTrace(MpgError, ValueError):
    """A trace breaks a rule, or a file is no trace.

    Attributes:
        index: the row, -1 if no single row is to blame.
        event: that row as text.
        rule: the rule that it breaks.
    """

    def __init__(self, index: int, event: str, rule: str) -> None:
        super().__init__(f"event {index} ({event}): {rule}" if index >= 0 else rule)
        self.index = index
        self.event = event
        self.rule = rule

    def __reduce__(self) -> tuple[type[InvalidTrace], tuple[int, str, str]]:
        return InvalidTrace, (self.index, self.event, self.rule)


class Arg(NamedTuple):
    """What `a` or `b` means; `kind` is "int", "ns", "g", "p", "m", "string", or "" if it is not used."""

    name: str = ""
    kind: str = ""


class Change(NamedTuple):
    """A legal change of state. `who` is the column that names the G, P or M; without `after`, `b` is the state."""

    who: str
    before: tuple[int, ...]
    after: int | None


class Event(NamedTuple):
    """One row of the table.

    Attributes:
        g, p, m: how it changes the state of one G, P or M; None if it does not.
        worlds: those it exists in.
        gos: an event of Go, else ours.
        by: the functions that emit it.
    """

    code: int
    name: str
    a: Arg
    b: Arg
    g: Change | None
    p: Change | None
    m: Change | None
    worlds: tuple[str, ...]
    gos: bool
    by: str


def arg(text: str) -> Arg:
    return Arg(*text.split(":")) if text else Arg()


def change(text: str, names: dict[int, str]) -> Change | None:
    """ "g running>waiting", "a any>b", "m >running" (only as the first event of that M)."""
    if not text:
        return None
    who, arrow = text.split(" ")
    before, after = arrow.split(">")
    code = {name: number for number, name in names.items()}
    states = tuple(names) if before == "any" else tuple(code[name] for name in before.split("|") if name)
    return Change(who, states, None if after == "b" else code[after])


ANY: Final = ("host", "sim-pinned", "sim-moving", "go")
OURS: Final = ("host", "sim-pinned", "sim-moving")
PINNED: Final = ("host", "sim-pinned")
HOST: Final = ("host",)

# fmt: off
ROWS: Final = (
    # code, a, b, G, P, M, worlds, emitted by
    ("GoCreate", GoCreate, "new:g", "name:string", "a idle>runnable", "", "", ANY, "newproc"),
    ("GoStart", GoStart, "queue:string", "", "g runnable>running", "", "", ANY, "execute, leave"),
    ("GoEnd", GoEnd, "", "", "g running>dead", "", "", ANY, "goexit0 (Go: GoDestroy)"),
    ("GoStop", GoStop, "reason:string", "", "g running>runnable", "", "", ANY, "gosched, preempt"),
    ("GoBlock", GoBlock, "reason:string", "object:int", "g running>waiting", "", "", ANY, "gopark"),
    ("GoUnblock", GoUnblock, "woken:g", "how:string", "a waiting|syscall>runnable", "", "", ANY, "ready, post, abort"),
    ("GoSwitch", GoSwitch, "next:g", "word:int", "", "", "", OURS, "leave; b is made by pack_switch"),
    ("GoDrop", GoDrop, "fresh:g", "", "a runnable>dead", "", "", OURS, "drop_fresh, at the end of a run"),
    ("GoSyscallBegin", GoSyscallBegin, "how:string", "", "g running>syscall", "", "", ANY, "entersyscall, to_thread"),
    ("GoSyscallEnd", GoSyscallEnd, "", "", "g syscall>running", "", "", ANY, "exitsyscall with the same P"),
    ("GoSyscallEndBlocked", GoSyscallEndBlocked, "", "", "g syscall>runnable", "", "", ANY, "exitsyscall, arrive"),
    ("ProcStart", ProcStart, "", "", "", "p idle|dead>running", "", ANY, "acquirep; GOMAXPROCS may have grown again"),
    ("ProcStop", ProcStop, "", "", "", "p running>idle", "", ANY, "releasep"),
    ("ProcSteal", ProcSteal, "taken:p", "from:m", "", "a running>idle", "", ANY, "retake"),
    ("ProcsChange", ProcsChange, "n:int", "", "", "", "", ANY, "boot, procresize"),
    ("ProcRetire", ProcRetire, "retired:p", "", "", "a idle|dead>dead", "", OURS, "retire_locked"),
    ("GoStatus", GoStatus, "of:g", "status:int", "a any>b", "", "", ANY, "a generation's start"),
    ("ProcStatus", ProcStatus, "of:p", "status:int", "", "a any>b", "", ANY, "a generation's start; m holds it"),
    ("MStatus", MStatus, "of:m", "status:int", "", "", "a any>b", OURS, "a generation's start"),
    ("Generation", Generation, "n:int", "", "", "", "", ANY, "the recorder"),
    ("Dropped", Dropped, "n:int", "", "", "", "", ANY, "the recorder: so many events are missing here"),
    ("GoName", GoName, "of:g", "name:string", "", "", "", OURS, "after GoStatus: what GoCreate said of it"),
    ("GoSite", GoSite, "of:g", "site:string", "", "", "", OURS, "after GoCreate and before GoBlock, with sites=True"),
    ("Steal", Steal, "victim:p", "n:int", "", "", "", OURS, "steal, on the thief"),
    ("StealBefore", StealBefore, "before:int", "rule:string", "", "", "", OURS, "right after Steal: the victim's ring"),
    ("RunqLen", RunqLen, "fresh:int", "started:int", "", "", "", OURS, "ring + runnext; the M's lq, gq and next"),
    ("GlobqLen", GlobqLen, "n:int", "", "", "", "", OURS, "put_global_locked, take_global_locked"),
    ("Overflow", Overflow, "n:int", "", "", "", "", OURS, "overflow"),
    ("MStart", MStart, "by:m", "", "", "", "m >running", OURS, "m_main, on the new M"),
    ("MExit", MExit, "", "", "", "", "m running|parked>exited", OURS, "m_main"),
    ("MPark", MPark, "until:ns", "", "", "", "m running|parked>parked", OURS, "sleep"),
    ("MWake", MWake, "woken:m", "with:p", "", "", "", OURS, "wake, post"),
    ("SpinStart", SpinStart, "", "", "", "", "m running|parked>spinning", OURS, "become_spinning_locked, startm"),
    ("SpinStop", SpinStop, "", "", "", "", "m spinning>running", OURS, "resetspinning, give_up_p"),
    ("CpuTime", CpuTime, "of:m", "used:ns", "", "", "", HOST, "sysmon: CPU time that the thread of this M has used"),
    ("Handoff", Handoff, "handed:p", "to:m", "", "", "", OURS, "handoffp; without an M the P goes idle"),
    ("Preempt", Preempt, "late:p", "running:g", "", "", "", OURS, "sysmon asks"),
    ("Stall", Stall, "stuck:p", "culprit:g", "", "", "", OURS, "look_for_stall"),
    ("Relief", Relief, "relief:p", "stuck:p", "", "", "", PINNED, "help_out"),
    ("Offload", Offload, "owner:m", "", "", "", "", PINNED, "Offload, on the spare M: it begins the call"),
    ("OffloadEnd", OffloadEnd, "owner:m", "", "", "", "", PINNED, "Offload, on the spare M: the call has ended"),
    ("NetpollReady", NetpollReady, "n:int", "", "", "", "", OURS, "netpoll"),
    ("TimerFire", TimerFire, "of:p", "late:ns", "", "", "", OURS, "check_timers"),
    ("RegionBegin", RegionBegin, "name:string", "", "", "", "", ANY, "the program"),
    ("RegionEnd", RegionEnd, "name:string", "", "", "", "", ANY, "the program"),
    ("TaskBegin", TaskBegin, "name:string", "task:int", "", "", "", ANY, "the program"),
    ("TaskEnd", TaskEnd, "name:string", "task:int", "", "", "", ANY, "the program"),
    ("Log", Log, "text:string", "task:int", "", "", "", ANY, "the program"),
    ("GoTask", GoTask, "of:g", "task:int", "", "", "", OURS, "after GoCreate: the G was made in that task"),
)
# fmt: on

OWN: Final = {"GoSwitch", "Dropped"}  # written for traces of Go too, or worded like Go's, and still ours

EVENTS: Final = tuple(
    Event(
        code,
        name,
        arg(a),
        arg(b),
        change(g, st.GSTATUS),
        change(p, st.PSTATUS),
        change(m, MSTATUS),
        worlds,
        worlds == ANY and name not in OWN,
        by,
    )
    for name, code, a, b, g, p, m, worlds, by in ROWS
)
KINDS: Final = {event.code: event for event in EVENTS}
NAMES: Final = {event.name: event for event in EVENTS}


def pack_switch(how: int, reason: int = 0, obj: int = -1, queue: int = 0) -> int:
    """The `b` of a GoSwitch: how and why the G left (as `a` and `b` of LEFT[how]), where the next one came from.

    Layout: 2 bits how, 6 bits queue, 16 bits reason, the rest object + 1. On a hot path everything but the object
    is a constant.
    """
    return how | queue << 2 | reason << 8 | (obj + 1) << 24
