"""Signals during a run: each test is a program of its own that says where it is, and is then sent a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from conformance.worlds import PATIENCE

import mpg

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

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


INTERRUPTED = """
where, procs = sys.argv[1], int(sys.argv[2])
ch = mpg.Chan(1)
event = threading.Event()

def compute():
    rounds = 0
    while True:
        ch.send(rounds)
        rounds = ch.recv() + 1
        if rounds == 1000:
            say("ready")

def loop():
    rounds = 0
    while True:
        sum(range(100))
        mpg.gosched()
        rounds += 1
        if rounds == 100:
            say("ready")

def join():
    mpg.go(mpg.sleep, 1000).join()

waits = {
    "recv": lambda: ch.recv(),
    "select": lambda: mpg.select(mpg.recv_case(ch), mpg.recv_case(mpg.Chan())),
    "sleep": lambda: mpg.sleep(1000),
    "join": join,
    "to_thread": lambda: mpg.to_thread(event.wait),
    "compute": compute,
    "gosched": loop,
}

def main():
    bystanders()
    if where not in ("compute", "gosched"):
        mpg.go(announce, mpg.current_g())
    try:
        waits[where]()
    except KeyboardInterrupt:
        say("interrupted")
        raise
    finally:
        event.set()
        say("finally of main")

try:
    mpg.run(main, procs=procs)
finally:
    restored()
"""


@pytest.mark.parametrize("procs", [1, 4])
@pytest.mark.parametrize("where", ["recv", "select", "sleep", "join", "to_thread", "compute", "gosched"])
def test_ctrl_c_raises_in_main_and_unwinds_the_others(where: str, procs: int) -> None:
    with program(INTERRUPTED, where, procs) as child:
        child.expect("ready")
        child.send(signal.SIGINT)
        child.expect("interrupted", "finally of main")
        status, said, err = child.end()
    assert sorted(said[:-1]) == ["finally of one", "finally of two"]
    assert said[-1] == RESTORED
    assert status == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize("procs", [1, 4])
def test_ctrl_c_that_another_thread_receives_wakes_main(procs: int) -> None:
    source = """
def killer(g):
    deadline = time.monotonic() + 30
    while not blocked(g) and time.monotonic() < deadline:
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

def main():
    bystanders()
    thread = threading.Thread(target=killer, args=(mpg.current_g(),))
    thread.start()
    try:
        forever()
    finally:
        thread.join()

try:
    mpg.run(main, procs=int(sys.argv[1]))
except KeyboardInterrupt:
    say("out of run")
restored()
"""
    with program(source, procs) as child:
        status, said, err = child.end()
    assert sorted(said[:2]) == ["finally of one", "finally of two"]
    assert (said[2:], status, err) == (["out of run", RESTORED], 0, "")


def test_main_may_catch_it_and_go_on() -> None:
    source = """
def main():
    bystanders()
    ch = mpg.Chan()
    mpg.go(announce, mpg.current_g())
    try:
        ch.recv()
    except KeyboardInterrupt:
        say("caught")
    mpg.go(ch.send, 41)  # nobody waits there any more: the park was withdrawn
    g = mpg.go(lambda: 1 + ch.recv())
    g.join()
    return g.result

say("value", mpg.run(main))
restored()
"""
    with program(source) as child:
        child.expect("ready")
        child.send(signal.SIGINT)
        child.expect("caught")
        status, said, err = child.end()
    assert sorted(said[:2]) == ["finally of one", "finally of two"]
    assert (said[2:], status, err) == (["value 42", RESTORED], 0, "")


def test_each_run_counts_from_none() -> None:
    source = """
def main():
    mpg.go(announce, mpg.current_g())
    try:
        mpg.sleep(1000)
    except KeyboardInterrupt:
        until(lambda: True)
        say("caught")

for _ in range(3):
    mpg.run(main)
restored()
"""
    with program(source) as child:
        for _ in range(3):
            child.expect("ready")
            child.send(signal.SIGINT)
            child.expect("caught")
        assert child.end() == (0, [RESTORED], "")


STUCK = """
where = sys.argv[1]

def stuck():
    say("ready")
    time.sleep(1000)

def late():
    try:
        forever()
    finally:
        stuck()

def hold():
    say("ready")
    threading.Event().wait()

def main():
    if where == "sleep":
        stuck()
    if where == "bystander":  # main ends, and this one's finally does not
        mpg.go(late)
        mpg.gosched()
    try:
        if where == "shutdown":  # main ends, and a call on another thread does not
            mpg.to_thread(hold)
        mpg.go(announce, mpg.current_g())
        mpg.sleep(1000)
    except KeyboardInterrupt:
        say("caught")
        if where == "compute":
            ch = mpg.Chan(1)
            while True:
                ch.send(1)
                ch.recv()
        elif where == "finally":
            stuck()
        elif where == "park":
            mpg.sleep(1000)
        elif where == "plain":
            while True:
                pass

try:
    mpg.run(main, procs=2, shutdown_timeout=1000, stall_report=None)
except KeyboardInterrupt:
    say("out of run")
restored()
"""


@pytest.mark.parametrize(
    ("where", "first"),
    [
        ("sleep", ["ready"]),
        ("compute", ["ready", "caught"]),
        ("plain", ["ready", "caught"]),
        ("park", ["ready", "caught"]),
        ("finally", ["ready", "caught", "ready"]),
        ("bystander", ["ready", "caught", "ready"]),
        ("shutdown", ["ready", "caught"]),
    ],
)
def test_a_second_ctrl_c_stops_at_once(where: str, first: list[str]) -> None:
    with program(STUCK, where) as child:
        child.expect(first[0])
        child.send(signal.SIGINT)
        child.expect(*first[1:])
        child.await_handlers()
        if where not in ("compute", "plain"):
            child.await_sleep()
        begin = monotonic()
        child.send(signal.SIGINT)
        child.expect("out of run", RESTORED)
        assert monotonic() - begin < 10  # not 1000
        status, said, err = child.end()
    assert (status, said, err) == (0, [], "")


def test_a_custom_handler_is_left_alone() -> None:
    source = """
seen = []

def mine(signum, frame):
    seen.append(signum)
    say("mine")

signal.signal(signal.SIGINT, mine)

def main():
    assert signal.getsignal(signal.SIGINT) is mine
    mpg.go(announce, mpg.current_g())
    mpg.to_thread(wait.wait)  # the main thread is asleep, and still its handler runs
    say("seen", len(seen))

wait = threading.Event()
signal.signal(signal.SIGUSR2, lambda signum, frame: wait.set())
mpg.run(main)
say(signal.getsignal(signal.SIGINT) is mine, signal.set_wakeup_fd(-1))
"""
    with program(source) as child:
        child.expect("ready")
        for _ in range(3):
            child.send(signal.SIGINT)
            child.expect("mine")
        child.send(signal.SIGUSR2)
        assert child.end() == (0, ["seen 3", "True -1"], "")


def test_a_handler_that_the_program_installs_during_the_run_stays() -> None:
    source = """
def mine(signum, frame):
    say("mine")

mpg.run(lambda: signal.signal(signal.SIGINT, mine))
say(signal.getsignal(signal.SIGINT) is mine)
"""
    with program(source) as child:
        assert child.end() == (0, ["True"], "")


def test_the_wakeup_fd_of_somebody_else_is_kept() -> None:
    source = """
import socket
a, b = socket.socketpair()
b.setblocking(False)
signal.set_wakeup_fd(b.fileno())

def main():
    mpg.go(announce, mpg.current_g())
    mpg.sleep(1000)

try:
    mpg.run(main)
except KeyboardInterrupt:
    say("out of run")
say(signal.set_wakeup_fd(-1) == b.fileno(), a.recv(1) == bytes([signal.SIGINT]))
a.close()
b.close()
"""
    with program(source) as child:
        child.expect("ready")
        child.send(signal.SIGINT)
        assert child.end() == (0, ["out of run", "True True"], "")


def test_a_run_in_another_thread_installs_nothing() -> None:
    source = """
ready, release = threading.Event(), threading.Event()

def main():
    ready.set()
    until(release.is_set)
    return 42

thread = threading.Thread(target=lambda: say("value", mpg.run(main)))
thread.start()
ready.wait()
restored()  # nothing to restore
try:
    say("ready")
    threading.Event().wait()
except KeyboardInterrupt:
    say("the main thread's")
release.set()
thread.join()
"""
    with program(source) as child:
        child.expect(RESTORED, "ready")
        child.send(signal.SIGINT)
        child.expect("the main thread's")
        assert child.end() == (0, ["value 42"], "")


def test_sigterm_is_left_to_the_system_unless_a_server_runs() -> None:
    source = """
def main():
    say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    mpg.go(announce, mpg.current_g())
    mpg.sleep(1000)

mpg.run(main)
"""
    with program(source) as child:
        child.expect("True", "ready")
        child.send(signal.SIGTERM)
        assert child.end() == (-signal.SIGTERM, [], "")


@pytest.mark.parametrize(
    "lasting",
    [
        "mpg.go(announce, mpg.current_g()); mpg.sleep(1000)",
        "mpg.go(announce, mpg.current_g()); mpg.to_thread(time.sleep, 1000)",
        "compute()",
    ],
)
def test_sigterm_does_not_lose_what_is_recorded(lasting: str, tmp_path: Path) -> None:
    source = f"""
def compute():
    say("ready")
    while True:
        pass

def main():
    {lasting}

try:
    mpg.run(main, trace=sys.argv[1])
finally:
    say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    with program(source, tmp_path / "t.npz") as child:
        child.expect("ready")
        child.send(signal.SIGTERM)
        assert child.end() == (128 + signal.SIGTERM, ["True"], "")
    trace = mpg.trace.load(tmp_path / "t.npz")
    trace.validate()
    assert "GoCreate" in trace.names


@pytest.mark.parametrize("lasting", ["while True: pass", "while True: mpg.sleep(1)"])
def test_sigterm_ends_a_simulation_that_records_into_a_file(lasting: str, tmp_path: Path) -> None:
    source = f"""
def main():
    say("ready")
    {lasting}

try:
    mpg.simulate(main, trace=sys.argv[1])
finally:
    say(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    with program(source, tmp_path / "t.npz") as child:
        child.expect("ready")
        child.send(signal.SIGTERM)
        assert child.end() == (128 + signal.SIGTERM, ["True"], "")
    mpg.trace.load(tmp_path / "t.npz").validate()


HAMMER = """
procs, capacity = int(sys.argv[1]), int(sys.argv[2])
ch = mpg.Chan(capacity)
counts = {"true": 0, "false": 0, "raised": 0}
inside = False

def handler(signum, frame):
    global inside
    if inside:  # one that waits to find out that it waits for itself is slower than the next signal
        return
    inside = True
    try:
        counts["true" if ch.try_send(-1) else "false"] += 1
    except RuntimeError:
        counts["raised"] += 1
    finally:
        inside = False

def producer():
    while True:
        ch.send(1)

def main():
    for _ in range(3):
        mpg.go(producer)
    got = own = 0
    while sum(counts.values()) < 100:
        value = ch.recv()
        got += 1
        own += value == -1
    signal.setitimer(signal.ITIMER_REAL, 0)
    while counts["true"] > own:
        own += ch.recv() == -1
    return own

signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
own = mpg.run(main, procs=procs)
say("lost", counts["true"] - own)
print(counts, file=sys.stderr)
"""


@pytest.mark.parametrize("capacity", [0, 8])
@pytest.mark.parametrize("procs", [1, 4])
def test_an_operation_in_a_handler_works_or_raises_but_never_hangs(procs: int, capacity: int) -> None:
    with program(HAMMER, procs, capacity) as child:
        status, said, err = child.end()
    assert (status, said) == (0, ["lost 0"]), err


def test_a_handler_may_wake_a_run_that_is_asleep() -> None:
    source = """
ch = mpg.Chan(1)

def handler(signum, frame):
    ch.try_send("from the handler")

signal.signal(signal.SIGUSR2, handler)

def main():
    mpg.go(mpg.sleep, 1000)
    for _ in range(3):
        mpg.go(announce, mpg.current_g())
        say(ch.recv())

mpg.run(main, procs=1)
"""
    with program(source) as child:
        for _ in range(3):
            child.expect("ready")
            child.send(signal.SIGUSR2)
            child.expect("from the handler")
        assert child.end() == (0, [], "")


def test_this_process_keeps_its_handlers() -> None:
    import mpg

    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    assert mpg.run(lambda: mpg.go(os.getpid).join()) is None
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before
