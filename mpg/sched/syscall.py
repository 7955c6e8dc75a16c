"""Calls that block: handed off in place, or moved to a spare M (Go: entersyscall, exitsyscall, retake).

`blocking` is Go's way: G and M block together, the P stays attached, and sysmon takes it under `M.lock` if
there is work (`sysmon.retake`). Coming back, the G keeps the P, or takes an idle one, or queues at the global
tail of its M, which then waits for a P.

`to_thread` reaches the same invariant from the other side, because greenlets are nailed to their thread: the
call moves to a spare M without a P, while G, P and the other G's of this M stay where they are.

Protocol of an offloaded call: the spare M and whoever aborts the wait both take `Offload.lock` to claim it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ..current import new_lock, tls
from ..status import GRUNNABLE, GRUNNING, GSYSCALL, OFFLOADED
from ..trace.events import Offload as Offloads
from ..trace.events import OffloadEnd
from .doorbell import checkpoint
from .idle import pidleget_locked
from .mlife import acquirep, post, take_p
from .park import wake_sysmon
from .runq import put_global_started
from .turns import end_turns

if TYPE_CHECKING:
    from .g import G
    from .structs import M

__all__ = ["Offload", "blocking", "call_on_spare", "to_thread"]

A = ParamSpec("A")
T = TypeVar("T")


class blocking:  # noqa: N801 - used as a statement, like contextlib's own
    """`with mpg.blocking():` declares that the code inside may block its thread.

    The P may be taken away meanwhile and run fresh G's elsewhere. Started G's of the same thread wait. For calls
    that are bound to their thread; for others `to_thread` is better. mpg operations inside raise RuntimeError.
    On an ordinary thread it does nothing.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        mp = tls.m
        if mp.curg is None:
            return
        if mp.attn:
            checkpoint(mp)
            mp = tls.m
        entersyscall(mp)

    def __exit__(self, *exc: object) -> None:
        mp = tls.m
        if mp.curg is not None:
            exitsyscall(mp)


def entersyscall(mp: M) -> None:
    """Running to syscall; the P stays (Go: reentersyscall)."""
    gp = mp.curg
    assert gp is not None
    mp.oldp = mp.p
    if mp.grant:
        end_turns(mp)
    if mp.rec is not None:
        mp.rec.call(mp)
    with mp.lock:
        gp.atomicstatus = GSYSCALL
        mp.insyscall = True
        mp.attn = True
    if mp.sched.sysmonwait:
        wake_sysmon(mp.sched)


def exitsyscall(mp: Any) -> None:
    """Syscall to running, with the same P, another, or after waiting for one (Go: exitsyscall).

    The old P is taken from an M that blocks in its turn; it is not preferred among the idle ones.
    """
    gp = mp.curg
    with mp.lock:
        mp.insyscall = False
        gp.atomicstatus = GRUNNING
        pp = mp.p
    if pp is not None:
        pp.syscalltick += 1
        if mp.rec is not None:
            mp.rec.back(mp)
        return
    sched = mp.sched
    pp = mp.oldp
    if pp is None:  # it had none before: the run is ending, and this G is unwound
        return
    holder = pp.m
    if holder is None or not take_p(holder, pp):
        with sched.lock:
            pp = pidleget_locked(sched)
    if pp is not None:
        acquirep(mp, pp)
        pp.syscalltick += 1
        if mp.rec is not None:
            mp.rec.back_elsewhere(mp)
        if sched.sysmonwait:
            wake_sysmon(sched)
        return
    if mp.rec is not None:
        mp.rec.leaving = True
    mp.gosched(gp)


class Offload:
    """One call that a spare M makes for a G. Also the wait of that G."""

    __slots__ = (
        "args",
        "c",
        "claimed",
        "context",
        "ended",
        "exc",
        "fn",
        "g",
        "kwargs",
        "lock",
        "mp",
        "result",
        "submit",
    )

    def __init__(self, mp: M, gp: G, submit: Callable[[Any], None], fn: Any, args: Any, kwargs: Any) -> None:
        self.mp = mp
        self.g = gp
        self.submit = submit
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.context = copy_context()
        self.lock = new_lock()
        self.claimed = False
        self.result: Any = None
        self.exc: BaseException | None = None
        self.ended: Callable[[Any], None] | None = None  # in the child of a fork: what ends it
        self.c = None

    def append(self, token: None) -> None:
        """What gopark calls when the G may be made ready again: hand the call over."""
        self.g.atomicstatus = GSYSCALL
        sched = self.mp.sched
        with sched.lock:
            sched.nsyscall += 1
        try:
            self.submit(self)
        except BaseException:  # the system refuses a thread, and there is none to queue behind
            self.g.atomicstatus = GRUNNING
            with sched.lock:
                sched.nsyscall -= 1
            raise

    def __call__(self, spare: Any) -> None:
        """On the spare M."""
        rec = self.mp.rec
        if rec is not None:
            rec = rec.of_spare(self.mp.sched, spare)
            rec.offload(Offloads, self.g, self.mp)
        try:
            self.result = self.context.run(self.fn, *self.args, **self.kwargs)
        except BaseException as exc:
            self.exc = exc
        if self.ended is not None:
            self.ended(self)
        if rec is not None:
            rec.offload(OffloadEnd, self.g, self.mp)
        self.finish()

    def finish(self) -> None:
        """Claim the wait and send the G home."""
        with self.lock:
            claimed, self.claimed = self.claimed, True
        if not claimed:
            post(self.mp, self.arrive)
        sched = self.mp.sched
        with sched.lock:
            sched.nsyscall -= 1

    def arrive(self, mp: M) -> None:
        """Back on its own M: to the global tail, as after a syscall without a P."""
        if mp.exited:  # the end of the run has unwound it
            return
        if mp.rec is not None:
            mp.rec.back_home(mp, self.g)
        self.g.atomicstatus = GRUNNABLE
        put_global_started(mp, self.g)

    def cancel(self, gp: Any) -> bool:
        """Give the call up; it goes on by itself and its result is dropped."""
        with self.lock:
            claimed, self.claimed = self.claimed, True
        return not claimed

    def __repr__(self) -> str:
        return f"{getattr(self.fn, '__qualname__', self.fn)!s} for {self.g!r}"


def to_thread(fn: Callable[..., T], /, *args: Any, cost: float | None = None, **kwargs: Any) -> T:
    """Run a blocking call on a spare thread and wait for it, while this M's other G's go on.

    Returns what `fn` returns and raises what it raises. The call sees a copy of the caller's context. If the
    wait is ended (the end of the run, Ctrl-C) the call itself goes on in its thread, which is a daemon.

    Args:
        cost: what the call takes in a simulation, in virtual seconds. There it is needed unless `fn` is `mpg.stall`
            or `mpg.work`; elsewhere it means nothing.

    Raises:
        TypeError: `fn` cannot be called; in a simulation, `cost` is no number.
        ValueError: in a simulation, `cost` is negative or NaN.
        RuntimeError: outside a run, or inside `mpg.blocking()`; or the system refuses the first spare thread.
        SimulationError: in a simulation, without `cost`, or with one that is infinite.
    """
    mp = tls.m
    gp = mp.curg
    if gp is None:
        raise RuntimeError("mpg.to_thread needs a run: call it inside mpg.run(main)")
    if not callable(fn):
        raise TypeError(f"to_thread needs a callable, not {type(fn).__name__}")
    port = mp.sched.port
    call = port.blocking_call(fn, cost)
    if port.caps.offload:
        return call_on_spare(port.offload, call, args, kwargs)  # type: ignore[no-any-return]
    with blocking():
        return call(*args, **kwargs)  # type: ignore[no-any-return]


def call_on_spare(submit: Callable[[Any], None], fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Park the current G until the pool of spare M's behind `submit` has made the call."""
    mp = tls.m
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    gp = mp.curg
    call = gp.waiting = Offload(mp, gp, submit, fn, args, kwargs)
    mp.gopark(gp, call, OFFLOADED)
    gp.waiting = None
    if call.exc is not None:
        try:
            raise call.exc
        finally:
            del call
    return call.result
