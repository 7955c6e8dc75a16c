"""The load client for machines without Go: `python -m benchmarks.client --port P`, one thread on epoll.

Prints {"requests": N, "seconds": S}, takes the same flags as go/client and makes the same load, but is slower: it
may set the limit on the throughput. The server's CPU time per request does not depend on it much.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import time

SIZE = 64
HOST = "127.0.0.1"


class Load:
    """Connections with one request under way on each."""

    def __init__(self, port: int, conns: int) -> None:
        self.port = port
        self.done = 0
        self.poll = select.epoll()
        self.socks: dict[int, socket.socket] = {}
        self.missing: dict[int, int] = {}  # how many bytes of the answer are still to come
        for _ in range(conns):
            sock = socket.create_connection((HOST, port), timeout=30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socks[sock.fileno()] = sock
            self.poll.register(sock, select.EPOLLIN)

    def begin(self) -> None:
        """Sends the first request on each connection."""
        for fd, sock in self.socks.items():
            self.missing[fd] = SIZE
            sock.send(bytes(SIZE))

    def turn(self, more: bool = True) -> None:
        """Takes the answers that have come and, unless told otherwise, asks again."""
        request = bytes(SIZE)
        for fd, _ in self.poll.poll(1.0):
            sock = self.socks[fd]
            data = sock.recv(4096)
            if not data:
                raise ConnectionError("the server closed a connection")
            self.missing[fd] -= len(data)
            if self.missing[fd] == 0:
                self.done += 1
                if more:
                    self.missing[fd] = SIZE
                    sock.send(request)

    def count(self, requests: int) -> dict[str, float]:
        """Makes about so many requests."""
        start = time.perf_counter()
        self.begin()
        while self.done + len(self.socks) <= requests:
            self.turn()
        while any(self.missing.values()):
            self.turn(more=False)
        return {"requests": self.done, "seconds": time.perf_counter() - start}

    def until(self, end: float) -> None:
        while time.perf_counter() < end:
            self.turn()

    def stall(self) -> None:
        """Makes one handler stall, with the load going on, until it has answered."""
        sock = socket.create_connection((HOST, self.port), timeout=30)
        sock.send(b"!" + bytes(SIZE - 1))
        sock.setblocking(False)
        missing = SIZE
        while missing:
            self.turn()
            try:
                missing -= len(sock.recv(missing))
            except BlockingIOError:
                continue
        sock.close()

    def window(self, seconds: float, warm: float, stall: bool) -> dict[str, float]:
        """Counts for so many seconds, after a warm-up and perhaps a stall."""
        self.begin()
        self.until(time.perf_counter() + warm)
        if stall:
            self.stall()
        before, start = self.done, time.perf_counter()
        self.until(start + seconds)
        return {"requests": self.done - before, "seconds": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--conns", type=int, default=50)
    parser.add_argument("--requests", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--warm", type=float, default=0.5)
    parser.add_argument("--stall", action="store_true")
    args = parser.parse_args()
    load = Load(args.port, args.conns)
    if args.seconds > 0:
        print(json.dumps(load.window(args.seconds, args.warm, args.stall)))
    else:
        print(json.dumps(load.count(args.requests)))


if __name__ == "__main__":
    main()
