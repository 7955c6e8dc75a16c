"""go, gosched, goexit and the small questions a G can ask about the scheduler (Go: package runtime)."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from sys import _getframe
from typing import Any, Final, ParamSpec

from .arguments import MAX_PROCS, check_arguments, whole
from .current import getcurrent, tls
from .errors import Goexit
from .sched.doorbell import checkpoint
from .sched.g import G, WithKwargs, new_g
from .sched.mlife import procresize
from .sched.ready import new_goid, new_goids
from .status import GOSCHED, GRUNNABLE, GRUNNING

__all__ = [
    "current_g",
    "go",
    "gomaxprocs",
    "goexit",
    "gosched",
    "lock_os_thread",
    "num_goroutine",
    "unlock_os_thread",
]

A = ParamSpec("A")

GOMAXPROCS: Final = {"n": whole(0, MAX_PROCS)}


def go(fn: Callable[A, Any], /, *args: A.args, **kwargs: A.kwargs) -> G:
    """Run `fn(*args, **kwargs)` in a new G, concurrently with the caller. Returns the G.

    The new G runs next once the caller waits (Go's runnext), in a copy of the caller's context. What it returns
    is dropped; an exception it does not handle ends the run.

    Raises:
        TypeError: `fn` cannot be called.
        RuntimeError: outside a run, or inside `mpg.blocking()`.
    """
    try:
        mp = getcurrent().mpg_m
    except AttributeError:
        mp = tls.m
    if mp.curg is None:
        return go_on_g0(mp, _getframe(1), fn, args, kwargs)
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    if not callable(fn):
        raise TypeError(f"go of a value that is not a function: {type(fn).__name__}")
    frame = _getframe(1)
    goid = mp.goid
    if goid == mp.goid_end:
        goid = new_goids(mp)
    else:
        mp.goid = goid + 1
    gp = G()  # `new_g`, written out
    gp.id = goid
    gp.fn = fn
    gp.args = args
    gp.context = copy_context()
    gp.site = frame.f_code
    gp.site_lasti = frame.f_lasti
    gp.ticket = 0
    gp.waitreason = ""
    gp._name = gp.home = gp.stack = gp.listed = gp.waiting = None
    gp.sg = gp.wake_exc = gp.joiners = None
    if kwargs:
        gp.fn = WithKwargs(fn, kwargs)
    mp.newproc(gp)
    return gp


def spawn(depth: int, fn: Callable[..., Any], *args: Any) -> G:
    """`go` on behalf of a caller `depth` frames up."""
    mp = tls.m
    frame = _getframe(depth)
    if mp.curg is None:
        return go_on_g0(mp, frame, fn, args, {})
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    gp = new_g(new_goid(mp), fn, args, copy_context(), frame.f_code, frame.f_lasti)
    mp.newproc(gp)
    return gp


def go_on_g0(mp: Any, frame: Any, fn: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> G:
    """`go` in a signal handler or `__del__` that has interrupted the scheduler, which must get on first."""
    sched = mp.sched
    if sched is None or sched.stopping or mp is sched.sysmon:  # the latter two run no G's, or none any more
        raise RuntimeError("mpg.go needs a run: call it inside mpg.run(main)")
    if not callable(fn):
        raise TypeError(f"go of a value that is not a function: {type(fn).__name__}")
    fn = WithKwargs(fn, kwargs) if kwargs else fn
    gp = new_g(new_goid(mp), fn, args, copy_context(), frame.f_code, frame.f_lasti)
    gp.atomicstatus = GRUNNABLE
    mp.put_off(lambda mp: mp.newproc(gp))
    return gp


def gosched() -> None:
    """Let others run; this G goes to the tail of the global queue (Go: runtime.Gosched)."""
    try:
        mp = getcurrent().mpg_m
    except AttributeError:
        mp = tls.m
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    gp = mp.curg
    turns = mp.turns
    if turns and mp.next is None:  # `PinnedM.leave` where nothing but the G's that take turns is queued
        mp.turns = turns - 1
        nxt = mp.gq.popleft()  # a signal handler that comes after this call finds `gp` running still
        gp.atomicstatus = GRUNNABLE
        gp.waiting = None
        mp.gq.append(gp)
        mp.curg = nxt
        rec = mp.rec
        if rec is not None:
            now = rec.now() if rec.foretold is GOSCHED else 0
            if rec.foretold is GOSCHED:
                rec.stamp(now)
            else:
                rec.switch(mp, mp.p, gp, nxt)
        nxt.atomicstatus = GRUNNING
        nxt.stack.switch()
    elif gp is not None:
        mp.leave(gp, None, GOSCHED).switch()
    else:
        raise RuntimeError("mpg.gosched needs a run: call it inside mpg.run(main)")


def goexit() -> None:
    """End the current G after running its `finally` blocks. From main, the other G's go on (Go: Goexit)."""
    if tls.m.curg is None:
        raise RuntimeError("mpg.goexit needs a run: call it inside mpg.run(main)")
    raise Goexit


def current_g() -> G | None:
    """The G that calls this, or None on an ordinary thread."""
    return tls.m.curg  # type: ignore[no-any-return]


def num_goroutine() -> int:
    """How many G's of this run have not ended (Go: runtime.NumGoroutine). 0 outside a run."""
    mp = tls.m
    sched = mp.sched
    if sched is None:
        return 0
    if mp.attn and not mp.insyscall:  # who polls must let others run
        checkpoint(mp)
    return sched.nhelpers + sum(mp.gcount for mp in list(sched.allm))  # type: ignore[no-any-return]


def gomaxprocs(n: int = 0) -> int:
    """The number of P's; with `n` > 0 it is changed. Returns the number before (Go: GOMAXPROCS).

    Growth takes effect at once; a surplus P retires when its M next reaches a scheduling point.

    Raises:
        RuntimeError: outside a run.
        TypeError, ValueError: `n` is no int from 0 to 65,536.
    """
    sched = tls.m.sched
    if sched is None:
        raise RuntimeError("mpg.gomaxprocs needs a run: call it inside mpg.run(main)")
    check_arguments(GOMAXPROCS, {"n": n})
    before: int = sched.gomaxprocs
    if n and n != before:
        procresize(sched, n)
    return before


def lock_os_thread() -> None:
    """Keep this G on its thread, and fresh G's off it, until `unlock_os_thread` (Go: LockOSThread).

    On the host a started G never leaves its thread anyway; what this adds is that no fresh G starts there. G's
    that have started there already stay. Calls nest. A simulation has no threads to lock: there it does nothing.

    Raises:
        RuntimeError: outside a run, or another G has locked this thread.
    """
    mp = tls.m
    gp = mp.curg
    if gp is None:
        raise RuntimeError("mpg.lock_os_thread needs a run: call it inside mpg.run(main)")
    if mp.sched.caps.stacks_move:
        return
    if mp.lockedg is not None and mp.lockedg is not gp:
        raise RuntimeError(f"{mp.lockedg!r} has locked this thread")
    mp.lockedg = gp
    mp.locks += 1
    mp.ring_bell()


def unlock_os_thread() -> None:
    """Undo one `lock_os_thread`; without one it does nothing, as in Go."""
    mp = tls.m
    if mp.curg is None or mp.lockedg is not mp.curg:
        return
    mp.locks -= 1
    if not mp.locks:
        mp.lockedg = None
