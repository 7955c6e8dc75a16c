"""Servers of which one handler holds its thread, and a client that watches: for `pictures.py`.

`python docs/servers_for_pictures.py KIND` is one server, which prints its port and ends with its standard input. It
answers each line with the number of the thread that its connection is on. A line "call" keeps the handler for CALL
seconds: `time.sleep`, of which no scheduler is told, or `mpg.to_thread` where the kind says so.

The load: CONNS connections that stay, and a new one each NEW seconds that stays for LIFE. Each sends a request, waits
for the answer, and sends the next PAUSE later. At AT one of those that stay sends "call". The client is one thread on
a selector, so it is never what is waited for; everything ends after TOTAL seconds, or is killed after LIMIT.
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from typing import Any, NamedTuple

CALL = 0.5
AT = 0.6
TOTAL = 1.8
CONNS = 20
PAUSE = 0.03
NEW = 0.02
LIFE = 0.25
LIMIT = 20.0
HOST = "127.0.0.1"


class Reply(NamedTuple):
    """An answered request: when it was sent, seconds until the answer, the thread that answered, is it the call."""

    sent: float
    latency: float
    thread: int
    call: bool


# -- the servers


def answer(line: bytes, call: Any = None) -> bytes:
    """What a handler sends back; it knows its thread before it makes the call."""
    thread = threading.get_ident()
    if line.startswith(b"call"):
        (call or time.sleep)(CALL)
    return b"%d\n" % thread


def serve_asyncio() -> None:
    import asyncio

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(answer(line))
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handler, HOST, 0)
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def serve_gevent() -> None:
    from gevent.server import StreamServer

    def handler(sock: Any, _: object) -> None:
        while line := sock.recv(100):
            sock.sendall(answer(line))

    server = StreamServer((HOST, 0), handler)
    server.init_socket()
    ready(server.server_port)
    server.serve_forever()


def serve_mpg(offload: bool) -> None:
    import mpg

    def offloaded(seconds: float) -> None:
        mpg.to_thread(time.sleep, seconds)

    def handler(conn: Any) -> None:
        while line := conn.recv(100):
            conn.sendall(answer(line, offloaded if offload else None))

    def main() -> None:
        listener = mpg.net.listen(f"{HOST}:0")
        ready(listener.addr[1])
        mpg.net.serve(listener, handler, drain=0)

    mpg.run(main, procs=2, stall_report=None)  # that is what the picture shows


def ready(port: int) -> None:
    """Say where the server listens, and end with the standard input."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
    print(port, flush=True)


# -- the client


class Client:
    """All connections of one load."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.poll = selectors.DefaultSelector()
        self.replies: list[Reply] = []
        self.turn = (
            itertools.count()
        )  # two things at the same time happen in the order in which they were planned
        self.plans: list[tuple[float, int, Any]] = []
        self.start = time.perf_counter()

    def now(self) -> float:
        return time.perf_counter() - self.start

    def plan(self, when: float, do: Any) -> None:
        heapq.heappush(self.plans, (when, next(self.turn), do))

    def load(self) -> list[Reply]:
        """Everything from the first connection to the last answer, in the order of the answers."""
        for i in range(CONNS):
            self.plan(i * PAUSE / CONNS, lambda caller=not i: self.connect(TOTAL, caller))
        for i in range(int((TOTAL - LIFE) / NEW)):
            self.plan(i * NEW, lambda: self.connect(LIFE, False))
        while self.plans or self.poll.get_map():
            if self.now() > LIMIT:
                raise TimeoutError("the server does not answer")
            while self.plans and self.plans[0][0] <= self.now():
                heapq.heappop(self.plans)[2]()
            wait = max(0.0, self.plans[0][0] - self.now()) if self.plans else LIMIT / 10
            for key, _ in self.poll.select(wait):
                key.data()
        return self.replies

    def connect(self, life: float, caller: bool) -> None:
        """A connection that ends `life` seconds from now, or at the end."""
        sock = socket.create_connection(
            (HOST, self.port), timeout=LIMIT
        )  # the system answers, whatever the server does
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        until = min(self.now() + life, TOTAL)
        called = not caller
        call, sent = False, 0.0

        def ask() -> None:
            nonlocal called, call, sent
            call = not called and self.now() >= AT
            called |= call
            sent = self.now()
            sock.sendall(b"call\n" if call else b"ask\n")
            self.poll.register(sock, selectors.EVENT_READ, answered)

        def answered() -> None:
            self.poll.unregister(sock)
            line = sock.recv(100)
            if not line.endswith(b"\n"):
                raise ConnectionError(f"the server answered {line!r}")
            now = self.now()
            self.replies.append(Reply(sent, now - sent, int(line), call))
            if now + PAUSE < until:
                self.plan(now + PAUSE, ask)
            else:
                sock.close()

        ask()


def measure(kind: str) -> list[Reply]:
    """The load on a server of its own."""
    command = [sys.executable, __file__, kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        timer = threading.Timer(LIMIT, server.kill)
        timer.start()
        try:
            assert server.stdout is not None
            return Client(int(server.stdout.readline())).load()
        finally:
            timer.cancel()
            server.kill()


def main() -> None:
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    kind = sys.argv[1]
    if kind == "asyncio":
        serve_asyncio()
    elif kind == "gevent":
        serve_gevent()
    else:
        serve_mpg(offload=kind == "mpg-to-thread")


if __name__ == "__main__":
    main()
