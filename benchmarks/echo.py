"""Echo servers and how they are measured; `python -m benchmarks.echo KIND` is one server.

A server runs in a process of its own on the first CPU, the client on the last. It prints its port; for each line on
its standard input it prints the CPU seconds it has used so far (getrusage), and it ends with its standard input.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from .golang import Go

CONNS = 50
STALL = 0.1  # seconds for which a handler holds its thread when a message starts with "!"
TIMEOUT = 120.0
ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"


#: How many records a server keeps: never full, and always full.
LIMITS = {"recording": 1 << 30, "full": 100_000}


def serve_mpg(procs: int, limit: int | None) -> None:
    import mpg

    def handler(conn: Any) -> None:
        while data := conn.recv(4096):
            if data[0] == 33:  # "!"
                time.sleep(STALL)
            conn.sendall(data)

    def main() -> None:
        listener = mpg.net.listen(f"{HOST}:0")
        ready(listener.addr[1])
        mpg.net.serve(listener, handler, drain=0)

    mpg.run(main, procs=procs, trace=None if limit is None else mpg.trace.Recorder(limit))


def serve_gevent() -> None:
    from gevent.server import StreamServer

    def handler(sock: Any, _: object) -> None:
        while data := sock.recv(4096):
            sock.sendall(data)

    server = StreamServer((HOST, 0), handler)
    server.init_socket()
    ready(server.server_port)
    server.serve_forever()


def serve_streams(kind: str) -> None:
    import asyncio

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handler, HOST, 0)
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    if kind == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


def ready(port: int) -> None:
    """Says where the server listens, and answers for its CPU time from then on."""

    def report() -> None:
        for _ in sys.stdin:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            print(usage.ru_utime + usage.ru_stime, flush=True)
        os._exit(0)

    threading.Thread(target=report, daemon=True).start()
    print(port, flush=True)


def pin(which: int) -> None:
    """Keeps this process to its first (0) or last (-1) CPU, so that server and client do not share one."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[which]})


class Server:
    """A server in a process of its own, for the length of a `with`."""

    def __init__(self, kind: str, go: Go) -> None:
        self.kind, self.go = kind, go

    def __enter__(self) -> Server:
        command = (
            [self.go.server] if self.kind == "go" else [sys.executable, "-m", "benchmarks.echo", self.kind]
        )
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"GOMAXPROCS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: pin(0),
        )
        self.port = int(self.line())
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """The next line it prints; if it prints none for long, it is killed and there is none."""
        assert self.process.stdout is not None
        timer = threading.Timer(TIMEOUT, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            raise RuntimeError(f"the {self.kind} server ended")
        return line

    def cpu(self) -> float:
        """CPU seconds it has used."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.line())

    def load(self, *flags: str) -> dict[str, float]:
        """Runs the client against it."""
        command = [self.go.client] if self.go else [sys.executable, "-m", "benchmarks.client"]
        out = subprocess.run(
            [*command, f"--port={self.port}", f"--conns={CONNS}", *flags],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
            preexec_fn=lambda: pin(-1),
        ).stdout
        return json.loads(out)

    def measure(self, requests: int) -> dict[str, float]:
        """Microseconds of its CPU time per request, and requests per second."""
        before = self.cpu()
        result = self.load(f"--requests={requests}")
        used = self.cpu() - before
        return {"cpu": used / result["requests"] * 1e6, "rate": result["requests"] / result["seconds"]}


def measure(kind: str, go: Go, requests: int) -> dict[str, float]:
    """The same of a server that has warmed up."""
    with Server(kind, go) as server:
        server.load(f"--requests={requests // 10}")
        return server.measure(requests)


def main() -> None:
    kind = sys.argv[1]
    if kind.startswith("mpg"):
        procs, _, recording = kind[3:].partition("-")
        serve_mpg(int(procs or 1), LIMITS[recording] if recording else None)
    elif kind == "gevent":
        serve_gevent()
    else:
        serve_streams(kind)


if __name__ == "__main__":
    main()
