"""Ctrl-C during a run: the first raises in main, the second stops at once."""

from __future__ import annotations

import signal
import sys
from time import monotonic

import pytest
from host.programs import RESTORED, program

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

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
