"""Pollers: one per M, used only by that M, `wakeup` excepted.

`EpollPoller` is edge-triggered and registers an fd once, for both directions. `SelectorsPoller` works wherever
Python does, level-triggered: interest is registered when a G parks and withdrawn when it is woken, which is
one system call more each time.

`poll` serves the M's own fds and turns events into hints and runnable G's through `netpoll.deliver`.

`wakeup` may come from any thread, also when the M has just ended. So its descriptor is closed by whoever drops the last
reference to the `Bell`: nobody writes to a number that has meanwhile been given to something else.
"""

from __future__ import annotations

import os
import select
import selectors
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ..sched.netpoll import READ, WRITE, PollDesc, deliver

if TYPE_CHECKING:
    from ..sched.structs import M

__all__ = ["EpollPoller", "SelectorsPoller", "default_poller"]

MAX_EVENTS = 128  # Go: netpoll


class Bell:
    """What a wake-up writes to: closed once nobody uses it any more."""

    __slots__ = ("close", "end")

    def __init__(self, end: Any, close: Callable[[], object]) -> None:
        self.end = end
        self.close = close

    def __del__(self) -> None:
        self.close()


class EpollPoller:
    """epoll, edge-triggered, with an eventfd for wake-ups."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        try:
            event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError:
            self.epoll.close()
            raise
        self.bell: Bell | None = Bell(event_fd, partial(os.close, event_fd))
        self.epoll.register(event_fd, select.EPOLLIN | select.EPOLLET)  # so it is never read
        self.signals: tuple[socket.socket, socket.socket, PollDesc] | None = None
        self.pds: dict[int, PollDesc] = {}

    def arm(self, pd: PollDesc, write: bool) -> None:
        """Register `pd` unless it is."""
        if pd.armed:
            return
        mask = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLPRI | select.EPOLLET
        try:
            self.epoll.register(pd.fd, mask)
        except FileExistsError:  # the fd was closed and reused while a duplicate kept the old file open
            self.epoll.modify(pd.fd, mask)
        pd.armed = True
        self.pds[pd.fd] = pd

    def poll(self, mp: M, timeout: float) -> bool:
        """Wait up to `timeout` seconds (-1: for ever). True if a G has become runnable."""
        events = self.epoll.poll(timeout, MAX_EVENTS)
        mp.polled = time.monotonic_ns()
        if not events:
            return False
        events.reverse()
        woken = deliver(mp, events, self.pds)
        if self.signals is not None and self.signals[2].rready:
            self.signals[2].rready = False
            drain(self.signals[0])
        return woken > 0

    def wakeup(self) -> None:
        """Make `poll` return. Any thread, and signal handlers."""
        bell = self.bell
        if bell is None:  # closed: nobody polls any more
            return
        try:
            os.eventfd_write(bell.end, 1)
        except BlockingIOError:  # full: it will return
            pass

    def signal_fd(self, mp: M) -> int:
        """Where `signal.set_wakeup_fd` may write, to make `poll` return. (An eventfd takes no single bytes.)"""
        inner, outer = socket.socketpair()
        inner.setblocking(False)
        outer.setblocking(False)
        pd = self.pds[inner.fileno()] = PollDesc(mp, inner.fileno())
        self.signals = inner, outer, pd
        self.epoll.register(inner, select.EPOLLIN | select.EPOLLET)
        return outer.fileno()

    def forget(self, pd: PollDesc) -> None:
        """The fd of `pd` is about to be closed, which takes it out of the epoll set."""
        if self.pds.get(pd.fd) is pd:
            del self.pds[pd.fd]

    def close(self) -> None:
        self.bell = None
        self.epoll.close()
        for sock in (self.signals or ())[:2]:
            sock.close()
        self.pds.clear()


class SelectorsPoller:
    """The portable one."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.inner, outer = socket.socketpair()
        self.inner.setblocking(False)
        outer.setblocking(False)
        self.bell: Bell | None = Bell(outer, outer.close)
        self.selector.register(self.inner, selectors.EVENT_READ, None)
        self.pds: dict[int, PollDesc] = {}

    def interest(self, pd: PollDesc) -> int:
        return (selectors.EVENT_READ if pd.r.cell else 0) | (selectors.EVENT_WRITE if pd.w.cell else 0)

    def arm(self, pd: PollDesc, write: bool) -> None:
        if self.pds.get(pd.fd) is not pd:
            self.watch(pd.fd, 0)  # the number may be that of a socket dropped without a close
            self.pds[pd.fd] = pd
        want = self.interest(pd) | (selectors.EVENT_WRITE if write else selectors.EVENT_READ)
        self.watch(pd.fd, want)

    def watch(self, fd: int, want: int) -> None:
        key: Any = self.selector.get_map().get(fd)
        if key is None:
            if want:
                self.selector.register(fd, want)
        elif not want:
            self.selector.unregister(fd)
        elif key.events != want:
            self.selector.modify(fd, want)

    def poll(self, mp: M, timeout: float) -> bool:
        events = self.selector.select(None if timeout < 0 else timeout)
        mp.polled = time.monotonic_ns()
        out = []
        for key, ev in reversed(events):
            if key.fd == self.inner.fileno():
                drain(self.inner)
                continue
            mask = (READ if ev & selectors.EVENT_READ else 0) | (WRITE if ev & selectors.EVENT_WRITE else 0)
            out.append((key.fd, mask))
        woken = deliver(mp, out, self.pds) > 0
        for fd, _ in out:
            pd = self.pds.get(fd)
            if pd is not None:
                self.watch(fd, self.interest(pd))
        return woken

    def wakeup(self) -> None:
        bell = self.bell
        if bell is None:
            return
        try:
            bell.end.send(b"\0")
        except OSError:  # full: it will return; its other end closed: nobody polls any more
            pass

    def signal_fd(self, mp: M) -> int:
        assert self.bell is not None
        return int(self.bell.end.fileno())

    def forget(self, pd: PollDesc) -> None:
        if self.pds.get(pd.fd) is pd:
            del self.pds[pd.fd]
            self.watch(pd.fd, 0)

    def close(self) -> None:
        self.selector.close()
        self.inner.close()
        self.bell = None
        self.pds.clear()


def drain(sock: socket.socket) -> None:
    """Read what wake-ups have left: once the buffer is full no more are noticed."""
    try:
        while sock.recv(4096):
            pass
    except BlockingIOError:
        pass


default_poller: Any = EpollPoller if hasattr(select, "epoll") and hasattr(os, "eventfd") else SelectorsPoller
