"""Turns: random programs run in the order that `pick` would give."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

import mpg
from mpg.current import tls
from mpg.sched import sysmon
from mpg.sched.pinned import PinnedM
from mpg.sched.policy import GLOBAL_BATCH

ACTS = ("yield", "yield", "yield", "go", "token", "timer", "item", "ask", "burst", "burst")
BRIEF = ("end", "end", "end", "end", "end", "yield", "go", "wake", "timer", "join", "ask")


def scripts(seed: int, depth: int = 0) -> list[list[Any]]:
    """What a G does: acts with how often, and for "go" the script of the other G."""
    rng = random.Random(seed * 7 + depth)
    acts = ("yield", "token") if depth > 2 else ACTS
    out: list[list[Any]] = []
    for _ in range(rng.randrange(1, 8)):
        act = rng.choice(acts)
        times = rng.choice((1, 2, 5, 70))
        more: list[Any] = []
        if act == "go":
            more = scripts(rng.getrandbits(30), depth + 1)
        elif act == "burst":
            brief = rng.choice((("end",), BRIEF))
            more = [rng.choice(brief) for _ in range(4 * times)]
        out.append([act, times, more])
    return out


def order_of(script: list[list[Any]], crowd: int) -> tuple[list[tuple[int, int]], Counter[str]]:
    """Who did the how manieth act when, and how often somebody had turns left, of each kind."""
    order: list[tuple[int, int]] = []
    had: Counter[str] = Counter()

    def note(number: int) -> None:
        mp = tls.m
        order.append((mp.curg.id, number))
        had.update({"yields": mp.turns > 0, "ends": mp.ends > 0, "spawns": mp.spawns > 0})

    def main() -> None:
        token = mpg.sync.Semaphore(1)
        items: mpg.Chan[int] = mpg.Chan(2)
        bells: list[mpg.Chan[int]] = [mpg.Chan(), mpg.Chan()]
        wg = mpg.sync.WaitGroup()

        def answer(bell: mpg.Chan[int]) -> None:
            for _ in bell:
                note(-2)

        def ring() -> None:
            for bell in bells[: 1 + len(order) % 2]:
                bell.try_send(1)

        def brief(kind: str, made: list[Any], number: int) -> None:
            note(-3)
            if kind == "yield":
                mpg.gosched()
            elif kind == "go":
                wg.go(brief, "end", made, number)
            elif kind == "wake":
                ring()
            elif kind == "timer":
                mpg.after_func(1000.0, print).stop()
            elif kind == "join":
                for g in made[number + 20 : number + 21]:
                    g.join()
            elif kind == "ask":
                mpg.num_goroutine()
            note(-4)

        def play(script: list[list[Any]]) -> None:
            timer = None
            for number, (act, times, more) in enumerate(script):
                note(number)
                if act == "go":
                    wg.go(play, more)
                elif act == "burst":
                    made: list[Any] = []
                    for kind in more:
                        made.append(wg.go(brief, kind, made, len(made)))
                        note(-5)
                        if kind == "wake":
                            ring()
                        elif kind == "ask":
                            box: mpg.Chan[int] = mpg.Chan()
                            wg.go(box.send, 1)
                            wg.go(int)
                            ring()
                            box.recv()
                elif act == "timer":
                    timer = mpg.after_func(1000.0, print) if timer is None else timer.stop() and None
                elif act == "item":
                    mpg.select(mpg.send_case(items, 1), mpg.recv_case(items))
                elif act == "ask":
                    mpg.num_goroutine()
                else:
                    if act == "token":
                        token.acquire()
                    for _ in range(times):
                        mpg.gosched()
                        note(-1)
                    if act == "token":
                        token.release()
            if timer is not None:
                timer.stop()

        gs = [mpg.go(answer, bell) for bell in bells]
        for _ in range(crowd):
            wg.go(play, [["yield", 3, []]])
        wg.go(play, script)
        wg.wait()
        for bell, g in zip(bells, gs, strict=True):
            bell.close()
            g.join()

    mpg.run(main, procs=1)
    return order, had


def test_the_order_is_that_of_pick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysmon, "retake", lambda sched, now: 0)  # only the programs may change an order
    had: Counter[str] = Counter()
    for seed in range(200):
        script = scripts(seed)
        crowd = random.Random(seed).choice((0, 2, 7, GLOBAL_BATCH - 2, GLOBAL_BATCH + 9))
        monkeypatch.setattr(PinnedM, "takes_turns", True)
        order, often = order_of(script, crowd)
        had += often
        monkeypatch.setattr(PinnedM, "takes_turns", False)
        assert order_of(script, crowd) == (order, Counter(yields=0, ends=0, spawns=0)), seed
    assert min(had[kind] for kind in ("yields", "ends", "spawns")) > 100, had
