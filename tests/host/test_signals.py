"""Signals during a run: the program's own handlers stay and may use mpg, and SIGTERM loses no trace."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from host.programs import RESTORED, program

import mpg

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


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
    while True:  # a signal between the last bytecode and the sleep does not end that
        threading.Event().wait(0.1)
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
