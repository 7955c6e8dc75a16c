"""Programs of their own, which say where they are and are then sent signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from conformance.worlds import PATIENCE

PRELUDE = """
import os, signal, sys, threading, time
import mpg

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

# Handlers run in the order of the signals' numbers: once this one has spoken, that of SIGINT has run.
signal.signal(signal.SIGUSR1, lambda signum, frame: say("heard"))

def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        mpg.gosched()

def blocked(g):
    return g.status in ("waiting", "syscall")

def announce(g):
    until(lambda: blocked(g))
    say("ready")

def forever():
    mpg.Chan().recv()

def bystander(name, wait, *args):
    try:
        wait(*args)
    finally:
        say("finally of", name)

def bystanders():
    gs = [mpg.go(bystander, "one", forever), mpg.go(bystander, "two", mpg.sleep, 1000)]
    until(lambda: all(map(blocked, gs)))

def restored():
    say("restored", signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.set_wakeup_fd(-1))
"""

RESTORED = "restored True -1"


class Program:
    """A running program and what it says, line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def expect(self, *lines: str) -> None:
        assert self.process.stdout is not None
        for line in lines:
            got = self.process.stdout.readline()
            if got != line + "\n":
                rest, err = self.end()[1:]
                raise AssertionError(f"{got!r} came instead of {line!r}; then {rest}; stderr:\n{err}")

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def interrupt(self) -> None:
        """Send SIGINT and come back when its handler has run."""
        self.send(signal.SIGINT)
        self.await_handlers()

    def await_handlers(self) -> None:
        """Come back when the handlers of all signals sent so far have run.

        A signal that comes while another one waits for the main thread goes to another thread, and the main thread,
        which runs the handlers, may sleep on. So it is sent again until it is heard.
        """
        heard = threading.Event()

        def insist() -> None:
            while not heard.is_set():
                self.send(signal.SIGUSR1)
                heard.wait(1.0)

        thread = threading.Thread(target=insist)
        thread.start()
        try:
            self.expect("heard")
        finally:
            heard.set()
            thread.join()

    def await_sleep(self) -> None:
        """Come back when the main thread sleeps again.

        Between a handler's last bytecode and the sleep that goes on, Python does not look for signals.
        """
        stat = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/stat")
        deadline = monotonic() + PATIENCE
        while stat.exists() and stat.read_text().rpartition(") ")[2][0] != "S":
            assert monotonic() < deadline, "it does not sleep"

    def end(self) -> tuple[int, list[str], str]:
        """Wait for the end: exit status, the other lines it said, stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(), out.splitlines(), err


@contextmanager
def program(source: str, *args: object) -> Iterator[Program]:
    """Run `source` in a new interpreter; kill it if it is not done in time."""
    command = [sys.executable, "-c", PRELUDE + source, *map(str, args)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            yield Program(process)
        finally:
            alarm.cancel()
            process.kill()
            alarm.join()
