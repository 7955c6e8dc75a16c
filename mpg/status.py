"""States of G's and P's with Go's names and numbers, their legal transitions, and wait reasons.

Go: runtime2.go of 1.27, in which a P no longer has a syscall state. States are plain ints on purpose: on a
free-threaded build small ints are immortal, while enum members are shared objects whose reference counts
bounce between the cores.

Who may change what:

| state    | the G belongs to                           | leaves it by                                   |
|----------|--------------------------------------------|------------------------------------------------|
| RUNNABLE | exactly one queue (ring, runnext, M queues) | the M that takes it from the queue             |
| RUNNING  | the M whose `curg` it is                    | that M                                         |
| SYSCALL  | its M (`blocking`), a spare M (`to_thread`)  | its own M                                      |
| WAITING  | the wait list of whatever it waits for      | whoever claims it there and hands it to `ready` |
| DEAD     | nobody                                     | -                                              |
"""

from __future__ import annotations

from typing import Final

__all__ = ["GSTATUS", "PSTATUS", "G_TRANSITIONS", "P_TRANSITIONS"]

GIDLE: Final = 0
GRUNNABLE: Final = 1
GRUNNING: Final = 2
GSYSCALL: Final = 3
GWAITING: Final = 4
GDEAD: Final = 6

GSTATUS: Final = {
    GIDLE: "idle",
    GRUNNABLE: "runnable",
    GRUNNING: "running",
    GSYSCALL: "syscall",
    GWAITING: "waiting",
    GDEAD: "dead",
}

PIDLE: Final = 0
PRUNNING: Final = 1
PDEAD: Final = 4

PSTATUS: Final = {PIDLE: "idle", PRUNNING: "running", PDEAD: "dead"}

#: (from, to) -> the functions that make the change.
G_TRANSITIONS: Final = {
    (GIDLE, GRUNNABLE): "newproc",
    (GRUNNABLE, GRUNNING): "execute",
    (GRUNNING, GWAITING): "gopark",
    (GWAITING, GRUNNABLE): "ready, injectglist",
    (GRUNNING, GRUNNABLE): "gosched, preempt, exitsyscall without a P",
    (GRUNNING, GSYSCALL): "entersyscall, offload",
    (GSYSCALL, GRUNNING): "exitsyscall",
    (GSYSCALL, GRUNNABLE): "the end of an offloaded call",
    (GRUNNING, GDEAD): "goexit0",
    (GRUNNABLE, GDEAD): "a fresh G dropped at the end of a run",
}

P_TRANSITIONS: Final = {
    (PIDLE, PRUNNING): "acquirep",
    (PRUNNING, PIDLE): "releasep, retake",
    (PRUNNING, PDEAD): "retire",
    (PIDLE, PDEAD): "procresize, retire",
}

# Wait reasons are Go's strings (runtime2.go, waitReasonStrings); the last two are ours.
CHAN_RECEIVE: Final = "chan receive"
CHAN_SEND: Final = "chan send"
SELECT: Final = "select"
SELECT_NO_CASES: Final = "select (no cases)"
SLEEP: Final = "sleep"
IO_WAIT: Final = "IO wait"
MUTEX_LOCK: Final = "sync.Mutex.Lock"
RWMUTEX_RLOCK: Final = "sync.RWMutex.RLock"
RWMUTEX_LOCK: Final = "sync.RWMutex.Lock"
WAITGROUP_WAIT: Final = "sync.WaitGroup.Wait"
COND_WAIT: Final = "sync.Cond.Wait"
SEMACQUIRE: Final = "semacquire"
JOIN: Final = "join"
OFFLOADED: Final = "to_thread"

# Why a G is left that does not wait: to which tail it goes.
GOSCHED: Final = "gosched"  # of the global queue
GOYIELD: Final = "goyield"  # of the local one
