"""Runs a program of `programs.py` with mpg and logs what `interp.go` logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from differential.programs import Op, Program

import mpg
from mpg import sync
from mpg.current import tls

__all__ = ["Machine", "Record"]

#: The G, in the order of their creation; which operation of its body, -1 for its beginning; what came of it.
Record = tuple[int, int, int, int]


class Boom(Exception):
    """What `Op.PANIC` raises."""


class Log(list[Record]):
    """Ends with the run, where Go stops; mpg then unwinds, and a G that was woken before may do one thing more."""

    def append(self, record: Record) -> None:
        if not tls.m.sched.stopping:
            super().append(record)


@dataclass
class Machine:
    """One run of a program: `main` is what to hand to mpg.run or mpg.simulate; `log` grows meanwhile."""

    program: Program
    yields: int = 0  # so many Gosched's come first, to begin in another phase
    log: list[Record] = field(default_factory=Log)
    gs: int = 0
    ambiguous: bool = False  # a select found several cases ready
    chans: list[mpg.Chan[int]] = field(default_factory=list)

    def main(self) -> None:
        p = self.program
        self.chans = [mpg.Chan(cap) for cap in p.chans]
        self.mutexes = [sync.Mutex() for _ in range(p.mutexes)]
        self.conds = [sync.Cond(m) for m in self.mutexes]
        self.rws = [sync.RWMutex() for _ in range(p.rws)]
        self.groups = [sync.WaitGroup() for _ in range(p.groups)]
        for _ in range(self.yields):
            mpg.gosched()
        self.begin(0, 0)

    def begin(self, g: int, body: int) -> None:
        note = self.log.append
        note((g, -1, 0, 0))
        ops = self.program.bodies[body]
        pc = 0
        while pc < len(ops):
            op = ops[pc]
            try:
                x, y, skip = STEPS[op[0]](self, g, pc, *op[1:])
            except mpg.ChanPanic:
                if not self.program.recovers:
                    raise
                x, y, skip = -9, 0, 0
            note((g, pc, x, y))
            pc += 1 + skip
        note((g, len(ops), 0, 0))

    def go(self, g: int, pc: int, body: int, n: int) -> tuple[int, int, int]:
        for _ in range(n):
            self.gs += 1
            mpg.go(self.begin, self.gs, body)
        return self.gs, 0, 0

    def recv(self, g: int, pc: int, ch: int) -> tuple[int, int, int]:
        value, ok = self.chans[ch].recv_ok()
        return value or 0, int(ok), 0

    def try_recv(self, g: int, pc: int, ch: int) -> tuple[int, int, int]:
        found = self.chans[ch].try_recv()
        return found.value or 0, 0 if found.index else 1 + found.ok, 0

    def select(self, g: int, pc: int, default: int, *cases: int) -> tuple[int, int, int]:
        return self.choose(cases, default=bool(default))

    def select_for(self, g: int, pc: int, ms: int, *cases: int) -> tuple[int, int, int]:
        return self.choose(cases, timeout=ms / 1000)

    def choose(
        self, cases: tuple[int, ...], *, default: bool = False, timeout: float | None = None
    ) -> tuple[int, int, int]:
        chans = [(self.chans[cases[i + 1]], cases[i] == 1) for i in range(0, len(cases), 3)]
        self.ambiguous = self.ambiguous or sum(is_ready(ch, send) for ch, send in chans) > 1
        found = mpg.select(
            *(
                mpg.send_case(ch, cases[3 * i + 2]) if send else mpg.recv_case(ch)
                for i, (ch, send) in enumerate(chans)
            ),
            default=default,
            timeout=timeout,
        )
        if found.index < 0 or chans[found.index][1]:
            return found.index, 0, 0
        return found.index, 2 * (found.value or 0) + found.ok, 0

    def range(self, g: int, pc: int, ch: int) -> tuple[int, int, int]:
        for value in self.chans[ch]:
            self.log.append((g, pc, value, 1))
        return 0, 0, 0

    def try_lock(self, g: int, pc: int, m: int, n: int) -> tuple[int, int, int]:
        return (1, 0, 0) if self.mutexes[m].try_lock() else (0, 0, n)

    def gosched(self, g: int, pc: int, n: int) -> tuple[int, int, int]:
        for left in range(n, 1, -1):
            mpg.gosched()
            self.log.append((g, pc, left, 0))
        mpg.gosched()
        return 0, 0, 0

    def after_func(self, g: int, pc: int, ms: int, body: int) -> tuple[int, int, int]:
        self.gs += 1
        mpg.after_func(ms / 1000, self.begin, self.gs, body)
        return self.gs, 0, 0

    def panic(self, g: int, pc: int) -> tuple[int, int, int]:
        raise Boom("boom")

    def goexit(self, g: int, pc: int) -> tuple[int, int, int]:
        self.log.append((g, pc, 0, 0))
        mpg.goexit()
        raise AssertionError


def is_ready(ch: mpg.Chan[int], send: bool) -> bool:
    """Whether an operation on a channel would not wait."""
    if send:
        return ch.closed or ch.recvq.first is not None or len(ch.buf) < ch.cap
    return bool(ch.buf) or ch.sendq.first is not None or ch.closed


def plain(call: Callable[..., object]) -> Callable[..., tuple[int, int, int]]:
    """An operation whose only result is that it is done."""

    def step(self: Machine, g: int, pc: int, *args: int) -> tuple[int, int, int]:
        call(self, *args)
        return 0, 0, 0

    return step


STEPS: dict[int, Callable[..., tuple[int, int, int]]] = {
    Op.GO: Machine.go,
    Op.SEND: plain(lambda self, ch, value: self.chans[ch].send(value)),
    Op.RECV: Machine.recv,
    Op.TRY_SEND: lambda self, g, pc, ch, value: (int(self.chans[ch].try_send(value)), 0, 0),
    Op.TRY_RECV: Machine.try_recv,
    Op.SELECT: Machine.select,
    Op.CLOSE: plain(lambda self, ch: self.chans[ch].close()),
    Op.RANGE: Machine.range,
    Op.LOCK: plain(lambda self, m: self.mutexes[m].lock()),
    Op.UNLOCK: plain(lambda self, m: self.mutexes[m].unlock()),
    Op.TRY_LOCK: Machine.try_lock,
    Op.RLOCK: plain(lambda self, rw: self.rws[rw].rlock()),
    Op.RUNLOCK: plain(lambda self, rw: self.rws[rw].runlock()),
    Op.WLOCK: plain(lambda self, rw: self.rws[rw].lock()),
    Op.WUNLOCK: plain(lambda self, rw: self.rws[rw].unlock()),
    Op.ADD: plain(lambda self, group, n: self.groups[group].add(n)),
    Op.DONE: plain(lambda self, group: self.groups[group].done()),
    Op.WAIT: plain(lambda self, group: self.groups[group].wait()),
    Op.COND_WAIT: plain(lambda self, c: self.conds[c].wait()),
    Op.SIGNAL: plain(lambda self, c: self.conds[c].signal()),
    Op.BROADCAST: plain(lambda self, c: self.conds[c].broadcast()),
    Op.GOSCHED: Machine.gosched,
    Op.SLEEP: plain(lambda self, ms: mpg.sleep(ms / 1000)),
    Op.AFTER: plain(lambda self, ms: mpg.after(ms / 1000).recv()),
    Op.SELECT_FOR: Machine.select_for,
    Op.AFTER_FUNC: Machine.after_func,
    Op.PANIC: Machine.panic,
    Op.GOEXIT: Machine.goexit,
}
