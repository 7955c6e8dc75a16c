"""mpg.run: the composition root of the host. Nothing else builds a real Sched."""

from __future__ import annotations

import itertools
import os
import sys
import warnings
from collections.abc import Callable
from contextvars import copy_context
from time import monotonic
from typing import Any, TypeVar

from greenlet import GreenletExit

from .current import PLAIN, runs, tls
from .errors import RuntimeBug
from .host.port import HostPort, gil_enabled
from .host.procs import default_procs
from .host.signals import Interrupts
from .port import Capabilities
from .sched.finish import end_carriers, stop, unwind
from .sched.mlife import acquirep, new_m_locked, put_p
from .sched.proc import new_goid, schedule
from .sched.runq import drop_fresh
from .sched.stacks import MovableM, PinnedM
from .sched.structs import G, M, P, Sched
from .sched.sysmon import sysmon
from .debug.schedtrace import schedtrace

T = TypeVar("T")

__all__ = ["boot", "run"]

_run_ids = itertools.count(1)


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
) -> T:
    """Run `main(*args)` as the first G, on this thread and on as many others as it takes; return its value.

    The run ends when main returns or any G fails; the other G's are then unwound, their `finally` blocks run.

    Args:
        main: a plain function. Whatever blocks in mpg (channels, sockets, sleep) lets other G's run.
        procs: the number of P's (GOMAXPROCS). Default: $GOMAXPROCS, else the CPUs this process may use, by
            affinity and cgroup quota.
        shutdown_timeout: how many seconds to wait at the end for threads that are stuck in blocking calls.
        deadlock: raise DeadlockError when nothing can run any more.
        stall_report: log the G that keeps its P for so many seconds without an mpg operation; None: never.
        schedtrace: print Go's SCHED line to stderr every so many seconds.
        poller: "epoll" or "selectors"; default: the best there is.
        caps: override what this build can do; for experiments.

    Raises:
        RuntimeError: inside another run on the same thread.
        DeadlockError: all G's are asleep.
        Exception: what main or any other G raised and did not handle; a note names the G.
    """
    if tls.m is not PLAIN:
        raise RuntimeError("mpg.run inside mpg.run: use mpg.go to start another G")
    if not callable(main):
        raise TypeError(f"mpg.run needs a function, not {type(main).__name__}")
    n = default_procs() if procs is None else procs
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"procs must be a positive int, not {procs!r}")
    check_build()
    port = HostPort(caps, poller)
    sched, m0 = boot(port, n, main, args)
    sched.detect_deadlock = deadlock
    sched.stall_report_ns = int((stall_report or 0) * 1e9)
    sched.schedtrace_ns = int((schedtrace or 0) * 1e9)
    runs[sched.run_id] = sched
    port.adopt(m0)
    start_sysmon(sched)
    hard: BaseException | None = None
    try:
        with Interrupts(sched):
            try:
                schedule(m0)
            except KeyboardInterrupt as exc:  # the second Ctrl-C, wherever it struck
                hard = exc
                stop(sched, exc)
            finish(sched, m0, 0.0 if hard else shutdown_timeout)
    finally:
        tls.m = PLAIN
        runs.pop(sched.run_id, None)
    if hard is not None:
        raise hard
    return outcome(sched)


def boot(port: Any, procs: int, main: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Sched, M]:
    """Build a Sched with its P's, M0 and main G, ready for `schedule(m0)` (Go: schedinit, newproc of main)."""
    sched = Sched(port, procs, run_id=next(_run_ids))
    sched.new_m_object = MovableM if port.caps.stacks_move else PinnedM
    sched.m_main = m_main
    sched.schedtrace = schedtrace_of(sched)
    sched.started = port.now()
    from .sched.idle import set_allp_locked

    set_allp_locked(sched, [P(sched, i) for i in range(procs)])
    m0 = sched.m0 = new_m_locked(sched)
    for pp in reversed(sched.allp[1:]):
        put_p(sched, pp)
    acquirep(m0, sched.allp[0])
    gp = sched.main = G(new_goid(m0), main, args, None, copy_context(), None, 0)
    gp.name = getattr(main, "__qualname__", type(main).__qualname__)
    m0.created = 1
    sched.allp[0].schedtick = 1  # main began a slice
    m0.nextg = gp
    return sched, m0


def schedtrace_of(sched: Sched) -> Callable[[int], None]:
    def line(now: int) -> None:
        print(schedtrace(sched, now), file=sys.stderr, flush=True)

    return line


def m_main(mp: M) -> None:
    """The life of an M other than M0 (Go: mstart1)."""
    try:
        if mp.nextp is not None:
            pp, mp.nextp = mp.nextp, None
            acquirep(mp, pp)
        schedule(mp)
        end_m(mp)
    except GreenletExit:
        pass
    except BaseException as exc:
        stop(mp.sched, exc if isinstance(exc, KeyboardInterrupt) else bug(mp, exc))
        raise
    finally:
        mp.exited = True
        tls.m = PLAIN


def bug(mp: M, exc: BaseException) -> RuntimeBug:
    err = RuntimeBug(f"the scheduler failed on M {mp.id}: {exc!r}")
    err.__cause__ = exc
    return err


def end_m(mp: M) -> None:
    """Unwind the G's of an M and let its carriers end."""
    unwind(mp, mp.gs)
    if mp is mp.sched.m0:
        unwind(mp, mp.sched.gs)
    end_carriers(mp, GreenletExit)
    mp.sched.port.close(mp)  # type: ignore[attr-defined]


def start_sysmon(sched: Sched) -> None:
    mp = sched.sysmon = PinnedM(sched, -1)
    sched.port.start_m(mp, sysmon)


def finish(sched: Sched, m0: M, timeout: float) -> None:
    """Unwind M0, wait for the others, name what will not end."""
    port = sched.port
    assert isinstance(port, HostPort)
    deadline = monotonic() + timeout
    drop_fresh(sched)
    end_m(m0)
    drop_fresh(sched)
    left = port.spares.close(deadline) + port.dns.close(deadline)
    ms = [mp for mp in sched.allm if mp is not m0]
    for mp in [*ms, sched.sysmon]:
        if mp is not None and mp.thread is not None:
            mp.thread.join(max(0.0, deadline - monotonic()) if mp is not sched.sysmon else 5.0)
    for mp in ms:
        if mp.thread is not None and mp.thread.is_alive():
            left.append(f"{mp.curg!r} on thread {mp.thread.name}" if mp.curg else mp.thread.name)
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


def outcome(sched: Sched) -> Any:
    """Main's value, or the failure with a note that names its G."""
    exc = sched.failure
    main = sched.main
    assert main is not None
    if exc is None:
        return main.result
    gp = sched.failed_g
    if gp is not None and gp is not main:
        exc.add_note(f"in goroutine {gp.id} ({gp.name}), created at {gp.created}")
    try:
        raise exc
    finally:
        del exc


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


def _after_fork() -> None:
    """The child has one thread and no runtime until it calls `run` again."""
    tls.m = PLAIN
    tls.g = None
    runs.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
