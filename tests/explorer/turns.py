"""Models: turns (`sched/turns.py`), and what other M's and threads want of an M whose G's take them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from explorer.modelling import model, sysmon_does, take_and_hand_off

import mpg
from mpg.current import tls
from mpg.explorer import pause, thread, window
from mpg.sched.g import new_g
from mpg.sched.idle import pidletake_locked, retire_locked
from mpg.sched.ready import new_goid
from mpg.sched.runq import put_global_locked
from mpg.sched.steal import grab
from mpg.sched.timers import RTimer, add_timer
from mpg.sched.turns import OFTEN
from mpg.status import GRUNNABLE

TICK = 4  #: in place of 61


def take_turns(tick: int = TICK) -> Callable[[], Any]:
    """Main takes turns with another G, until the function that this returns is called."""
    going = [True]

    def other() -> None:
        while going:
            mpg.gosched()

    tls.m.p.fair_tick = TICK
    mpg.go(other)
    yield_until(lambda: tls.m.turns > 1)
    if tick > TICK:
        tls.m.p.fair_tick = tick
        yield_until(lambda: tls.m.turns > TICK)
    return going.clear


def yield_until(done: Callable[[], object], most: int = 200) -> None:
    for _ in range(most):
        if done():
            return
        mpg.gosched()
    raise AssertionError(f"not after {most} turns")


@model("host", procs=1)
def letter_against_turns() -> None:
    """A thread makes a G of this M ready: that does not wait for the end of the turns."""
    ch = mpg.Chan[int]()
    got: list[int] = []
    sent: list[int] = []
    mpg.go(lambda: got.append(ch.recv()))
    mpg.gosched()
    end = take_turns(1000)

    def send() -> None:
        ch.send(7)
        sent.append(7)

    with window():
        thread(send)
        mpg.gosched()
        mpg.gosched()
    pause()
    assert sent
    yield_until(lambda: got, 2)
    end()


@model("host", procs=1)
def call_against_turns() -> None:
    """One of those who take turns makes a blocking call, and sysmon takes the P."""
    end = take_turns()
    pp = tls.m.p
    with window():
        sysmon_does(lambda sched: take_and_hand_off(sched, pp))
        with mpg.blocking():
            pass
        mpg.gosched()
    pause()
    slices = pp.slices
    mpg.gosched()
    assert pp.slices == slices + 2
    end()


@model("host", procs=1)
def global_queue_against_turns() -> None:
    """Somebody else queues a fresh G globally: it runs after the next slice that looks there first."""
    end = take_turns()
    mp = tls.m
    ran: list[int] = []
    gp = new_g(new_goid(mp), ran.append, (1,), copy_context())
    gp.atomicstatus = GRUNNABLE

    def queue() -> None:
        with mp.sched.lock:
            gp.ticket = mp.p.ticket
            put_global_locked(mp.sched, (gp,))

    with window():
        thread(queue)
        mpg.gosched()
        mpg.gosched()
    pause()
    yield_until(lambda: ran, TICK)
    end()


@model("host", procs=2)
def moved_timers_against_turns() -> None:
    """An idle P dies, and its timers come to the P of those who take turns: from then on these look at the clock."""
    mp, pp = tls.m, tls.m.p
    dying = next(p for p in mp.sched.allp if p is not pp)
    mp.p = dying
    add_timer(mp, RTimer(lambda mp, arg, when: None, None), 1 << 60)
    mp.p = pp
    pp.procs = 1
    with mp.sched.lock:
        assert pidletake_locked(mp.sched, dying)  # or another M would run the other G

    def retire(sched: Any) -> None:
        with sched.lock:
            retire_locked(sched, dying)

    end = take_turns(1000)
    with window():
        sysmon_does(retire)
        mpg.gosched()
        mpg.gosched()
    pause()
    assert pp.when
    mpg.gosched()
    assert not mp.turns
    end()


@model("host", procs=1)
def letter_against_ends() -> None:
    """A thread makes a G of this M ready while fresh G's end: the M looks at that after the next end."""
    ch = mpg.Chan[int]()
    seen: list[tuple[bool, bool]] = []

    def fresh() -> None:
        begun = tls.m.attn
        seen.append((begun, tls.m.attn))

    g = mpg.go(ch.recv)
    mpg.gosched()
    pp = tls.m.p
    pp.schedtick, pp.fair_at = OFTEN - 1, 0
    gs = [mpg.go(fresh) for _ in range(6)]
    with window():
        thread(lambda: ch.send(7))
        gs[-2].join()
    pause()
    g.join()
    for before, after in itertools.pairwise(seen):
        assert not (before[1] and after[0]), seen


@model("host", procs=1)
def thief_against_spawns() -> None:
    """A thief empties the ring, whose tail is runnext while its M starts G's: each runs once."""
    ran: list[int] = []
    pp = tls.m.p
    n = 0

    def start() -> None:
        nonlocal n
        mpg.go(ran.append, n)
        n += 1

    def steal(sched: Any) -> None:
        for _ in range(4):  # half of what there is each time
            stolen, _ = grab(sched.sysmon, pp, runnext=False, one=False)
            with sched.lock:
                put_global_locked(sched, stolen)

    while not tls.m.spawns:
        start()
    with window():
        sysmon_does(steal)
        start()
        mpg.gosched()
    pause()
    yield_until(lambda: len(ran) == n)
    assert sorted(ran) == list(range(n))
