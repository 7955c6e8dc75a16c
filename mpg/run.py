"""mpg.run: the composition root of the host. Nothing else builds a real Sched."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from os import PathLike
from time import monotonic, time
from typing import Any, TypeVar

from .arguments import PROCS, check_arguments
from .current import runs, tls, user_calls
from .debug.schedtrace import schedtrace as sched_line
from .host import fork
from .host.port import POLLERS, HostPort, gil_enabled
from .host.procs import default_procs
from .host.signals import Signals
from .host.spare import join
from .plain import PLAIN
from .port import Capabilities
from .sched.boot import boot, end_m, outcome, start_sysmon
from .sched.finish import stop
from .sched.join import wake_joiners
from .sched.proc import schedule
from .sched.runq import drop_fresh
from .sched.schedt import Sched
from .sched.structs import M
from .seconds import to_ns
from .status import GDEAD
from .trace.record import Recorder
from .trace.target import recorder_for, save

T = TypeVar("T")

__all__ = ["run"]


def run(
    main: Callable[..., T],
    *args: Any,
    procs: int | None = None,
    shutdown_timeout: float = 5.0,
    deadlock: bool = True,
    stall_report: float | None = 0.1,
    schedtrace: float | None = None,
    poller: str | None = None,
    caps: Capabilities | None = None,
    trace: str | PathLike[str] | Recorder | None = None,
) -> T:
    """Run `main(*args)` as the first G, on this thread and on as many others as it takes; return its value.

    The run ends when main returns or any G fails; the other G's are then unwound, their `finally` blocks run.

    Args:
        main: a plain function. Whatever blocks in mpg (channels, sockets, sleep) lets other G's run.
        procs: the number of P's (GOMAXPROCS), at most 65,536. Default: $GOMAXPROCS, else the CPUs this process may
            use, by affinity and cgroup quota.
        shutdown_timeout: how many seconds to wait at the end for threads that are stuck in blocking calls.
        deadlock: raise DeadlockError when nothing can run any more.
        stall_report: log the G that keeps its P for so many seconds without an mpg operation; None: never.
        schedtrace: print Go's SCHED line to stderr every so many seconds.
        poller: "epoll" or "selectors"; default: the best there is.
        caps: override what this build can do; for experiments.
        trace: record the run into a `mpg.trace.Recorder`, or into a file with this path (.npz), which is written
            however the run ends; while it records on the main thread, that includes SIGTERM, which then raises
            SystemExit(143).

    Raises:
        TypeError, ValueError: an argument of the wrong kind, or out of its range.
        RuntimeError: inside another run on the same thread.
        DeadlockError: all G's are asleep.
        OSError: the file for the trace cannot be written.
        Exception: what main or any other G raised and did not handle; a note names the G.
    """
    if tls.m is not PLAIN:
        raise RuntimeError("mpg.run inside mpg.run: use mpg.go to start another G")
    if not callable(main):
        raise TypeError(f"mpg.run needs a function, not {type(main).__name__}")
    n = default_procs() if procs is None else procs
    check_arguments({"procs": PROCS}, {"procs": n})
    if not isinstance(shutdown_timeout, (int, float)) or not shutdown_timeout >= 0:
        raise ValueError(f"shutdown_timeout is a number of seconds, not {shutdown_timeout!r}")
    if caps is not None and not isinstance(caps, Capabilities):
        raise TypeError(f"caps is a mpg.port.Capabilities, not {type(caps).__name__}")
    if poller not in POLLERS:
        raise ValueError(f"poller is 'epoll' or 'selectors', not {poller!r}")
    report_ns, schedtrace_ns = (
        0 if seconds is None else to_ns(seconds, what)
        for what, seconds in (("stall_report", stall_report), ("schedtrace", schedtrace))
    )
    if report_ns < 0 or schedtrace_ns < 0:
        raise ValueError("stall_report and schedtrace are times that are not negative")
    check_build()
    port = HostPort(caps, poller)
    recorder, path = recorder_for(trace, kept=False)
    prepare = None
    if recorder is not None:
        metadata = {
            "world": "host",
            "clock": "monotonic",
            "procs": n,
            "gil": gil_enabled(),
            "started": time(),
            "started_ns": port.now(),  # the same moment on the clock of the events
        }
        prepare = partial(recorder.begin, metadata=metadata, shared=False)
    sched, m0 = boot(port, n, main, args, copy_context(), prepare=prepare)
    sched.detect_deadlock = deadlock
    sched.stall_report_ns = report_ns
    sched.schedtrace_ns = schedtrace_ns
    sched.schedtrace = lambda now: print(sched_line(sched, now), file=sys.stderr, flush=True)
    fork.register()
    hard: BaseException | None = None
    unsaved: OSError | None = None
    begun = False
    try:
        runs[sched.run_id] = sched
        port.adopt(m0)
        start_sysmon(sched)
        with Signals(sched) as port.signals:
            begun = True
            try:
                schedule(m0)
            except BaseException as exc:  # a second signal, or a handler of the program's that raises
                hard = exc
                stop(sched, exc)
            finish(sched, port, m0, 0.0 if sched.hard else shutdown_timeout)
    except BaseException as exc:
        if not begun:  # the system has no thread or no file descriptor for us
            stop(sched, exc)
            finish(sched, port, m0, shutdown_timeout)
        raise
    finally:
        port.disown(m0)
        runs.pop(sched.run_id, None)
        if recorder is not None:
            recorder.end()
            unsaved = save(recorder, path)
    hard = hard or sched.struck
    if hard is not None:
        raise hard
    value = outcome(sched)
    if unsaved is not None:
        raise unsaved
    return value  # type: ignore[no-any-return]


def finish(sched: Sched, port: HostPort, m0: M, timeout: float) -> None:
    """Unwind the G's of M0, wait for the others, name what will not end."""
    deadline = monotonic() + timeout
    dropped = drop_fresh(sched)
    end_m(m0)
    for gp in [*dropped, *drop_fresh(sched)]:
        gp.atomicstatus = GDEAD
        if gp.joiners is not None:
            wake_joiners(m0, gp)
    if sched.hard:  # a second signal came in the middle of that; from here on it raises at once
        deadline = monotonic()
    left = port.spares.close(deadline) + port.dns.close(deadline)
    ms = [mp for mp in sched.allm if mp is not m0]
    for mp in [*ms, sched.sysmon]:
        if mp is not None and mp.thread is not None and mp.thread.ident is not None:
            join(mp.thread, deadline if mp is not sched.sysmon else monotonic() + 5.0)
    for mp in ms:
        if mp.thread is not None and mp.thread.is_alive():
            left.append(f"{mp.curg!r} on thread {mp.thread.name}" if mp.curg else mp.thread.name)
    if sched.hard:  # a second signal: nobody waited
        left.clear()
    abandoned = [repr(gp) for mp in sched.allm for gp in mp.abandoned]
    if left:
        warnings.warn(
            f"mpg.run ended while blocking calls were in progress: {', '.join(left)}. Their threads end when the "
            "calls return",
            ResourceWarning,
            stacklevel=3,
        )
    if abandoned:
        warnings.warn(
            f"mpg.run abandoned G's that kept parking while they were unwound: {', '.join(abandoned)}",
            ResourceWarning,
            stacklevel=3,
        )


user_calls.add(finish.__code__)  # a second Ctrl-C need not wait for those who do not end


def check_build() -> None:
    """Warn about free-threaded builds older than those on which greenlets are safe (greenlet 3.5.6, 3.14.4)."""
    if gil_enabled():
        return
    import greenlet

    version = tuple(int(part) for part in greenlet.__version__.split(".")[:3] if part.isdigit())
    if version < (3, 5, 6) or sys.version_info < (3, 14, 4):
        warnings.warn(
            "on free-threaded builds mpg needs greenlet 3.5.6 and CPython 3.14.4: earlier ones may crash when a "
            "suspended greenlet is collected, or leave the garbage collector switched off",
            RuntimeWarning,
            stacklevel=3,
        )
