"""select (Go: select.go, selectgo): atomic over all its channels, uniform among ready cases.

1. Lock all channels, in the order of their sequence numbers, each once.
2. Look at the cases in random order; the first that can proceed does.
3. Otherwise queue one sudog per case, all sharing the one-slot `done` cell, and park.
4. The other side claims the select by popping `done`; the sudogs of the losing cases leave their queues, with
   the channels locked again, before `select` returns.

A `None` channel is never ready. The same channel may stand in several cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from .chan import Chan, Selected
from .current import tls, world_error
from .errors import ChanPanic
from .locks import acquire_slow
from .sched.doorbell import checkpoint
from .sched.ready import raise_abort, ready
from .sched.waitq import Sudog
from .seconds import to_ns
from .status import CHAN_RECEIVE, CHAN_SEND, SELECT, SELECT_NO_CASES

__all__ = ["Case", "recv_case", "select", "send_case"]

T = TypeVar("T")

NONE = Selected(-1, None, False, None)


class Case(NamedTuple):
    """One case of a select; made by `recv_case` and `send_case`."""

    chan: Any
    value: Any
    is_send: bool


def recv_case(ch: Chan[Any] | None) -> Case:
    """A case that receives from `ch`.

    Raises:
        TypeError: `ch` is neither a Chan nor None.
    """
    if ch is not None and not isinstance(ch, Chan):
        raise TypeError(f"recv_case needs a Chan or None, not {type(ch).__name__}")
    return Case(ch, None, False)


def send_case(ch: Chan[T] | None, value: T) -> Case:
    """A case that sends `value` on `ch`.

    Raises:
        TypeError: `ch` is neither a Chan nor None.
    """
    if ch is not None and not isinstance(ch, Chan):
        raise TypeError(f"send_case needs a Chan or None, not {type(ch).__name__}")
    return Case(ch, value, True)


class SelectWait:
    """A parked select: cancelled by the same claim that completes it."""

    __slots__ = ("done", "sudogs")

    def __init__(self) -> None:
        self.done: list[None] = [None]
        self.sudogs: list[Sudog] = []

    @property
    def c(self) -> Any:
        """The channel, if all cases are about one; what a trace names as what is waited for."""
        chans = {sg.c for sg in self.sudogs}
        return chans.pop() if len(chans) == 1 else None

    def cancel(self, gp: Any) -> bool:
        try:
            self.done.pop()
        except IndexError:
            return False
        return True


class AllLocks:
    """The locks of a select's channels, in lock order."""

    __slots__ = ("locks",)

    def __init__(self, chans: list[Chan[Any]]) -> None:
        self.locks = [ch.lock for ch in chans]

    def acquire(self) -> None:
        held = 0
        try:
            for lock in self.locks:
                try:
                    lock.pop()
                except IndexError:
                    acquire_slow(lock)
                held += 1
        except BaseException:
            for lock in self.locks[:held]:
                lock.append(None)
            raise

    def append(self, token: None) -> None:
        """What a park calls."""
        self.release()

    def release(self) -> None:
        for lock in reversed(self.locks):
            lock.append(None)


def select(*cases: Case, default: bool = False, timeout: float | None = None) -> Selected:
    """Wait until one of the cases can proceed, and do it.

    Args:
        cases: from `recv_case` and `send_case`.
        default: return at once if none is ready.
        timeout: give up after so many seconds.

    Returns:
        Selected; `(-1, None, False, None)` for default or timeout.

    Raises:
        TypeError: a case that is none, or a timeout that is no number.
        ValueError: default together with timeout, or a timeout of NaN.
        MpgError: a channel belongs to another world.
        RuntimeError: inside `mpg.blocking()`.
        ChanPanic: "send on closed channel".
    """
    if default and timeout is not None:
        raise ValueError("select takes default or timeout, not both")
    for case in cases:
        if not isinstance(case, Case):
            raise TypeError(f"select takes recv_case(ch) and send_case(ch, value), not {type(case).__name__}")
    mp = tls.m
    if mp.attn:
        checkpoint(mp, *(case.chan for case in cases if case.chan is not None))
        mp = tls.m
    live = [(i, case) for i, case in enumerate(cases) if case.chan is not None]
    for _, case in live:
        if case.chan.world != mp.world:
            raise world_error(case.chan)
    if len(live) > 1:
        shuffle(live, mp)
    chans = lock_order(live)
    timers = [ch.timer for ch in chans if ch.timer is not None]
    deadline = 0 if timeout is None else max(1, mp.now() + to_ns(timeout, "timeout"))
    locks = AllLocks(chans)
    while True:
        ns = -1
        if timers or deadline:
            now = mp.now()
            ns = max(0, deadline - now) if deadline else -1
            whens = [timer.settle(now) for timer in timers]
            for when in whens:
                if when:
                    ns = when - now if ns < 0 else min(ns, when - now)
        locks.acquire()
        for index, case in live:
            found = try_case(mp, index, case, locks)
            if found is not None:
                return found
        if default or (deadline and now >= deadline):
            locks.release()
            return NONE
        if timers and [timer.when for timer in timers] != whens:  # reset before we could be told
            locks.release()
            continue
        found = park(mp, live, locks, ns)
        if found is not None:
            return found
        mp = tls.m  # the time is up, or a timer was reset: look again


def shuffle(live: list[tuple[int, Case]], mp: Any) -> None:
    """Fisher-Yates, with the M's random numbers."""
    rng = mp.rng
    for i in range(len(live) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        live[i], live[j] = live[j], live[i]


def lock_order(live: Sequence[tuple[int, Case]]) -> list[Chan[Any]]:
    """Each channel once, in the one order that all selects use."""
    if len(live) == 1:
        return [live[0][1].chan]
    return sorted({case.chan for _, case in live}, key=seq_of)


def seq_of(ch: Chan[Any]) -> int:
    return ch.seq


def try_case(mp: Any, index: int, case: Case, locks: AllLocks) -> Selected | None:
    """Proceed with a case if it is ready, releasing the locks; else None with the locks held."""
    ch = case.chan
    if case.is_send:
        if ch.closed:
            locks.release()
            raise ChanPanic("send on closed channel")
        sg = ch.recvq.dequeue()
        if sg is not None:
            locks.release()
            sg.elem = case.value
            sg.success = True
            ready(mp, sg.g)
            return Selected(index, None, True, ch)
        if len(ch.buf) < ch.cap:
            ch.buf.append(case.value)
            locks.release()
            return Selected(index, None, True, ch)
        return None
    if ch.buf:
        value = ch.buf.popleft()
        sg = ch.sendq.dequeue()
        if sg is not None:
            ch.buf.append(sg.elem)
        locks.release()
        if sg is not None:
            sg.success = True
            ready(mp, sg.g)
        return Selected(index, value, True, ch)
    sg = ch.sendq.dequeue()
    if sg is not None:
        locks.release()
        value = sg.elem
        sg.success = True
        ready(mp, sg.g)
        return Selected(index, value, True, ch)
    if ch.closed:
        locks.release()
        return Selected(index, None, False, ch)
    return None


def park(mp: Any, live: list[tuple[int, Case]], locks: AllLocks, ns: int) -> Selected | None:
    """Passes 2 and 3: queue everywhere, sleep, leave the queues. None if nothing was received or sent."""
    gp = mp.curg
    if gp is None:
        gp = mp.getg(locks)
    wait = gp.waiting = SelectWait()
    for index, case in live:
        sg = Sudog(gp)
        sg.c = case.chan
        sg.case = index
        sg.done = wait.done
        sg.elem = case.value
        wait.sudogs.append(sg)
        (case.chan.sendq if case.is_send else case.chan.recvq).enqueue(sg)
    try:
        if ns >= 0:
            mp.gopark_timed(gp, locks, reason_of(live), ns)
        else:
            mp.leave(gp, locks, reason_of(live)).switch()
            if gp.wake_exc is not None:
                raise_abort(gp)
    finally:
        locks.acquire()
        winner = None
        for sg in wait.sudogs:
            if sg.won:
                winner = sg
            elif sg.q is not None:
                sg.q.remove(sg)
        locks.release()
    if winner is None:
        return None
    ch = winner.c
    case = next(case for index, case in live if index == winner.case)
    if case.is_send:
        if not winner.success:
            raise ChanPanic("send on closed channel")
        return Selected(winner.case, None, True, ch)
    if ch.timer is not None and not winner.success:
        return None  # woken by reset
    return Selected(winner.case, winner.elem, winner.success, ch)


def reason_of(live: list[tuple[int, Case]]) -> str:
    """A select of one case is a plain operation, in Go too."""
    if not live:
        return SELECT_NO_CASES
    if len(live) == 1:
        return CHAN_SEND if live[0][1].is_send else CHAN_RECEIVE
    return SELECT
