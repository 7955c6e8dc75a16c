"""How pens pack what they record: several events in one record, lengths that are not told, full chunks."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import numpy as np
import pytest
from conformance.worlds import until
from recording import record
from sim.programs import mixed

import mpg
from mpg import status as st
from mpg.sched.pinned import PinnedM
from mpg.trace import Recorder
from mpg.trace import events as ev
from mpg.trace.events import ENDED, STRINGS
from mpg.trace.pen import Pen
from mpg.trace.stream import BATCH, KIND_BITS, P_BITS, POLLED, STAMPS, WIDTH
from mpg.trace.unfold import unfold, unpack


@pytest.mark.parametrize("procs", [1, 3])
@pytest.mark.parametrize("kind", ["go", "host", "host-gil"])
def test_lengths_that_are_not_told_have_not_changed(
    kind: str, procs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every start, the last RunqLen of its P is what is queued."""
    queued: list[tuple[int, int, int]] = []

    def look(mp: Any) -> None:
        started = len(mp.lq) + len(mp.gq) + (mp.next is not None)
        queued.append((mp.p.id, len(mp.p.ring) + len(mp.p.runnext), started))

    def looking(then: Any) -> Any:
        def wrapped(pen: Pen, mp: Any, *args: Any) -> None:
            then(pen, mp, *args)
            if mp not in leaving:
                look(mp)

        return wrapped

    def leave(mp: Any, gp: Any, lock: Any, reason: str) -> Any:
        leaving.append(mp)
        stack = then(mp, gp, lock, reason)
        leaving.remove(mp)
        if stack is not mp.g0:
            look(mp)
        return stack

    leaving: list[Any] = []
    then = PinnedM.leave
    monkeypatch.setattr(PinnedM, "leave", leave)
    for name in ("switch", "start"):
        monkeypatch.setattr(Pen, name, looking(getattr(Pen, name)))

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        ch = mpg.Chan[int]()
        wg.go(mixed)
        for i in range(5):

            def turns(n: int = i) -> None:
                for _ in range(20):
                    mpg.gosched()
                    mpg.work(1e-5 * n)
                ch.recv()

            wg.go(turns)
        for i in range(5):
            ch.send(i)
        wg.wait()

    trace = record(kind, main, Recorder(), procs)
    told: dict[int, tuple[int, int]] = {}
    found = []
    silent = 0
    names, p = trace.names, trace.p.tolist()
    for i, name in enumerate(names):
        if name == "RunqLen":
            told[p[i]] = int(trace.a[i]), int(trace.b[i])
        elif name == "GoStart":
            if names[i + 1] == "RunqLen" and trace.ts[i + 1] == trace.ts[i]:
                told[p[i]] = int(trace.a[i + 1]), int(trace.b[i + 1])
            else:
                silent += 1
            found.append((p[i], *told[p[i]]))
    assert found == queued
    assert silent > 100


NETPOLL, LOCAL, IO_WAIT = (STRINGS.index(word) for word in ("netpoll", "local", st.IO_WAIT))
HERE = 2 << KIND_BITS + P_BITS | 4 << KIND_BITS  # M 1 with P 3
#: Two look at the poller. The first batch, of G's 5 to 8, which wait for objects 35 to 38: 5 and 6 wait again, 6 logs
#: something before that, then 7 ends, and 8 waits. The second look finds G 9 alone.
ROWS = [
    *(10, HERE | BATCH, -1, 4, 8, -1),
    *(11, HERE | ev.GoStart, 5, LOCAL, -1, 3),
    *(0, STAMPS, -1, 9, -1, -1),
    *(25, HERE | ev.Log, 6, 0, -1, -1),
    *(0, STAMPS, -1, 10, -1, -1),
    *(40, HERE | ev.GoSwitch, 7, 8, ENDED | LOCAL << 2, 0),
    *(50, HERE | ev.GoBlock, 8, IO_WAIT, 38, -1),
    *(60, HERE | POLLED, -1, 1, 11, -1),
    *(61, HERE | ev.GoStart, 9, LOCAL, -1, 0),
]
LOOSE = [5, 6, 7, 8, 35, 36, 37, 38, 20, 30, 9]
EVENTS = [
    *([10, ev.GoUnblock, 3, 1, -1, g, NETPOLL] for g in range(5, 9)),
    [10, ev.NetpollReady, 3, 1, -1, 4, -1],
    [11, ev.GoStart, 3, 1, 5, LOCAL, -1],
    [11, ev.RunqLen, 3, 1, -1, 0, 3],
    [20, ev.GoBlock, 3, 1, 5, IO_WAIT, 35],
    [20, ev.GoStart, 3, 1, 6, LOCAL, -1],
    [20, ev.RunqLen, 3, 1, -1, 0, 2],
    [25, ev.Log, 3, 1, 6, 0, -1],
    [30, ev.GoBlock, 3, 1, 6, IO_WAIT, 36],
    [30, ev.GoStart, 3, 1, 7, LOCAL, -1],
    [30, ev.RunqLen, 3, 1, -1, 0, 1],
    [40, ev.GoEnd, 3, 1, 7, -1, -1],
    [40, ev.GoStart, 3, 1, 8, LOCAL, -1],
    [40, ev.RunqLen, 3, 1, -1, 0, 0],
    [50, ev.GoBlock, 3, 1, 8, IO_WAIT, 38],
    [60, ev.GoUnblock, 3, 1, -1, 9, NETPOLL],
    [60, ev.NetpollReady, 3, 1, -1, 1, -1],
    [61, ev.GoStart, 3, 1, 9, LOCAL, -1],
    [61, ev.RunqLen, 3, 1, -1, 0, 0],
]


def events_of(rows: list[int], loose: list[int]) -> list[list[int]]:
    return np.array(unpack(unfold(rows, loose))).T.tolist()  # type: ignore[no-any-return]


def test_records_of_several_events() -> None:
    assert events_of(ROWS, LOOSE) == EVENTS
    assert unfold(ROWS, LOOSE).shape == (WIDTH, len(ROWS) // WIDTH + len(LOOSE) - 4 - 2)


@pytest.mark.parametrize(("told", "n"), [(0, 0), (8, 7), (9, 11), (10, 18), (11, 22)])
def test_what_is_not_whole_yet_is_left_out(told: int, n: int) -> None:
    """While an M writes, its loose numbers are copied first, and the rows may tell of more of them."""
    assert events_of(ROWS, LOOSE[:told]) == EVENTS[:n]


@pytest.mark.parametrize(("rows", "told", "n"), [(2, 8, 7), (2, 9, 10), (4, 10, 14)])
def test_stamps_that_nothing_tells_of_yet(rows: int, told: int, n: int) -> None:
    assert events_of(ROWS[: rows * WIDTH], LOOSE[:told]) == EVENTS[:n]


@pytest.mark.parametrize("n", [1, 4, 5, 11])
def test_many_whose_io_is_ready_at_once(n: int) -> None:
    def main() -> None:
        with contextlib.ExitStack() as stack:
            pairs = [[stack.enter_context(end) for end in socket.socketpair()] for _ in range(n)]
            gs = [mpg.go(mpg.net.Conn(near).recv) for near, _ in pairs]
            until(lambda: all(g.waitreason == st.IO_WAIT for g in gs))
            ids.extend(g.id for g in gs)
            for _, far in pairs:
                far.send(b"x")
            for g in gs:
                g.join()

    ids: list[int] = []
    trace = record("run", main, Recorder(), procs=1)
    rows = list(zip(trace.names, trace.g.tolist(), trace.a.tolist(), trace.b.tolist(), strict=True))
    netpoll = STRINGS.index("netpoll")
    assert sorted(a for name, _, a, b in rows if name == "GoUnblock" and b == netpoll) == ids
    assert [a for name, _, a, _ in rows if name == "NetpollReady"] == [n]
    blocked = [(g, b) for name, g, a, b in rows if name == "GoBlock" and trace.string(a) == st.IO_WAIT]
    assert sorted(g for g, _ in blocked) == ids
    assert len({b for _, b in blocked}) == n  # each waits for an object of its own


@pytest.mark.parametrize("kind", ["go", "run"])
def test_what_only_yields_is_packed_too(kind: str) -> None:
    """A calm switch does not look whether its chunk is full; the 61st is not calm."""

    def main() -> None:
        def turns() -> None:
            for _ in range(5000):
                mpg.gosched()
                longest[0] = max(longest[0], *(len(s.rows) + WIDTH * len(s.loose) for s in rec.streams))

        g = mpg.go(turns)
        turns()
        g.join()

    longest = [0]
    rec = Recorder()
    trace = record(kind, main, rec, procs=1)
    assert len(trace) > 10000
    assert 2 * rec.chunk < 10000 * WIDTH
    assert longest[0] <= rec.chunk + 61 * WIDTH
