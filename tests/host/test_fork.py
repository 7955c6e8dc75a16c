"""fork: the child has no runtime until it calls `run` again; none of the parent's other G's ever run in it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, mpg
how, place = sys.argv[1:]
parent = os.getpid()

def bystander():
    try:
        mpg.Chan().recv()
    finally:
        if os.getpid() != parent:
            os.write(1, b"the wrong finally\\n")

def forker():
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ch = mpg.Chan(1)
    ch.send("as on any thread")
    assert ch.recv() == "as on any thread" and mpg.current_g() is None
    assert mpg.num_goroutine() == 0
    try:
        mpg.go(print)
    except RuntimeError:
        pass
    else:
        os._exit(77)
    if how == "run":
        assert mpg.run(lambda: mpg.go(print, "in a run of its own", flush=True).join()) is None
    if how == "error":
        raise KeyError("in the child")
    if how == "exit":
        sys.exit(5)
    if how == "exit with a message":
        sys.exit("that is all")
    print("the child")

def tell(answer):
    status = forker()
    if os.getpid() == parent:
        answer.send(status)

def main():
    mpg.go(bystander)
    mpg.gosched()
    if place == "to_thread":
        status = mpg.to_thread(forker)
    elif place == "a G":
        g = mpg.go(forker)
        g.join()
        status = g.result
    else:
        answer = mpg.Chan()
        mpg.go(tell, answer)
        status = answer.recv()
    print("status", status, flush=True)

mpg.run(main, procs=2)
"""


@pytest.mark.parametrize(
    ("how", "out"),
    [
        ("return", "the child\nstatus 0\n"),
        ("run", "in a run of its own\nthe child\nstatus 0\n"),
        ("error", "status 1\n"),
        ("exit", "status 5\n"),
        ("exit with a message", "status 1\n"),
    ],
)
@pytest.mark.parametrize("place", ["a G", "a G that nobody joins", "to_thread"])
def test_fork(how: str, out: str, place: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, how, place]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, out)
    assert ("KeyError: 'in the child'" in done.stderr) is (how == "error")
    assert ("that is all" in done.stderr) is (how == "exit with a message")


def test_subprocesses_from_a_g() -> None:
    import mpg

    def main() -> tuple[bytes, bytes]:
        command = [sys.executable, "-c", "print(42)"]
        return subprocess.check_output(command), mpg.to_thread(subprocess.check_output, command)

    assert mpg.run(main) == (b"42\n", b"42\n")
    assert os.getpid()
