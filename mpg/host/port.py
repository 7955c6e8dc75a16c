"""HostPort: M's are OS threads, stacks are greenlets, time is the monotonic clock.

An M without fds sleeps on a lock, its *note*; one that has a poller sleeps in that, so that its I/O can wake
it too. Both remember a wake-up that comes first. An M builds its poller itself, at its first wait for I/O.

Threads are daemons with a Thread object, so that `threading.current_thread()` in user code is truthful, and
begin in an empty context (a new thread of 3.14t would inherit its creator's).
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
import weakref
from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import TYPE_CHECKING, Any, Final

from greenlet import GreenletExit

from ..current import Carrier, TokenLock, getcurrent, tls
from ..plain import HOST_WORLD, PLAIN
from ..port import HOST, HOST_GIL, Capabilities, Rng, Stack
from ..sched.doorbell import checkpoint
from ..sched.mlife import post
from .poller import EpollPoller, SelectorsPoller, default_poller
from .signals import Signals
from .spare import SpareMs

if TYPE_CHECKING:
    from ..sched.netpoll import PollDesc
    from ..sched.schedt import Sched
    from ..sched.structs import M

__all__ = ["HostPort", "gil_enabled"]

cpu_clock: Callable[[int], int] | None = getattr(
    time, "pthread_getcpuclockid", None
)  # not on macOS and Windows


LONGEST = 1e6  #: seconds; epoll takes no more than 24 days, and a sleep may end early


#: What `run(poller=)` may say.
POLLERS: Final = {None: default_poller, "epoll": EpollPoller, "selectors": SelectorsPoller}


def gil_enabled() -> bool:
    """Does this interpreter run one thread at a time?"""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


class HostPort:
    """`mpg.port.Port` for the real world."""

    world = HOST_WORLD
    StackExit = GreenletExit

    def __init__(self, caps: Capabilities | None = None, poller: str | None = None) -> None:
        self.caps = caps or (HOST_GIL if gil_enabled() else HOST)
        self.now = time.monotonic_ns
        self.new_lock: Any = allocate_lock
        self.new_owned_lock: Any = threading.RLock
        self.new_token_lock: Any = TokenLock
        self.new_ring: Any = deque
        self.new_slot: Any = list
        self.new_poller: Any = POLLERS[poller]
        self.spares = SpareMs("spare")
        self.dns = SpareMs("dns", limit=32)
        self.signals: Signals | None = None
        self.idents: set[int] = set()
        self.cpu_clocks: dict[int, int] = {}  # by M: the clock of its thread
        self.before = weakref.WeakSet(threading.enumerate())

    def new_rng(self) -> Rng:
        return Random()

    def new_stack(self, mp: M, run: Callable[..., None]) -> Stack:
        return Carrier(run, mp)

    def adopt(self, mp: M) -> None:
        """The calling thread becomes `mp`, and its current greenlet the g0."""
        mp.g0 = getcurrent()
        mp.note = allocate_lock()
        mp.note.acquire()
        mp.thread = threading.current_thread()
        self.idents.add(threading.get_ident())
        if mp.rec is not None:
            mp.rec.owner.threads[mp.id] = threading.get_native_id()
        if cpu_clock is not None:
            self.cpu_clocks[mp.id] = cpu_clock(
                threading.get_ident()
            )  # of a dead thread it would be undefined
        tls.m = mp

    def disown(self, mp: M) -> None:
        """The calling thread, which may be about to end, is no longer `mp`.

        Who keeps the M must not keep the g0: for one that is still referred to greenlet, some time after the end of
        its thread and in whatever frame the main thread is in then, imports `gc` and searches the heap for who refers
        to it. In the frame that makes a named tuple, which has no builtins, that import fails and is reported.
        """
        tls.m = PLAIN
        mp.g0 = None

    def start_m(self, mp: M, run: Callable[[M], None]) -> None:
        def main() -> None:
            self.adopt(mp)
            if mp is mp.sched.sysmon and hasattr(signal, "pthread_sigmask"):
                # It runs no code of the program's, so signals go to threads that do: to the one whose sleep they are
                # to end. (Other M's must not: what they start as processes would inherit it.)
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            try:
                run(mp)
            finally:
                self.disown(mp)

        thread = threading.Thread(target=Context().run, args=(main,), name=f"mpg-M{mp.id}", daemon=True)
        mp.thread = thread
        thread.start()

    def sleep(self, mp: M, until: int) -> None:
        if mp.poller is not None:
            timeout = -1.0 if not until else max(0.0, (until - time.monotonic_ns()) / 1e9)
            mp.poller.poll(mp, min(timeout, LONGEST))
        elif until:
            timeout = (until - time.monotonic_ns()) / 1e9
            if timeout > 0:
                mp.note.acquire(timeout=min(timeout, LONGEST))
        else:
            mp.note.acquire()

    def wakeup(self, mp: M) -> None:
        poller = mp.poller  # read once: the end of the M takes it away
        if poller is not None:
            poller.wakeup()
            return
        try:
            mp.note.release()
        except RuntimeError:  # a wake-up is already waiting to be noticed
            pass

    def usleep(self, mp: M, ns: int) -> None:
        time.sleep(ns / 1e9)

    def netpoll(self, mp: M) -> bool:
        return bool(mp.poller.poll(mp, 0.0)) if mp.poller is not None else False

    def arm(self, mp: M, pd: PollDesc, write: bool) -> None:
        """Make sure that `pd` is in the poller of `mp`, the caller's M."""
        self.poller_of(mp).arm(pd, write)

    def poller_of(self, mp: M) -> Any:
        if mp.poller is None:
            mp.poller = self.new_poller()
        return mp.poller

    def blocking_call(self, fn: Callable[..., Any], cost: float | None) -> Callable[..., Any]:
        return fn

    def work(self, mp: M, ns: int) -> None:
        clock = time.thread_time_ns
        end = clock() + ns
        while True:
            left = end - clock()
            if left <= 0:
                return
            if mp.attn and not mp.insyscall:
                checkpoint(mp)  # others may now use this thread's time
                end = clock() + left

    def stall(self, mp: M, ns: int) -> None:
        time.sleep(ns / 1e9)

    def offload(self, call: Callable[[Any], None]) -> None:
        self.spares.submit(call)

    def watch_term(self, sched: Sched, on: bool) -> None:
        if self.signals is None or sched.m0 is None:
            return
        watch = self.signals.watch_term
        if threading.current_thread() is sched.m0.thread:
            watch(on)
        else:
            post(sched.m0, lambda mp: watch(bool(sched.on_term)))  # as it is by then

    def foreign_threads(self) -> bool:
        return any(
            t not in self.before and t.ident not in self.idents and not t.name.startswith("mpg-")
            for t in threading.enumerate()
        )

    def cpu_time(self, mp: M) -> int:
        clock = self.cpu_clocks.get(mp.id)
        if clock is None:
            return -1
        try:
            return time.clock_gettime_ns(clock)
        except OSError:  # its thread has ended
            return -1

    def others_alive(self, idents: set[int]) -> bool:
        return any(
            (t.ident in idents or not t.daemon)
            and t.ident not in self.idents
            and not t.name.startswith("mpg-")
            for t in threading.enumerate()
        )

    def where(self, mp: M) -> str:
        ident = getattr(mp.thread, "ident", None)
        frame = sys._current_frames().get(ident) if ident is not None else None
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def close(self, mp: M) -> None:
        """The end of an M: its poller's fds. The number of its thread may now be given to another."""
        self.cpu_clocks.pop(mp.id, None)
        if self.signals is not None and mp is self.signals.sched.m0:
            self.signals.detach()
        if mp.poller is not None:
            mp.poller.close()
            mp.poller = None
