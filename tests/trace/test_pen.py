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
from mpg.trace.events import STRINGS, pack_switch
from mpg.trace.flight import unpack
from mpg.trace.hotpen import IO_SWITCH, KIND_BITS, P_BITS, POLLED, WIDTH
from mpg.trace.pen import Pen


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


def test_a_record_of_several_events() -> None:
    here = 2 << KIND_BITS + P_BITS | 4 << KIND_BITS  # M 1 with P 3
    records = np.array(
        [
            [10, here | POLLED, 5, 6, 7, 8],
            [10, here | POLLED, 9, -1, -1, -1],
            [20, here | IO_SWITCH, 5, 6, 33, 4],
            [30, here | IO_SWITCH, 6, 7, 33, -1],
        ]
    )
    switch = pack_switch(0, STRINGS.index(st.IO_WAIT), 33, STRINGS.index("local"))
    assert np.array(unpack(records)).T.tolist() == [
        *([10, ev.GoUnblock, 3, 1, -1, g, STRINGS.index("netpoll")] for g in range(5, 10)),
        [20, ev.GoSwitch, 3, 1, 5, 6, switch],
        [20, ev.RunqLen, 3, 1, -1, 0, 4],
        [30, ev.GoSwitch, 3, 1, 6, 7, switch],
    ]


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
                longest[0] = max(longest[0], *(len(stream.rows) for stream in rec.streams))

        g = mpg.go(turns)
        turns()
        g.join()

    longest = [0]
    rec = Recorder()
    trace = record(kind, main, rec, procs=1)
    assert len(trace) > 10000
    assert 2 * rec.chunk < 10000 * WIDTH
    assert longest[0] <= rec.chunk + 61 * WIDTH
