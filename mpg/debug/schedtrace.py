"""Go's SCHED line (GODEBUG=schedtrace), field for field. Go: schedtrace in proc.go."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sched.schedt import Sched

__all__ = ["schedtrace"]


def schedtrace(sched: Sched, now: int) -> str:
    """One line; threads counts M's and sysmon, the list in brackets the rings without runnext.

    A ring here counts what Go would have in it: fresh G's, and started ones of the M that holds the P.
    """
    with sched.lock:
        allp = list(sched.allp)
        rings = [len(pp.ring) + (len(pp.m.lq) if pp.m is not None else 0) for pp in allp]
        runqueue = len(sched.globq) + sum(len(mp.gq) for mp in sched.allm)
        return (
            f"SCHED {(now - sched.started) // 1_000_000}ms: gomaxprocs={sched.gomaxprocs} idleprocs={sched.npidle} "
            f"threads={len(sched.allm) + 1} spinningthreads={sched.nmspinning} "
            f"needspinning={int(sched.needspinning)} idlethreads={len(sched.midle)} runqueue={runqueue} "
            f"[ {' '.join(map(str, rings))} ] schedticks=[ {' '.join(str(pp.slices) for pp in allp)} ]"
        )
