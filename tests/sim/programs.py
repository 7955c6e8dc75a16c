"""Programs that several tests run, and workloads that other processes import."""

from __future__ import annotations

import os
import random
import sys

import mpg


def answer(number: int = 42) -> int:
    mpg.work(1e-3)
    return number


def fails(text: str = "on purpose") -> None:
    raise RuntimeError(text + "\nwith a second line")


class Unsendable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__("cannot be unpickled")


def fails_unsendably() -> None:
    raise Unsendable(1, 2)


def leaves() -> None:
    sys.exit(3)


def deadlocks() -> None:
    mpg.Chan[int]().recv()


def dies() -> None:
    """Takes its whole process down. Never in this one."""
    os._exit(9)


def mixed() -> None:
    """A bit of everything that a G can do."""
    rng = random.Random(1)
    ch = mpg.Chan[int](3)
    mutex, wg = mpg.sync.Mutex(), mpg.sync.WaitGroup()

    def worker() -> None:
        for _ in range(200):
            x = rng.random()
            if x < 0.3:
                mpg.gosched()
            elif x < 0.4:
                with mutex:
                    mpg.gosched()
            elif x < 0.45:
                mpg.sleep(1e-4 * x)
            elif x < 0.47:
                with mpg.blocking():
                    pass
            elif x < 0.49:
                mpg.to_thread(mpg.stall, 1e-4)
            elif x < 0.7:
                mpg.go(int)
            elif x < 0.85:
                ch.send(1)
            else:
                ch.recv()

    def pump() -> None:
        while True:
            mpg.select(mpg.send_case(ch, 1), mpg.recv_case(ch))
            mpg.sleep(1e-4)

    for _ in range(3):
        mpg.go(pump)
    for _ in range(10):
        wg.go(worker)
    wg.wait()
