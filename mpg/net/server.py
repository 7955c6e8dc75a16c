"""serve: a G per connection, with everything around it that a server needs (Go: net/http.Server.Serve).

* An accept loop starts a G for each connection; its handler's exceptions close that connection and are logged
  and counted. They never end the run.
* Where M's run in parallel a fresh handler is given to the M that has the fewest of this server's, because
  once started it stays there (`place`). On a GIL build it stays with the acceptor: a second M would only fight
  for the GIL.
* While an M is stuck in an undeclared blocking call, the M that helps it out also accepts (`sched.on_help`).
* Out of descriptors or memory: the loop backs off, 5 ms doubling up to 1 s (Go's numbers), and tells once.
* Draining, on SIGTERM or `close`: no more accepts, up to `drain` seconds for the handlers, then their
  connections are closed under them.
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from ..chan import Chan
from ..current import new_lock, tls, user_calls
from ..errors import ClosedError, Goexit, Unwind
from ..sched.g import G, func_name, new_g
from ..sched.place import newproc_on, place_fresh
from ..sched.ready import new_goid
from ..selectgo import recv_case, select, send_case
from .addr import Address, text_of
from .conn import Conn
from .fd import net_error
from .listener import Listener, listen

__all__ = ["Server", "ServerStats", "serve"]

log = logging.getLogger("mpg.net")

Handler = Callable[[Conn], Any]

#: accept(2) fails with these when the machine is short of something; trying again later helps.
SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
BACKOFF_MIN = 0.005  # seconds, Go: net/http.Server.Serve
BACKOFF_MAX = 1.0
ROUTED = 0.1  # seconds to wait for the main thread


@dataclass(slots=True)
class ServerStats:
    """What a server has done.

    Attributes:
        accepted: connections.
        active: handlers that run now.
        peak: the most handlers that ran at once.
        failed: handlers that raised, resets excepted.
        resets: handlers that ended because the peer was gone.
        shortages: times that accept failed for want of descriptors or memory.
        aborted: connections that were closed under their handlers at the end of the drain.
    """

    accepted: int = 0
    active: int = 0
    peak: int = 0
    failed: int = 0
    resets: int = 0
    shortages: int = 0
    aborted: int = 0


class Server:
    """One listener and its connections. `serve` is the short way.

    Raises:
        TypeError, ValueError: a handler that cannot be called, max_conns below 1, a negative drain.
    """

    def __init__(
        self, listener: Listener, handler: Handler, *, max_conns: int | None = None, drain: float = 5.0
    ) -> None:
        if not isinstance(listener, Listener):
            raise TypeError(f"a server needs a Listener, not {type(listener).__name__}")
        if not callable(handler):
            raise TypeError(f"a handler is a function of a connection, not {type(handler).__name__}")
        if max_conns is not None and (not isinstance(max_conns, int) or max_conns < 1):
            raise ValueError(f"max_conns is a positive int or None, not {max_conns!r}")
        if not isinstance(drain, (int, float)) or not drain >= 0:
            raise ValueError(f"drain is a number of seconds, not {drain!r}")
        self.listener = listener
        self.handler = handler
        self.drain = drain
        self.stats = ServerStats()
        self._slots: Chan[None] | None = Chan(max_conns) if max_conns is not None else None  # full: no more
        self._lock = new_lock()
        self._conns: dict[
            Conn, tuple[G, Any]
        ] = {}  # its handler's G, and the M that this was given to, if any
        self._load: dict[Any, int] = {}  # handlers per M, where they are spread
        self._closing: Chan[None] = Chan()
        self._idle: Chan[None] = Chan()  # closed once we drain and no handler is left
        self._draining = False
        self._context = copy_context()

    def serve(self) -> ServerStats:
        """Accept until `close` or SIGTERM, then drain. The handlers see the context of the server's creation."""
        mp = tls.m
        if mp.curg is None:
            raise net_error(mp)
        sched = mp.sched
        sched.on_help.append(self._make_helper)
        sched.on_term.append(self.close)
        self._route_term(mp)
        try:
            self._accept_loop()
            self.close()  # if it was the listener that somebody has closed
            self._drain()
        finally:
            sched.on_help.remove(self._make_helper)
            sched.on_term.remove(self.close)
            route_term(sched)
            self.close()
            self._close_unbegun()
        return self.stats

    def close(self) -> None:
        """Stop accepting; `serve` drains and returns. Any thread may call it, more than once."""
        with self._lock:
            if self._draining:
                return
            self._draining = True
            none_left = not self._conns
        self.listener.close()
        self._closing.close()
        if none_left:
            self._idle.close()

    def _route_term(self, mp: Any) -> None:
        """SIGTERM drains from the first connection on. Only the main thread can see to that, if it is not busy."""
        sched = mp.sched
        if mp is sched.m0:
            route_term(sched)
            return
        gp = new_g(new_goid(mp), route_term, (sched,), copy_context())
        newproc_on(mp, gp, sched.m0)
        with contextlib.suppress(TimeoutError):
            gp.join(ROUTED)

    def _close_unbegun(self) -> None:
        """Close the connections whose handlers have not begun: if the run ends, they never will."""
        with self._lock:
            left = [conn for conn, (gp, _) in self._conns.items() if gp.stack is None]
        for conn in left:
            conn.close()

    # -- accepting

    def _accept_loop(self) -> None:
        delay = 0.0
        while True:
            if self._slots is not None:
                if select(send_case(self._slots, None), recv_case(self._closing)).index == 1:
                    return
            try:
                conn = self.listener.accept()
            except BaseException as exc:  # the end of a helper too
                self._release_slot()
                if isinstance(exc, ClosedError):
                    return
                if not isinstance(exc, OSError) or exc.errno not in SHORTAGE:
                    raise
                self.stats.shortages += 1
                if not delay:
                    log.warning("accept on %s: %s; retrying", text_of(self.listener.addr), exc)
                delay = min(max(2 * delay, BACKOFF_MIN), BACKOFF_MAX)
                select(recv_case(self._closing), timeout=delay)
                continue
            delay = 0.0
            self._start(conn)

    def _make_helper(self) -> G | None:
        """A G that accepts on another M, while the M of the accept loop may be stuck. Called by sysmon."""
        if self._draining:
            return None
        return new_g(0, self._help, (), self._context.copy())

    def _help(self) -> None:
        mp = tls.m
        if mp.sched.pending.pop(mp.curg, None) is None:  # else the stuck M was back before we began
            self._accept_loop()

    def _start(self, conn: Conn) -> None:
        """Start the handler's G."""
        mp = tls.m
        gp = new_g(new_goid(mp), self._run, (conn,), self._context.copy())
        gp.name = func_name(self.handler)
        spread = mp.sched.caps.parallel and mp.sched.gomaxprocs > 1
        with self._lock:
            late = self._draining
            if not late:
                stats = self.stats
                stats.accepted += 1
                stats.active += 1
                stats.peak = max(stats.peak, stats.active)
                target = None
                if spread:
                    target = place_fresh(mp, self._load)
                    self._load[target] = self._load.get(target, 0) + 1
                self._conns[conn] = gp, target
        if late:  # `close` came between: it fares as those that are still in the backlog
            conn.close()
            self._release_slot()
            return
        newproc_on(mp, gp, target)

    # -- one connection

    def _run(self, conn: Conn) -> None:
        try:
            self.handler(conn)
        except (BrokenPipeError, ConnectionAbortedError, ConnectionResetError, ClosedError) as exc:
            with self._lock:
                self.stats.resets += 1
            log.debug("connection from %s: %s", text_of(conn.remote_addr), exc)
        except (Unwind, Goexit, KeyboardInterrupt):
            raise
        except BaseException:  # SystemExit and CancelledError too: it is one connection's affair
            with self._lock:
                self.stats.failed += 1
            log.exception("the handler of the connection from %s failed", text_of(conn.remote_addr))
        finally:
            conn.close()
            self._ended(conn)

    def _ended(self, conn: Conn) -> None:
        with self._lock:
            self.stats.active -= 1
            _, target = self._conns.pop(conn)
            if target is not None:
                self._load[target] -= 1
            last = self._draining and not self._conns
        if last:
            self._idle.close()
        self._release_slot()

    def _release_slot(self) -> None:
        if self._slots is not None:
            self._slots.recv()  # there is one, so this never waits

    # -- the end

    def _drain(self) -> None:
        """Wait for the handlers, then close their connections and wait once more, shortly."""
        if select(recv_case(self._idle), timeout=self.drain).index == 0:
            return
        with self._lock:
            left = list(self._conns)
            self.stats.aborted = len(left)
        log.warning(
            "%d connections on %s are closed after %g s", len(left), text_of(self.listener.addr), self.drain
        )
        for conn in left:
            conn.close()
        select(recv_case(self._idle), timeout=BACKOFF_MAX)


def route_term(sched: Any) -> None:
    """Let SIGTERM drain the servers of this run, if there are any."""
    sched.port.watch_term(sched, bool(sched.on_term))


def serve(
    addr: Address | Listener,
    handler: Handler,
    *,
    max_conns: int | None = None,
    reuse_port: bool = False,
    drain: float = 5.0,
) -> ServerStats:
    """Serve TCP: call `handler(conn)` in a G of its own for each connection, and close that afterwards.

    Blocks the calling G until the server is closed or SIGTERM comes; then no more connections are accepted, and
    the handlers have `drain` seconds to end. A second SIGTERM ends the process's run at once.

    Args:
        addr: where to listen, or a Listener, which is closed at the end.
        handler: a plain function. What it raises is logged (logger "mpg.net"), counted, and closes its connection.
        max_conns: accept no more than so many at once; others wait in the system's backlog.
        reuse_port: see `listen`.
        drain: seconds.

    Returns:
        What the server has done.

    Raises:
        OSError: the address cannot be listened on.
        RuntimeError: outside a run.
    """
    if tls.m.curg is None:
        raise net_error(tls.m)
    listener = addr if isinstance(addr, Listener) else listen(addr, reuse_port=reuse_port)
    with listener:
        return Server(listener, handler, max_conns=max_conns, drain=drain).serve()


user_calls.add(Server._run.__code__)
