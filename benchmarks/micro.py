"""CPU time of one scheduling operation, in a process of its own: `python -m benchmarks.micro BENCH CONTENDER N`.

Prints {"cpu": microseconds per operation}: the best of a few passes after a short one to warm up. Each contender
does the same work in the shape that is natural to it, on one thread.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

PASSES = 3
BATCH = 100  # how many are spawned before any of them gets to run
BUFFER = 100

cpu = time.process_time


@dataclass(frozen=True)
class Green:
    """The operations as mpg and gevent have them: in plain functions that block."""

    start: Callable[..., Any]
    pause: Callable[[], None]
    chan: Callable[[int], tuple[Callable[[int], object], Callable[[], int]]]  # its send and receive

    def switch(self, n: int) -> float:
        pause = self.pause

        def other() -> None:
            for _ in range(n // 2):
                pause()

        self.start(other)
        pause()
        start = cpu()
        for _ in range(n // 2):
            pause()
        return cpu() - start

    def spawn(self, n: int) -> float:
        go, pause = self.start, self.pause

        def empty() -> None:
            pass

        start = cpu()
        for _ in range(n // BATCH):
            for _ in range(BATCH):
                last = go(empty)
            pause()
        last.join()
        return cpu() - start

    def roundtrip(self, n: int) -> float:
        (ask, asked), (answer, answered) = self.chan(0), self.chan(0)

        def other() -> None:
            for _ in range(n):
                answer(asked())

        self.start(other)
        start = cpu()
        for i in range(n):
            ask(i)
            answered()
        return cpu() - start

    def buffered(self, n: int) -> float:
        put, get = self.chan(BUFFER)

        def producer() -> None:
            for i in range(n):
                put(i)

        self.start(producer)
        start = cpu()
        for _ in range(n):
            get()
        return cpu() - start


def run_mpg(bench: str, n: int) -> float:
    import mpg

    def chan(size: int) -> Any:
        made = mpg.Chan(size)
        return made.send, made.recv

    return mpg.run(getattr(Green(mpg.go, mpg.gosched, chan), bench), n, procs=1)


def run_gevent(bench: str, n: int) -> float:
    import gevent
    from gevent.queue import Channel, Queue

    def chan(size: int) -> Any:
        made = Queue(size) if size else Channel()
        return made.put, made.get

    return getattr(Green(gevent.spawn, gevent.sleep, chan), bench)(n)


class Asyncio:
    """The same in coroutines, on asyncio's own event loop."""

    @staticmethod
    def run(bench: str, n: int) -> float:
        return asyncio.run(getattr(Asyncio, bench)(n))

    @staticmethod
    async def switch(n: int) -> float:
        async def other() -> None:
            for _ in range(n // 2):
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        start = cpu()
        for _ in range(n // 2):
            await asyncio.sleep(0)
        took = cpu() - start
        await task
        return took

    @staticmethod
    async def spawn(n: int) -> float:
        async def empty() -> None:
            pass

        start = cpu()
        for _ in range(n // BATCH):
            tasks = [asyncio.create_task(empty()) for _ in range(BATCH)]  # a task must be referred to
            await asyncio.sleep(0)
        await tasks[-1]
        return cpu() - start

    @staticmethod
    async def roundtrip(n: int) -> float:
        there: asyncio.Queue[int] = asyncio.Queue(1)
        back: asyncio.Queue[int] = asyncio.Queue(1)

        async def other() -> None:
            for _ in range(n):
                await back.put(await there.get())

        task = asyncio.create_task(other())
        start = cpu()
        for i in range(n):
            await there.put(i)
            await back.get()
        took = cpu() - start
        await task
        return took

    @staticmethod
    async def buffered(n: int) -> float:
        queue: asyncio.Queue[int] = asyncio.Queue(BUFFER)

        async def producer() -> None:
            for i in range(n):
                await queue.put(i)

        task = asyncio.create_task(producer())
        start = cpu()
        for _ in range(n):
            await queue.get()
        took = cpu() - start
        await task
        return took


RUN: dict[str, Callable[[str, int], float]] = {"mpg": run_mpg, "gevent": run_gevent, "asyncio": Asyncio.run}


def main() -> None:
    bench, contender, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    one = partial(RUN[contender], bench)
    one(max(n // 10, BATCH))
    gc.collect()
    gc.freeze()
    print(json.dumps({"cpu": min(one(n) for _ in range(PASSES)) / n * 1e6}))


if __name__ == "__main__":
    main()
