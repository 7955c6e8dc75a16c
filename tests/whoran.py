"""G's that note who runs after whom, and what a trace says of that: for what pens write down as times alone."""

from __future__ import annotations

from itertools import groupby
from marshal import loads
from random import Random

import mpg
from mpg.trace import Recorder, Trace
from mpg.trace import events as ev
from mpg.trace.stream import BATCH, KIND_BITS, POLLED, ROTATION, WIDTH


def stamps(rec: Recorder) -> int:
    """How many waits were written down as times alone."""
    n = 0
    for stream in rec.streams:
        for rows, loose in [*((loads(c.rows), c.loose) for c in stream.chunks), (stream.rows, stream.loose)]:
            n += len(loose)
            for at in range(0, len(rows), WIDTH):
                kind = rows[at + 1] & (1 << KIND_BITS) - 1
                n -= {BATCH: 2, POLLED: 1, ROTATION: 1}.get(kind, 0) * rows[at + 3]
    return n


def told(values: list[int]) -> list[int]:
    """Without what is the same as before."""
    return [value for value, _ in groupby(values)]


def starts(trace: Trace) -> list[int]:
    return trace.g[trace.kind == ev.GoStart].tolist()  # type: ignore[no-any-return]


class Yielders:
    """G's that take turns, some of which do something else now and then."""

    def __init__(self, seed: int, others: tuple[str, ...]) -> None:
        self.random = Random(seed)
        self.others = others
        self.ran: list[int] = []

    def run(self, rec: Recorder, procs: int = 1) -> Trace:
        mpg.run(self.main, procs=procs, trace=rec)
        rec.trace.validate()
        return rec.trace

    def note(self) -> None:
        self.ran.append(mpg.current_g().id)  # type: ignore[union-attr]

    def main(self) -> None:
        self.ch = mpg.Chan[int](1)
        self.wg = mpg.sync.WaitGroup()
        for n in self.random.sample(range(150, 400), self.random.randint(2, 6)):
            self.wg.go(self.turns, n)
        self.wg.wait()

    def turns(self, n: int) -> None:
        for _ in range(n):
            self.note()
            mpg.gosched()
            self.note()
            if self.others and self.random.random() < 0.02:
                self.other(self.random.choice(self.others))

    def other(self, act: str) -> None:
        if act == "go":
            self.wg.go(self.note)
        elif act == "chan":
            mpg.select(mpg.recv_case(self.ch), mpg.send_case(self.ch, 1))
        elif act == "sleep":
            mpg.sleep(1e-6)
        elif act == "log":
            mpg.trace.log("here")
        elif act == "to_thread":
            mpg.to_thread(int)
