"""Turns: random programs run in the order that `pick` would give."""

from __future__ import annotations

import random
from typing import Any

import pytest

import mpg
from mpg.current import tls
from mpg.sched import sysmon
from mpg.sched.pinned import PinnedM
from mpg.sched.policy import GLOBAL_BATCH

ACTS = ("yield", "yield", "yield", "go", "token", "timer", "item", "ask")


def scripts(seed: int, depth: int = 0) -> list[list[Any]]:
    """What a G does: acts with how often, and for "go" the script of the other G."""
    rng = random.Random(seed * 7 + depth)
    acts = ("yield", "token") if depth > 2 else ACTS
    out: list[list[Any]] = []
    for _ in range(rng.randrange(1, 8)):
        act = rng.choice(acts)
        out.append(
            [act, rng.choice((1, 2, 5, 70)), scripts(rng.getrandbits(30), depth + 1) if act == "go" else None]
        )
    return out


def order_of(script: list[list[Any]], crowd: int) -> tuple[list[tuple[int, int]], int]:
    """Who did the how manieth act when, and how often somebody had turns left."""
    order: list[tuple[int, int]] = []
    had = 0

    def main() -> None:
        token = mpg.sync.Semaphore(1)
        items: mpg.Chan[int] = mpg.Chan(2)
        wg = mpg.sync.WaitGroup()

        def play(script: list[list[Any]]) -> None:
            nonlocal had
            me: Any = mpg.current_g()
            timer = None
            for number, (act, times, child) in enumerate(script):
                order.append((me.id, number))
                had += tls.m.turns > 0
                if act == "go":
                    wg.go(play, child)
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
                        order.append((me.id, -1))
                    if act == "token":
                        token.release()
            if timer is not None:
                timer.stop()

        for _ in range(crowd):
            wg.go(play, [["yield", 3, None]])
        wg.go(play, script)
        wg.wait()

    mpg.run(main, procs=1)
    return order, had


def test_the_order_is_that_of_pick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysmon, "retake", lambda sched, now: 0)  # only the programs may change an order
    had = 0
    for seed in range(60):
        script = scripts(seed)
        crowd = random.Random(seed).choice((0, 2, 7, GLOBAL_BATCH - 2, GLOBAL_BATCH + 9))
        monkeypatch.setattr(PinnedM, "takes_turns", True)
        order, often = order_of(script, crowd)
        had += often
        monkeypatch.setattr(PinnedM, "takes_turns", False)
        assert (order, 0) == order_of(script, crowd), seed
    assert had > 5
