"""fork: the child has no runtime until it calls `run` again.

Only the forking thread lives on in the child. If it was running a G, that G goes on as ordinary code, on an
ordinary thread; none of the other G's may ever run there, their M's and their `finally` blocks belong to the
parent. So when its function ends, the child exits, as after the target of a `multiprocessing.Process`. The same
holds for the function of a `to_thread` that forks.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

from ..current import runs, tls
from ..plain import PLAIN, forget_waits
from ..sched.join import Joiners
from ..sched.policy import MAIN

if TYPE_CHECKING:
    from ..sched.g import G
    from ..sched.syscall import Offload

__all__ = ["register"]

_registered = False


def register() -> None:
    """Called by the first `run`, because importing mpg changes nothing in the process."""
    global _registered
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(after_in_child=after_in_child)


def after_in_child() -> None:
    """Cut the child loose from the run of its parent."""
    mp = tls.m
    tls.m = PLAIN
    forget_waits()
    runs.clear()
    if mp is not PLAIN and mp.curg is not None:
        del mp.curg.stack.mpg_m  # it goes on as an ordinary thread
        mp.sched.main = mp.curg  # its end is now the end of everything
        mp.curg.id = MAIN
        mp.curg.joiners = Joiners(mp.curg)  # a G whose end matters; those who join it are the parent's
        mp.sched.ended = exit_child
    if tls.call is not None:  # on a spare M
        tls.call.ended = exit_child


def exit_child(forked: G | Offload) -> None:
    """The end of the forked G, or call."""
    status = 0
    exc = getattr(forked, "exc", None)
    if isinstance(exc, SystemExit):
        code = exc.code
        status = code if isinstance(code, int) else int(code is not None)
        if status and code is not status:
            print(code, file=sys.stderr)
    elif exc is not None:
        traceback.print_exception(exc)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(status)
