"""Programs in a process of their own, and clients that talk to them. Every wait has a deadline."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 20.0  # seconds for any one wait


class Program:
    """`python ARGS...`; ended and closed at the end of the `with`. Its warnings are errors, unless `warnings` says."""

    def __init__(self, *args: object, warnings: str = "error") -> None:
        self.process = subprocess.Popen(
            [sys.executable, *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=ROOT,
            env={**os.environ, "PYTHONWARNINGS": warnings},
        )
        self.pending = {"stdout": b"", "stderr": b""}

    def line(self, name: str = "stdout") -> str:
        """The next line that it prints."""
        pipe = getattr(self.process, name)
        deadline = monotonic() + LIMIT
        while b"\n" not in self.pending[name]:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - monotonic()))
            assert ready, f"no line on {name} for {LIMIT} s, only {self.pending}"
            data = pipe.read(65536)
            assert data, f"{name} has ended: {self.finish()}"
            self.pending[name] += data
        line, _, self.pending[name] = self.pending[name].partition(b"\n")
        return line.decode()

    def port(self) -> int:
        """The port of its line `listening on ...`."""
        line = self.line()
        match = re.fullmatch(r"listening on (?:127\.0\.0\.1|\[::1\]):(\d+)", line)
        assert match, line
        return int(match[1])

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def finish(self) -> tuple[int, str, str]:
        """Wait for its end: exit status (or minus the signal), and what it has printed since."""
        out, err = self.process.communicate(timeout=LIMIT)
        out, err = self.pending["stdout"] + out, self.pending["stderr"] + err
        return self.process.returncode, out.decode(), err.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()


class Peer:
    """A client that speaks lines; closed at the end of the `with`."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection((host, port), LIMIT)
        self.file = self.sock.makefile("rb")

    def send(self, *lines: str) -> None:
        self.sock.sendall("".join(f"{line}\n" for line in lines).encode())

    def line(self) -> str:
        """The next line, without its end; an empty one at the end of the stream is an AssertionError."""
        raw = self.file.readline()
        assert raw.endswith(b"\n"), f"the connection has ended after {raw!r}"
        return raw.decode().rstrip("\r\n")

    def ask(self, line: str) -> str:
        self.send(line)
        return self.line()

    def at_end(self) -> bool:
        """Wait for the other side: has it closed?"""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.file.close()
        self.sock.close()


def wait_refused(port: int) -> None:
    """Wait until nobody listens there: a server that drains has closed its listener."""
    deadline = monotonic() + LIMIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), LIMIT).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was in the backlog when the listener was closed
            pass
        assert monotonic() < deadline, f"port {port} still accepts"
