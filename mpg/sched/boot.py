"""The beginning and the end of a run, the same in every world (Go: schedinit, mstart1, mexit).

A world builds a `Sched` with `boot`, gives M0 a stack, starts sysmon and calls `schedule(m0)` there; other M's
run `m_main`. When `schedule` returns the run is over, and `end_m` unwinds what is left on each M.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from itertools import count
from typing import TYPE_CHECKING, Any

from ..current import tls
from ..errors import RuntimeBug
from ..plain import PLAIN
from ..status import GRUNNABLE
from ..trace.events import MStart, ProcsChange
from .finish import end_carriers, stop, unwind
from .g import func_name, new_g
from .idle import set_allp_locked
from .join import joiners_of
from .mlife import acquirep, new_m_locked, put_p
from .movable import MovableM
from .pinned import PinnedM
from .proc import schedule
from .ready import new_goid
from .schedt import Sched
from .sysmon import sysmon

if TYPE_CHECKING:
    from .structs import M

__all__ = ["boot", "end_m", "m_main", "outcome", "start_sysmon"]

log = logging.getLogger("mpg")

_run_ids = count(1)


def boot(
    port: Any,
    procs: int,
    main: Callable[..., Any],
    args: tuple[Any, ...],
    context: Context,
    *,
    prepare: Callable[[Sched], None] | None = None,
) -> tuple[Sched, M]:
    """Build a Sched with its P's, M0 and main G, ready for `schedule(m0)` (Go: schedinit, newproc of main).

    Main runs in `context`. `prepare` may change the knobs of the Sched before anything is built on them.
    """
    sched = Sched(port, procs, run_id=next(_run_ids))
    sched.new_m_object = MovableM if port.caps.stacks_move else PinnedM
    sched.m_main = m_main
    sched.started = port.now()
    if prepare is not None:
        prepare(sched)
    set_allp_locked(sched, [sched.new_p(sched, i) for i in range(procs)])
    m0 = sched.m0 = new_m_locked(sched)
    for pp in reversed(sched.allp[1:]):
        put_p(sched, pp)
    if m0.rec is not None:
        m0.rec.bare(ProcsChange, procs)
        m0.rec.bare(MStart)
    acquirep(m0, sched.allp[0])
    gp = sched.main = new_g(new_goid(m0), main, args, context)
    gp.name = func_name(main)
    gp.atomicstatus = GRUNNABLE
    joiners_of(gp)
    if m0.rec is not None:
        m0.rec.create(m0, gp)
    sched.allp[0].schedtick = 1  # main began a slice
    m0.nextg = gp
    return sched, m0


def m_main(mp: M) -> None:
    """The life of an M other than M0 (Go: mstart1)."""
    try:
        if mp.rec is not None:
            mp.rec.bare(MStart, mp.rec.by)
        if mp.nextp is not None:
            pp, mp.nextp = mp.nextp, None
            acquirep(mp, pp)
        schedule(mp)
        end_m(mp)
    except BaseException as exc:
        stop(mp.sched, exc if isinstance(exc, KeyboardInterrupt) else bug(mp, exc))
        raise
    finally:
        tls.m = PLAIN


def bug(mp: M, exc: BaseException) -> RuntimeBug:
    err = RuntimeBug(f"the scheduler failed on M {mp.id}: {exc!r}")
    err.__cause__ = exc
    return err


def end_m(mp: M) -> None:
    """Unwind the G's of an M, let its carriers end, open its last letters."""
    if mp.rec is not None:
        mp.rec.exit(mp)
        mp.rec = None
    sched = mp.sched
    unwind(mp, mp.gs)
    with sched.lock:
        sched.nended += 1
        last = sched.nended == len(sched.allm)
    if last:  # before that a G that is nobody's may still run on some M
        unwind(mp, sched.gs)
        sched.unwinds.clear()  # who keeps a G keeps its run, but is not to keep the others
        sched.pending.clear()
    end_carriers(mp, mp.sched.port.StackExit)
    with mp.lock:
        mp.exited = True
        inbox, mp.inbox = mp.inbox, []
    for item in inbox:
        if callable(item):
            item(mp)
    sched.port.close(mp)


def start_sysmon(sched: Sched) -> None:
    mp = sched.sysmon = sched.new_m_object(sched, sched.mnext)
    sched.mnext += 1
    if mp.rec is not None and sched.m0 is not None:
        mp.rec.by = sched.m0.id
    sched.port.start_m(mp, sysmon)


def outcome(sched: Sched) -> Any:
    """Main's value, or the failure with a note that names its G. Failures after it are logged."""
    for late in sched.failed_late:
        log.error("%r failed while the run ended; created at %s", late, late.created, exc_info=late.exc)
    exc = sched.failure
    main = sched.main
    assert main is not None
    if exc is None:
        return getattr(main, "result", None)
    gp = sched.failed_g
    if gp is not None and gp is not main:
        exc.add_note(f"in goroutine {gp.id} ({gp.name}), created at {gp.created}")
    try:
        raise exc
    finally:
        del exc
