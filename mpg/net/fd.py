"""NetFD: a nonblocking socket that G's of several M's may use (Go: internal/poll.FD, netFD).

Rules:

* Each M that uses the socket has a poll descriptor of its own (`sched/netpoll.py`), made at its first use.
* At most one G waits for each direction. A wait is claimed by popping the descriptor's one-slot cell: by an
  event, by the deadline's timer, by `close`, by a change of the deadline, by the end of the run. So exactly
  one of them wakes the G, and a G that waits publishes its cell first and looks at `closed` and the deadline
  afterwards, while `close` and `set_deadline` write first and look at the cells afterwards.
* The file descriptor is closed by the last M that has used it: each of the others gets a letter, which it
  opens when no system call of its own is under way. A number that is still in use is never given away.

Rejected: closing at once, as a plain socket does: another thread between looking at the number and the
system call would then read from somebody else's connection. And a lock around each system call (Go: fdMutex),
which costs every request what only a rare close needs.
"""

from __future__ import annotations

import contextlib
import socket
from types import TracebackType
from typing import Any, NoReturn, Self

from ..current import new_lock, tls
from ..errors import ClosedError, SimulationError
from ..plain import HOST_WORLD
from ..sched.mlife import post
from ..sched.netpoll import IOWait, PollDesc, claim_io
from ..sched.ready import ready
from ..seconds import to_ns
from ..status import IO_WAIT

__all__ = ["NetFD", "net_error"]

#: Where a short read means that there is no more. (On AF_UNIX it may have stopped at passed descriptors.)
STREAMS = (socket.AF_INET, socket.AF_INET6)


class NetFD:
    """What Conn and Listener share: waiting, deadlines, closing."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_fd",
        "_local_addr",
        "_lock",
        "_pds",
        "_rdeadline",
        "_refs",
        "_rpd",
        "_sock",
        "_wdeadline",
        "_wpd",
    )

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._lock = new_lock()
        self._local_addr: Any = None
        # Guarded by the lock; the flag and the deadlines are also read without it.
        self._closed = False
        self._pds: tuple[PollDesc, ...] = ()
        self._refs = 0  # M's whose letter about the close is under way
        self._rdeadline = 0  # on the clock of the M's, 0 for none
        self._wdeadline = 0
        # The descriptor that was used last for each direction.
        self._rpd: PollDesc | None = None
        self._wpd: PollDesc | None = None

    @property
    def closed(self) -> bool:
        """Has `close` been called?"""
        return self._closed

    @property
    def local_addr(self) -> Any:
        """This end's address, as the system gives it: `(host, port)`, for IPv6 `(host, port, flow, scope)`."""
        if self._local_addr is None and not self._closed:
            try:
                self._local_addr = self._sock.getsockname()
            except OSError:
                if not self._closed:  # by another thread, which has noted the address
                    raise
        return self._local_addr

    def fileno(self) -> int:
        """The file descriptor, -1 after `close`. It stays mpg's: neither block on it nor close it."""
        return -1 if self._closed else self._fd

    # -- waiting

    def _attach(self, mp: Any, *, write: bool = False) -> PollDesc:
        """The descriptor of `mp` for this socket, noted as the last one of its direction."""
        if mp.curg is None or mp.world != HOST_WORLD:
            raise net_error(mp)
        with self._lock:
            if self._closed:
                raise ClosedError(f"use of closed {self!r}")
            for pd in self._pds:
                if pd.mp is mp:
                    break
            else:
                pd = PollDesc(mp, self._fd)
                pd.hup = self._sock.family not in STREAMS
                self._pds = (*(pd for pd in self._pds if not pd.mp.exited), pd)
            if write:  # under the lock, or it would outlive a `close` that comes right now
                self._wpd = pd
            else:
                self._rpd = pd
            return pd

    def _begin(self, mp: Any, gp: Any, pd: PollDesc, wait: IOWait) -> None:
        """Publish that `gp` waits. Then the caller parks, and afterwards takes one from `mp.iowait`."""
        if not pd.armed or gp.waiting is not wait:
            self._prepare(mp, gp, pd, wait)
        wait.cell.append(gp)
        if self._closed and claim_io(wait) is not None:
            raise ClosedError(f"use of closed {self!r}")
        mp.iowait += 1

    def _prepare(self, mp: Any, gp: Any, pd: PollDesc, wait: IOWait) -> None:
        """Have the poller watch, and note that this is what `gp` waits for."""
        if not pd.armed:
            mp.sched.port.arm(mp, pd, wait is pd.w)
        if gp.waiting is not wait:
            gp.waiting = wait
            if mp.rec is not None:  # it does not wait for the same thing again
                mp.rec.foretold = None

    def _park(self, mp: Any, gp: Any, pd: PollDesc, wait: IOWait, *, write: bool) -> None:
        """Park until something happens to this direction. ClosedError, TimeoutError."""
        if self._wdeadline if write else self._rdeadline:
            self._check_deadline(mp, write=write)
        self._begin(mp, gp, pd, wait)
        try:
            deadline = self._wdeadline if write else self._rdeadline
            if deadline:
                mp.gopark_timed(gp, wait, IO_WAIT, max(0, deadline - mp.now()))
            else:
                mp.gopark(gp, wait, IO_WAIT)
        finally:
            mp.iowait -= 1
        if self._closed:
            raise ClosedError(f"{self!r} was closed while {gp!r} waited for it")

    def _check_deadline(self, mp: Any, *, write: bool) -> None:
        deadline = self._wdeadline if write else self._rdeadline
        if deadline and mp.now() >= deadline:
            raise TimeoutError(f"{'write' if write else 'read'} deadline of {self!r} has passed")

    # -- deadlines

    def set_deadline(self, seconds: float | None) -> None:
        """Let reads and writes, waiting ones included, fail `seconds` from now; None: never.

        Raises:
            ClosedError: after `close`.
        """
        self.set_read_deadline(seconds)
        self.set_write_deadline(seconds)

    def set_read_deadline(self, seconds: float | None) -> None:
        """The same for reads (and `accept`) alone."""
        self._check_open()
        self._rdeadline = deadline_at(seconds)
        self._wake(read=True, write=False)

    def set_write_deadline(self, seconds: float | None) -> None:
        """The same for writes alone."""
        self._check_open()
        self._wdeadline = deadline_at(seconds)
        self._wake(read=False, write=True)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"use of closed {self!r}")

    def _wake(self, *, read: bool, write: bool) -> None:
        """Make those who wait look at the flags again."""
        mp = tls.m
        for pd in self._pds:
            for wait, wanted in ((pd.r, read), (pd.w, write)):
                gp = claim_io(wait) if wanted else None
                if gp is not None:
                    ready(mp, gp)

    # -- the end

    def close(self) -> None:
        """Close. Whoever waits on it gets ClosedError. A second call does nothing. Any thread may call it.

        A connection that several threads have used is shut down, so a process that shares it loses it too.
        """
        with self._lock:
            if self._closed:
                return
            if self._local_addr is None:
                with contextlib.suppress(OSError):
                    self._local_addr = self._sock.getsockname()
            self._closed = True
            self._rpd = self._wpd = None
            mp = tls.m
            pds = self._pds
            others = [pd for pd in pds if pd.mp is not mp]
            self._refs = len(others)
        if others and self._shuts_down(others):
            with contextlib.suppress(OSError):  # the peer need not wait for the letters
                self._sock.shutdown(socket.SHUT_RDWR)
        for pd in pds:
            if pd.mp is mp:
                forget(pd)
        if pds:
            self._wake(read=True, write=True)
        if not others:
            self._sock.close()
        for pd in others:
            letter = Release(self, pd)
            if not post(pd.mp, letter):
                letter(pd.mp)

    def _shuts_down(self, others: list[PollDesc]) -> bool:
        """Shut it down before these others have let go of it?"""
        return True

    def _unref(self) -> None:
        with self._lock:
            self._refs -= 1
            last = not self._refs
        if last:
            self._sock.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"cannot copy or pickle a {type(self).__name__}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class Release:
    """A letter to an M that has used a socket which is now closed: it lets go of it."""

    __slots__ = ("netfd", "pd")

    def __init__(self, netfd: NetFD, pd: PollDesc) -> None:
        self.netfd = netfd
        self.pd = pd

    def __call__(self, mp: Any) -> None:
        forget(self.pd)
        self.netfd._unref()


def forget(pd: PollDesc) -> None:
    """Take a descriptor out of its M's poller."""
    poller = pd.mp.poller  # read once: the end of its M takes it away
    if poller is not None:
        poller.forget(pd)


def deadline_at(seconds: float | None) -> int:
    """The deadline on the clock of the M's."""
    if seconds is None:
        return 0
    return max(1, tls.m.now() + to_ns(seconds, "a deadline"))  # type: ignore[no-any-return]


def net_error(mp: Any) -> Exception:
    """Why this thread cannot wait for the network."""
    if mp.world != HOST_WORLD:
        return SimulationError(f"sockets cannot be simulated ({mp.curg!r}, at {mp.now() / 1e9:.6f} s)")
    return RuntimeError("mpg.net needs a run: call it inside mpg.run(main)")
