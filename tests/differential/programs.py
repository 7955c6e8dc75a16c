"""Random programs as data, for Go and mpg to run alike.

A program is a list of bodies; body 0 is main's. A body is a list of operations, an operation a tuple of ints that
begins with an `Op`. The same seed gives the same program.

What is kept out, because Go itself does not decide it, or decides it by the clock:

* two sleeps that end at the same time. Sleeps last 2, 4, 8 ... ms, each at most once in a program, so that no two
  sums are equal; all else takes no time by comparison. So a G waits for a mutex either for no time or for 2 ms and
  more, never near the 1 ms at which a mutex turns to its fair mode.
* a select with several ready cases. The generator cannot know; `interp.py` sees it, and then the program is not used.
* what is left of a WaitGroup after it has panicked. Only the panics of channels are ever recovered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

__all__ = ["Op", "Program", "encode", "generate"]


class Op(IntEnum):
    """Operations; what follows the number, and what is logged. `interp.go` has the same list."""

    GO = 0  # body, n: start so many G's
    SEND = 1  # channel, value
    RECV = 2  # channel -> value, ok
    TRY_SEND = 3  # channel, value -> whether it was sent
    TRY_RECV = 4  # channel -> value, 0 for not ready, 1 for closed, 2 for received
    SELECT = 5  # default, then up to three times: 1 to send, channel, value -> the case, 2 * value + ok
    CLOSE = 6  # channel
    RANGE = 7  # channel: receive until it is closed; each value is logged
    LOCK = 8  # mutex
    UNLOCK = 9
    TRY_LOCK = 10  # mutex, n: on failure skip the n next operations
    RLOCK = 11  # rwmutex
    RUNLOCK = 12
    WLOCK = 13
    WUNLOCK = 14
    ADD = 15  # group, n
    DONE = 16  # group
    WAIT = 17  # group
    COND_WAIT = 18  # condition, which is that of the mutex of the same number
    SIGNAL = 19
    BROADCAST = 20
    GOSCHED = 21  # n: so often
    SLEEP = 22  # milliseconds
    AFTER = 23  # milliseconds: receive from a timer's channel
    AFTER_FUNC = 24  # milliseconds, body
    SELECT_FOR = 25  # milliseconds, then as SELECT -> the case, -1 if the time is up
    PANIC = 26
    GOEXIT = 27


#: What takes time; its operand is how long, in milliseconds.
TIMED = frozenset((Op.SLEEP, Op.AFTER, Op.AFTER_FUNC, Op.SELECT_FOR))


Body = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Program:
    """What to run, and from which phase on.

    Attributes:
        phase: P.schedtick modulo 61 when main begins.
        recovers: a G survives what its sends and closes raise.
        chans: the capacities of the channels.
        mutexes, rws, groups: how many there are of each.
    """

    phase: int
    chans: tuple[int, ...]
    mutexes: int
    rws: int
    groups: int
    bodies: tuple[Body, ...]
    recovers: bool = False

    @property
    def sleeps(self) -> bool:
        """True if time matters."""
        return any(op[0] in TIMED for body in self.bodies for op in body)

    def __str__(self) -> str:
        """The program as text, for the report of a difference."""
        lines = [
            f"phase {self.phase}, chans {self.chans}, {self.mutexes} mutexes, {self.rws} rwmutexes, "
            f"{self.groups} groups{', recovers' if self.recovers else ''}"
        ]
        for b, body in enumerate(self.bodies):
            lines.append(f"body {b}:")
            lines += [f"  {pc:3} {Op(op[0]).name} {' '.join(map(str, op[1:]))}" for pc, op in enumerate(body)]
        return "\n".join(lines)


def encode(programs: list[Program]) -> str:
    """The text that `interp.go` reads."""

    def numbers(p: Program) -> Iterator[int]:
        yield from (p.phase, p.recovers, len(p.chans), *p.chans, p.mutexes, p.rws, p.groups, len(p.bodies))
        for body in p.bodies:
            yield len(body)
            for op in body:
                yield from (len(op), *op)

    lines = [str(len(programs))]
    lines += [" ".join(str(int(n)) for n in numbers(p)) for p in programs]
    return "\n".join(lines)


#: How likely each kind of interaction is, by the flavour of the program.
FLAVOURS: dict[str, dict[str, int]] = {
    "channels": {"exchange": 6, "stream": 3, "attempt": 2, "choose": 2, "pause": 2, "swarm": 1},
    "locks": {"hold": 8, "try_hold": 2, "share": 4, "monitor": 3, "pause": 3, "swarm": 1},
    "groups": {"gather": 6, "exchange": 2, "hold": 2, "pause": 2, "swarm": 2},
    "crowds": {"swarm": 6, "gather": 2, "exchange": 2, "pause": 3, "hold": 1},
    "time": {
        "sleep": 5,
        "exchange": 4,
        "hold": 4,
        "monitor": 2,
        "share": 2,
        "gather": 2,
        "choose": 1,
        "pause": 1,
    },
    "all": {
        "exchange": 4,
        "stream": 2,
        "attempt": 1,
        "choose": 1,
        "hold": 3,
        "try_hold": 1,
        "share": 2,
        "monitor": 2,
        "gather": 2,
        "swarm": 1,
        "pause": 2,
        "sleep": 1,
    },
}

SLEEPS = (2, 4, 8, 16)
MOST_GS = 900
BEGINNING, LATER, END = -2.0, 0.1, 2.0  # places: interactions lie between 0 and 1


@dataclass
class Draft:
    """A program that grows.

    A body is a list of blocks of operations, each with the place where it belongs. What an interaction adds to several
    bodies belongs to about the same place in all of them, or those who wait for each other would rarely meet; how
    much about, differs from program to program.
    """

    rng: Random
    disorder: float
    place: float = 0.0  # of the present interaction
    chans: list[int] = field(default_factory=list)
    mutexes: int = 0
    rws: int = 0
    groups: int = 0
    bodies: list[list[tuple[float, list[tuple[int, ...]]]]] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)  # how many G's run each body
    sleeps: list[int] = field(default_factory=lambda: list(SLEEPS))  # not yet used
    prologue: list[tuple[int, ...]] = field(default_factory=list)  # what main does first
    swarms: list[tuple[list[tuple[int, ...]], int]] = field(default_factory=list)  # bodies, and how many G's

    def body(self) -> int:
        """Any body but those of swarms."""
        return self.rng.randrange(len(self.copies))

    def single(self) -> int:
        """A body that one G runs."""
        return self.rng.choice([b for b, n in enumerate(self.copies) if n == 1])

    def put(self, body: int, *ops: tuple[int, ...], after: float = 0.0) -> None:
        place = self.place + after + self.rng.uniform(-self.disorder, self.disorder)
        self.bodies[body].append((place, list(ops)))

    def chan(self) -> int:
        """One of the channels, or a new one."""
        rng = self.rng
        if not self.chans or rng.random() < 0.6:
            self.chans.append(rng.choice((0, 0, 0, 1, 2, 3, 8)))
            return len(self.chans) - 1
        return rng.randrange(len(self.chans))

    def mutex(self) -> int:
        self.mutexes = max(self.mutexes, 1)
        if self.mutexes < 3 and self.rng.random() < 0.2:
            self.mutexes += 1
        return self.rng.randrange(self.mutexes)

    def rw(self) -> int:
        self.rws = max(self.rws, 1)
        return self.rng.randrange(self.rws)

    def value(self) -> int:
        return self.rng.randrange(100)

    def inside(self, lock: tuple[int, ...], unlock: tuple[int, ...], body: int) -> None:
        """A critical section around nothing, a yield, a sleep, an operation, or what the body does anyway."""
        rng = self.rng
        what = rng.choice(("nothing", "pause", "pause", "wrap", "wrap", "sleep"))
        if what == "wrap" and self.bodies[body]:
            index = rng.randrange(len(self.bodies[body]))
            place, block = self.bodies[body][index]
            self.bodies[body][index] = (place, [lock, *block, unlock])
        elif what == "sleep" and self.copies[body] == 1 and self.sleeps and rng.random() < 0.4:
            self.put(body, lock, (Op.SLEEP, self.nap()), unlock)
        elif what == "nothing":
            self.put(body, lock, unlock)
        else:
            self.put(body, lock, (Op.GOSCHED, rng.randint(1, 3)), unlock)

    def nap(self) -> int:
        return self.sleeps.pop(self.rng.randrange(len(self.sleeps)))

    # Interactions. Each adds operations to a few bodies.

    def exchange(self) -> None:
        """One sends to another, now and then too much or too little."""
        rng, ch, n = self.rng, self.chan(), self.rng.randint(1, 4)
        src, dst = rng.sample(range(len(self.copies)), 2)
        sent = n * self.copies[src]
        got = sent if rng.random() < 0.9 else sent + rng.choice((-1, 1))
        for _ in range(n):
            self.put(src, (Op.SEND, ch, self.value()))
        share, rest = divmod(got, self.copies[dst])
        if rng.random() < 0.5:
            self.put(dst, *[(Op.RECV, ch)] * share)
        else:
            for _ in range(share):
                self.put(dst, (Op.RECV, ch))
        self.put(self.single(), *[(Op.RECV, ch)] * rest)

    def stream(self) -> None:
        """One sends and closes, others receive until the end."""
        ch, src = self.chan(), self.single()
        for dst in sorted({self.body() for _ in range(self.rng.randint(1, 3))} - {src}):
            self.put(dst, (Op.RANGE, ch))
        self.put(src, *[(Op.SEND, ch, self.value()) for _ in range(self.rng.randint(0, 5))], (Op.CLOSE, ch))

    def attempt(self) -> None:
        op: tuple[int, ...] = (Op.TRY_RECV, self.chan())
        if self.rng.random() < 0.5:
            op = (Op.TRY_SEND, op[1], self.value())
        self.put(self.body(), op)

    def choose(self) -> None:
        """A select over two or three channels, and somebody who makes one of them ready."""
        rng = self.rng
        chans = list(dict.fromkeys(self.chan() for _ in range(rng.randint(3, 5))))[:3]
        if len(chans) < 2:
            return
        sends = [int(rng.random() < 0.4) for _ in chans]
        cases = [n for ch, send in zip(chans, sends, strict=True) for n in (send, ch, self.value() * send)]
        if self.sleeps and rng.random() < 0.3:
            self.put(self.single(), (Op.SELECT_FOR, self.nap(), *cases))
        else:
            self.put(self.single(), (Op.SELECT, int(rng.random() < 0.2), *cases))
        one = rng.randrange(len(chans))
        self.put(self.single(), (Op.RECV, chans[one]) if sends[one] else (Op.SEND, chans[one], self.value()))

    def hold(self) -> None:
        m = self.mutex()
        for _ in range(self.rng.randint(1, 3)):
            self.inside((Op.LOCK, m), (Op.UNLOCK, m), self.body())

    def try_hold(self) -> None:
        m = self.mutex()
        self.put(self.body(), (Op.TRY_LOCK, m, 2), (Op.GOSCHED, 1), (Op.UNLOCK, m))

    def share(self) -> None:
        rw = self.rw()
        for _ in range(self.rng.randint(1, 4)):
            if self.rng.random() < 0.6:
                self.inside((Op.RLOCK, rw), (Op.RUNLOCK, rw), self.body())
            else:
                self.inside((Op.WLOCK, rw), (Op.WUNLOCK, rw), self.body())

    def monitor(self) -> None:
        """Some wait for a condition, others signal it, with the lock and without."""
        rng, c = self.rng, self.mutex()
        last = rng.randrange(len(self.copies))
        for _ in range(rng.randint(1, 3)):
            body = self.body()
            if body != last:
                self.put(body, (Op.LOCK, c), (Op.COND_WAIT, c), (Op.UNLOCK, c))
        for body in (self.body(), last, last):
            wake = (rng.choice((Op.SIGNAL, Op.BROADCAST)) if body != last else Op.BROADCAST, c)
            if rng.random() < 0.5:
                self.put(body, (Op.GOSCHED, 4), wake, after=LATER)
            else:
                self.put(body, (Op.LOCK, c), wake, (Op.UNLOCK, c), after=LATER)

    def gather(self) -> None:
        """One adds, several are done, somebody waits."""
        rng, group = self.rng, self.groups
        self.groups += 1
        members = [self.body() for _ in range(rng.randint(1, 4))]
        self.prologue.append((Op.ADD, group, sum(self.copies[b] for b in members)))
        for b in members:
            self.put(b, (Op.DONE, group))
        for _ in range(rng.randint(1, 3)):
            self.put(self.body(), (Op.WAIT, group), after=LATER)

    def swarm(self) -> None:
        """Many G's of one small body; enough of them, and the local queue overflows."""
        rng = self.rng
        room = MOST_GS - sum(self.copies) - sum(n for _, n in self.swarms)
        n = min(rng.choice((3, 10, 60, 130, 260, 300, 500)), room)
        if n < 2:
            return
        ops: list[tuple[int, ...]] = [(Op.GOSCHED, rng.randint(1, 2))] if rng.random() < 0.5 else []
        if rng.random() < 0.3:
            m = self.mutex()
            ops += [(Op.LOCK, m), *([(Op.GOSCHED, 1)] if rng.random() < 0.3 else []), (Op.UNLOCK, m)]
        if rng.random() < 0.3:
            ch = self.chan()
            ops.append((Op.SEND, ch, self.value()))
            self.put(self.single(), *[(Op.RECV, ch)] * n)
        self.swarms.append((ops, n))
        self.put(self.single(), (Op.GO, -len(self.swarms), n))

    def pause(self) -> None:
        self.put(self.body(), (Op.GOSCHED, self.rng.choice((1, 1, 2, 3, 7, 70))))

    def sleep(self) -> None:
        if not self.sleeps:
            return
        if self.rng.random() < 0.8:
            self.put(self.single(), (self.rng.choice((Op.SLEEP, Op.SLEEP, Op.AFTER)), self.nap()))
        else:
            self.swarms.append(([(Op.GOSCHED, 1)], 1))
            self.put(self.single(), (Op.AFTER_FUNC, self.nap(), -len(self.swarms)))

    # What a program should not do.

    def spoil(self) -> None:
        """One operation that is wrong, or at least ends something."""
        rng = self.rng
        options: list[tuple[int, ...]] = [(Op.PANIC,), (Op.GOEXIT,), (Op.GOEXIT,)]
        if self.chans:
            options += [(Op.CLOSE, self.chan()), (Op.CLOSE, self.chan()), (Op.RECV, self.chan())]
        if self.mutexes:
            options += [(Op.UNLOCK, self.mutex()), (Op.LOCK, self.mutex())]
        if self.rws:
            options += [(Op.RUNLOCK, self.rw()), (Op.WUNLOCK, self.rw()), (Op.WLOCK, self.rw())]
        if self.groups:
            options += [(Op.DONE, rng.randrange(self.groups)), (Op.WAIT, rng.randrange(self.groups))]
        self.put(self.body(), rng.choice(options))


def generate(seed: int) -> Program:
    """The program of a seed."""
    rng = Random(f"differential {seed}")
    weights = FLAVOURS[rng.choice(list(FLAVOURS))]
    draft = Draft(rng, disorder=rng.choice((0.0, 0.02, 0.1, 0.5)))
    n = rng.randint(2, 8)
    parents = [0]
    for b in range(n):
        draft.bodies.append([])
        draft.copies.append(rng.choice((1, 1, 1, 1, 2, 3, 5)) if b else 1)
        parents.append(draft.single())
    for kind in rng.choices(list(weights), list(weights.values()), k=rng.randint(2, 12)):
        draft.place = rng.random()
        getattr(draft, kind)()
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        draft.place = rng.random()
        draft.spoil()
    joined = rng.random() < 0.75
    at_once = rng.random() < 0.6
    everybody, bodies = draft.groups, draft.bodies
    for b in range(n - 1, 0, -1):
        block: list[tuple[int, ...]] = [(Op.GO, b, draft.copies[b])]
        if joined:
            block.insert(0, (Op.ADD, everybody, draft.copies[b]))
            bodies[b].append((END, [(Op.DONE, everybody)]))
        bodies[parents[b]].append((BEGINNING if at_once else rng.random() / 2, block))
    if joined:
        draft.groups += 1
        bodies[0].append((END, [(Op.WAIT, everybody)]))
        for ops, size in draft.swarms:
            ops.append((Op.DONE, everybody))
            draft.prologue.append((Op.ADD, everybody, size))
    bodies[0].append((BEGINNING - 1, draft.prologue))

    def numbered(op: tuple[int, ...]) -> tuple[int, ...]:
        """The bodies of swarms come behind the others; until now they were numbered -1, -2 ..."""
        if op[0] == Op.GO and op[1] < 0:
            return (op[0], n - 1 - op[1], op[2])
        if op[0] == Op.AFTER_FUNC:
            return (op[0], op[1], n - 1 - op[2])
        return op

    def flat(blocks: list[tuple[float, list[tuple[int, ...]]]]) -> Body:
        blocks = sorted(blocks, key=lambda block: block[0])
        return tuple(numbered(op) for _, ops in blocks for op in ops)

    return Program(
        phase=rng.randrange(61),
        chans=tuple(draft.chans),
        mutexes=draft.mutexes,
        rws=draft.rws,
        groups=draft.groups,
        bodies=(*map(flat, bodies), *(tuple(ops) for ops, _ in draft.swarms)),
        recovers=rng.random() < 0.25,
    )
