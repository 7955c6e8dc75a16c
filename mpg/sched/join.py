"""`G.join`: waiting for a G to end.

Protocol, pairs with `stacks.carrier`, `goexit0` and `BaseM.end`: the joiner publishes the queue in `gp.joiners` and
then looks at the status, under the queue's lock; the end of the G publishes the status and then looks at `gp.joiners`.
(Storing a slot is a full barrier on free-threaded CPython: the store is bracketed by the object's own mutex.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..current import new_lock, tls
from ..seconds import to_ns
from ..status import GDEAD, JOIN
from .doorbell import checkpoint
from .ready import ready
from .waitq import Sudog, WaitQ, object_seq

if TYPE_CHECKING:
    from .g import G

__all__ = ["Joiners", "join", "joiners_of", "wake_joiners"]


class Joiners:
    """Those who wait for one G."""

    __slots__ = ("g", "lock", "plain_used", "q", "run_id", "seq")

    def __init__(self, gp: G) -> None:
        self.g = gp
        self.lock = new_lock()
        self.q = WaitQ()
        self.run_id = 0
        self.plain_used = False
        self.seq = next(object_seq)

    def __repr__(self) -> str:
        return f"end of {self.g!r}"


def join(gp: G, timeout: float | None) -> None:
    """Block until `gp` is dead; TimeoutError after `timeout` seconds."""
    mp: Any = tls.m
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    me: Any = mp.curg or mp.getg()
    ns = -1 if timeout is None else max(0, to_ns(timeout, "timeout"))
    if me is gp:
        raise RuntimeError("a G cannot join itself")
    joiners = joiners_of(gp)
    joiners.lock.acquire()
    if gp.atomicstatus == GDEAD:
        joiners.lock.release()
        return
    if not ns:
        joiners.lock.release()
        raise TimeoutError(f"{gp!r} has not ended")
    sg = me.waiting = Sudog(me)
    sg.c = joiners
    joiners.q.enqueue(sg)
    late = mp.gopark_timed(me, joiners.lock, JOIN, ns)
    me.waiting = None  # which would keep `gp`, and its result
    if late:
        raise TimeoutError(f"{gp!r} has not ended after {timeout} s")


def joiners_of(gp: G) -> Joiners:
    """Who is to be told of the end of `gp`; from now on somebody is."""
    joiners: Joiners | None = gp.joiners
    if joiners is None:
        lock = _create  # a local: `locks.held_below` finds it
        with lock:
            joiners = gp.joiners
            if joiners is None:
                joiners = gp.joiners = Joiners(gp)
    return joiners


def wake_joiners(mp: Any, gp: G) -> None:
    """Called by the M on which `gp` has ended.

    If it was unwound, those of its own run that wait for it will be too: they must not go on as if it had come to
    its end.
    """
    joiners = gp.joiners
    unwound = mp.sched if gp in mp.sched.unwinds else None
    woken = []
    with joiners.lock:
        sg = joiners.q.first
        while sg is not None:
            after, home = sg.next, sg.g.home
            if unwound is None or (home is not None and home.sched is not unwound):
                joiners.q.remove(sg)
                woken.append(sg.g)
            sg = after
    for other in woken:
        ready(mp, other)


_create = new_lock()
