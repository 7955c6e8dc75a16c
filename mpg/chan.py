"""Chan: Go's channel, exactly (Go: chan.go).

Invariants, all guarded by `lock`:

* at least one of `recvq` and `sendq` is empty, but for one G that selects both ways;
* a buffered channel with items has no receiver waiting, one with room has no sender waiting;
* waiters are served strictly first come, first served, by direct hand-over: the side that comes later puts the
  value into the waiter's sudog (or takes it out) and makes the waiter ready. A woken waiter is done; it does
  not compete again.

The lock is released before anybody is made ready. A channel belongs to the world it was created in.

`WaitQ.enqueue` and `dequeue` are written out for the most frequent queue, that of one plain waiter. A select must be
claimed (`done`), so it goes through `dequeue`.

Rejected: taking the lock with a `with` statement (it costs three times as much), and a fast path that looks at the
buffer without the lock (right under the GIL only).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from .current import getcurrent, new_lock, tls, world_error
from .errors import ChanClosed, ChanPanic
from .locks import acquire_slow
from .sched.doorbell import checkpoint, giving_back
from .sched.ready import raise_abort, ready
from .sched.waitq import Sudog, WaitQ, object_seq
from .status import CHAN_RECEIVE, CHAN_SEND

__all__ = ["Chan", "Selected"]

T = TypeVar("T")


class Selected(NamedTuple):
    """What `select`, `try_recv` ended with.

    index: the position of the case, -1 for default or timeout. value, ok: as `recv_ok` returns them; for a send
    None and True. chan: the channel of the case, or None.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs
    value: Any
    ok: bool
    chan: Any


class Chan(Generic[T]):
    """A channel that holds up to `cap` items; with 0, sender and receiver meet.

    Usable by G's of any M and of any run, and by ordinary threads, which it blocks.

    Raises:
        TypeError, ValueError: `cap` is no int, or negative.
    """

    __slots__ = (
        "__weakref__",
        "buf",
        "cap",
        "closed",
        "lock",
        "plain_used",
        "recvq",
        "run_id",
        "sendq",
        "seq",
        "timer",
        "world",
    )

    def __init__(self, cap: int = 0) -> None:
        if not isinstance(cap, int) or isinstance(cap, bool):
            raise TypeError(f"a channel's capacity is an int, not {type(cap).__name__}")
        if cap < 0:
            raise ValueError(f"makechan: size out of range: {cap}")
        mp = tls.m
        self.world = mp.world
        self.run_id = mp.run_id
        self.seq = next(object_seq)  # the order in which select locks
        self.lock = new_lock()
        self.cap = cap
        self.closed = False
        self.buf: Any = deque() if cap else ()
        self.recvq = WaitQ()
        self.sendq = WaitQ()
        self.timer: Any = None  # of a `timer.TimerChan`
        self.plain_used = False

    def send(self, value: T) -> None:
        """Send, waiting for a receiver or for room.

        Raises:
            ChanPanic: "send on closed channel", also when it is closed during the wait.
        """
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            checkpoint(mp, self)
            mp = tls.m
        if self.world != mp.world:
            raise world_error(self)
        lock = self.lock
        try:
            lock.pop()
        except IndexError:
            acquire_slow(lock)
        if self.closed:
            lock.append(None)
            raise ChanPanic("send on closed channel")
        recvq = self.recvq
        sg = recvq.first
        if sg is not None:
            if sg.next is None and sg.done is None:
                recvq.first = recvq.last = sg.q = None
            else:
                sg = recvq.dequeue()
            if sg is not None:
                lock.append(None)
                sg.elem = value
                sg.success = True
                ready(mp, sg.g)
                return
        if self.cap and len(self.buf) < self.cap:
            self.buf.append(value)
            lock.append(None)
            return
        gp = mp.curg
        if gp is None:
            gp = mp.getg(lock)
        sg = gp.sg
        if sg is None:
            sg = gp.sg = Sudog(gp)
        sg.c = self
        sg.elem = value
        sendq = self.sendq
        if sendq.last is None:
            sendq.first = sendq.last = sg
            sg.q = sendq
        else:
            sendq.enqueue(sg)
        gp.waiting = sg
        mp.leave(gp, lock, CHAN_SEND).switch()
        if gp.wake_exc is not None:
            raise_abort(gp)
        sg.elem = None
        if not sg.success:
            raise ChanPanic("send on closed channel")

    def recv(self) -> T:
        """Receive, waiting for an item.

        Raises:
            ChanClosed: the channel is closed and drained.
        """
        try:
            mp = getcurrent().mpg_m
        except AttributeError:
            mp = tls.m
        if mp.attn:
            checkpoint(mp, self)
            mp = tls.m
        if self.world != mp.world:
            raise world_error(self)
        lock = self.lock
        try:
            lock.pop()
        except IndexError:
            acquire_slow(lock)
        buf = self.buf
        sendq = self.sendq
        sg = sendq.first
        if sg is not None:
            if sg.next is None and sg.done is None:
                sendq.first = sendq.last = sg.q = None
            else:
                sg = sendq.dequeue()
        if buf:
            value = buf.popleft()
            if sg is None:
                lock.append(None)
                return value  # type: ignore[no-any-return]
            buf.append(sg.elem)
        elif sg is not None:
            value = sg.elem
        elif self.closed:
            lock.append(None)
            raise ChanClosed("receive from a closed channel")
        else:
            gp = mp.curg
            if gp is None:
                gp = mp.getg(lock)
            sg = gp.sg
            if sg is None:
                sg = gp.sg = Sudog(gp)
            sg.c = self
            recvq = self.recvq
            if recvq.last is None:
                recvq.first = recvq.last = sg
                sg.q = recvq
            else:
                recvq.enqueue(sg)
            gp.waiting = sg
            mp.leave(gp, lock, CHAN_RECEIVE).switch()
            if gp.wake_exc is not None:
                raise_abort(gp)
            if not sg.success:
                raise ChanClosed("receive from a closed channel")
            value, sg.elem = sg.elem, None
            return value  # type: ignore[no-any-return]
        lock.append(None)
        sg.success = True
        ready(mp, sg.g)
        return value  # type: ignore[no-any-return]

    def recv_ok(self) -> tuple[T | None, bool]:
        """Receive; `(None, False)` once the channel is closed and drained."""
        try:
            return self.recv(), True
        except ChanClosed:
            return None, False

    def try_send(self, value: T) -> bool:
        """Send if that needs no waiting; True if it was sent. Raises as `send` does."""
        from .selectgo import select, send_case

        return select(send_case(self, value), default=True).index == 0

    def try_recv(self) -> Selected:
        """Receive if that needs no waiting: `Selected(0, value, ok, self)`, else `(-1, None, False, None)`."""
        from .selectgo import recv_case, select

        return select(recv_case(self), default=True)

    def close(self) -> None:
        """No more sends. Receivers drain the buffer and then see the end; waiting senders panic.

        Raises:
            ChanPanic: "close of closed channel".
        """
        mp = tls.m
        if mp.attn:
            giving_back(mp, self)
            mp = tls.m
        if self.world != mp.world:
            raise world_error(self)
        lock = self.lock
        try:
            lock.pop()
        except IndexError:
            acquire_slow(lock)
        if self.closed:
            lock.append(None)
            raise ChanPanic("close of closed channel")
        self.closed = True
        waiters = []
        for q in (self.recvq, self.sendq):
            while (sg := q.dequeue()) is not None:
                sg.success = False
                if q is self.recvq:
                    sg.elem = None
                waiters.append(sg)
        lock.append(None)
        for sg in reversed(waiters):  # Go readies from a stack: the last queued first
            ready(mp, sg.g)

    def __len__(self) -> int:
        return len(self.buf)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[T]:
        """The items, until the channel is closed and drained."""
        try:
            while True:
                yield self.recv()
        except ChanClosed:
            return

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ""
        return f"<Chan {id(self):#x} {len(self)}/{self.cap}{state}>"
