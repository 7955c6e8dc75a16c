"""mpg: Go's M-P-G scheduler for Python.

Plain blocking-style functions run as G's on greenlets, scheduled by P's onto OS threads, with channels, select,
sync, timers and a TCP server; the same scheduler also runs in virtual time, as a simulator.

    import mpg

    def main():
        ch = mpg.Chan()
        mpg.go(ch.send, "hello")
        return ch.recv()

    print(mpg.run(main))
"""

from __future__ import annotations

from . import explorer, net, sim, sync, trace
from .chan import Chan, Selected
from .errors import (
    ChanClosed,
    ChanPanic,
    ClosedError,
    DeadlockError,
    MpgError,
    PanicError,
    RuntimeBug,
    SimulationError,
    SyncPanic,
    Unwind,
)
from .explorer import explore
from .goroutine import (
    current_g,
    go,
    goexit,
    gomaxprocs,
    gosched,
    lock_os_thread,
    num_goroutine,
    unlock_os_thread,
)
from .run import run
from .sched.g import G
from .sched.syscall import blocking, to_thread
from .selectgo import Case, recv_case, select, send_case
from .sim import simulate
from .timer import Ticker, Timer, after, after_func, now, sleep
from .work import stall, work

__version__ = "0.1.0"

__all__ = [
    "Case",
    "Chan",
    "ChanClosed",
    "ChanPanic",
    "ClosedError",
    "DeadlockError",
    "G",
    "MpgError",
    "PanicError",
    "RuntimeBug",
    "Selected",
    "SimulationError",
    "SyncPanic",
    "Ticker",
    "Timer",
    "Unwind",
    "after",
    "after_func",
    "blocking",
    "current_g",
    "explore",
    "explorer",
    "go",
    "goexit",
    "gomaxprocs",
    "gosched",
    "lock_os_thread",
    "net",
    "now",
    "num_goroutine",
    "recv_case",
    "run",
    "select",
    "send_case",
    "sim",
    "simulate",
    "sleep",
    "stall",
    "sync",
    "to_thread",
    "trace",
    "unlock_os_thread",
    "work",
]
