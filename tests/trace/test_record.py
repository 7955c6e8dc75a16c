"""The recorder: bounded, complete in itself, in both worlds; sites, regions, tasks; bad input."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformance.worlds import until
from sim.programs import mixed

import mpg
from mpg import status as st
from mpg.trace import Recorder, Trace, derive
from mpg.trace import events as ev
from mpg.trace.events import STRINGS, pack_switch
from mpg.trace.flight import unpack
from mpg.trace.hotpen import IO_SWITCH, KIND_BITS, P_BITS, POLLED, WIDTH
from mpg.trace.pen import Pen

KINDS = ("go", "host", "host-gil", "run")


def record(kind: str, main: Any, rec: Recorder, procs: int = 3) -> Trace:
    if kind == "run":
        mpg.run(main, procs=procs, trace=rec)
    else:
        mpg.simulate(main, procs=procs, seed=5, like=kind, trace=rec)
    rec.trace.validate()
    return rec.trace


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [1000, 2500])
def test_a_bounded_recording_is_complete_in_itself(kind: str, limit: int) -> None:
    trace = record(kind, mixed, Recorder(limit))
    assert trace.metadata["dropped"] > 0
    assert limit * 0.8 < len(trace) < limit * 2 + 1000  # a record may be two events
    first = trace.names.index("Dropped")
    assert (first, int(trace.a[first])) == (0, trace.metadata["dropped"])
    spans = derive.spans_g(trace)
    assert (spans["state"] == st.GRUNNING).any()
    assert (
        'GoName of=G1 name="mixed"' in trace.to_text()
    )  # the names of G's that were created long ago are still there


def test_what_is_dropped_is_counted_and_the_rest_is_the_same() -> None:
    whole = record("go", mixed, Recorder())
    part = record("go", mixed, Recorder(1000))
    assert whole.metadata["dropped"] == 0
    n = len(whole) - part.metadata["dropped"]
    for column in ("ts", "kind", "p", "m", "g", "a"):
        assert getattr(whole, column)[-n:].tolist() == getattr(part, column)[-n:].tolist()


def test_a_snapshot_while_it_runs() -> None:
    rec = Recorder()
    taken: list[Trace] = []

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        wg.go(mixed)
        for _ in range(5):
            mpg.gosched()
            taken.append(rec.snapshot())
        wg.wait()

    mpg.run(main, procs=4, trace=rec)
    for trace in taken:
        trace.validate()
    assert len(taken[0]) <= len(taken[-1]) < len(rec.trace)


@pytest.mark.parametrize("kind", KINDS)
def test_sites(kind: str) -> None:
    def main() -> None:
        ch = mpg.Chan[int]()
        mpg.go(ch.send, 1)
        ch.recv()

    trace = record(kind, main, Recorder(sites=True), procs=1)
    line = main.__code__.co_firstlineno
    found = [  # main is G 1, its child G 2
        (int(trace.a[i]), trace.string(int(trace.b[i])))
        for i, name in enumerate(trace.names)
        if name == "GoSite"
    ]
    assert (2, f"{__file__}:{line + 2}") in found  # created there
    assert (1, f"{__file__}:{line + 3}") in found  # main blocks there


def test_no_sites_unless_asked() -> None:
    assert "GoSite" not in record("go", mixed, Recorder()).names


@pytest.mark.parametrize("kind", KINDS)
def test_regions_tasks_and_log(kind: str) -> None:
    def child() -> None:
        mpg.trace.log("in the child")

    def main() -> None:
        with mpg.trace.task("order") as number:
            with mpg.trace.region("pack"):
                mpg.go(child).join()
        mpg.trace.log("outside")
        numbers.append(number)

    numbers: list[int] = []
    trace = record(kind, main, Recorder(), procs=1)
    told = [
        (name, trace.string(int(trace.a[i])), int(trace.b[i]))
        for i, name in enumerate(trace.names)
        if name in ("TaskBegin", "TaskEnd", "RegionBegin", "RegionEnd", "Log")
    ]
    assert numbers == [1]
    assert told == [
        ("TaskBegin", "order", 1),
        ("RegionBegin", "pack", -1),
        ("Log", "in the child", 1),
        ("RegionEnd", "pack", -1),
        ("TaskEnd", "order", 1),
        ("Log", "outside", -1),
    ]


def test_regions_without_a_recorder_do_nothing() -> None:
    with mpg.trace.task("a") as number, mpg.trace.region("b"):
        mpg.trace.log("c")
    assert number == -1
    for call in (mpg.trace.log, mpg.trace.region, mpg.trace.task):
        with pytest.raises(TypeError, match="str"), call(1):  # type: ignore[arg-type, union-attr]
            pass


def test_what_a_g_waits_for_has_a_number() -> None:
    def main() -> None:
        a, b = mpg.sync.Mutex(), mpg.sync.Mutex()
        ch = mpg.Chan[int]()
        for mutex in (a, b, a):
            mutex.lock()
            g = mpg.go(mutex.lock)
            mpg.gosched()
            mutex.unlock()
            g.join()
            mutex.unlock()
        mpg.go(ch.send, 1)
        ch.recv()

    trace = record("go", main, Recorder(), procs=1)
    waits = np.sort(derive.waits(trace), order="t0")
    objects = [
        int(row["object"])
        for row in waits
        if trace.string(int(row["reason"])) in (st.MUTEX_LOCK, st.CHAN_RECEIVE)
    ]
    assert len(objects) == 4
    assert objects[0] == objects[2] != objects[1]
    assert objects[3] not in objects[:3]
    assert min(objects) > 0


def test_a_run_that_fails_leaves_its_trace(tmp_path: Path) -> None:
    def raising() -> None:
        mpg.go(mpg.gosched)
        raise ZeroDivisionError

    def deadlock() -> None:
        mpg.Chan[int]().recv()

    for n, (main, error) in enumerate([(raising, ZeroDivisionError), (deadlock, mpg.DeadlockError)]):
        path = tmp_path / f"{n}.npz"
        with pytest.raises(error):
            mpg.run(main, procs=2, trace=path)
        trace = Trace.load(path)
        trace.validate()
        assert "GoCreate" in trace.names
        with pytest.raises(error) as caught:
            mpg.simulate(main, procs=2)
        caught.value.trace.validate()  # type: ignore[attr-defined]


def test_a_recorder_serves_one_run() -> None:
    rec = Recorder()
    with pytest.raises(RuntimeError, match="has not been used"):
        rec.snapshot()
    mpg.run(int, trace=rec)
    with pytest.raises(RuntimeError, match="one run"):
        mpg.run(int, trace=rec)


@pytest.mark.parametrize("limit", [0, 999, True, "many", None])
def test_a_bad_limit(limit: Any) -> None:
    with pytest.raises(ValueError, match="limit"):
        Recorder(limit)


def test_a_new_m_names_the_one_that_started_it() -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for _ in range(4):
            wg.go(mpg.work, 0.01)
        wg.wait()

    trace = record("go", main, Recorder())
    by = [int(a) for a, name in zip(trace.a, trace.names, strict=True) if name == "MStart"]
    assert by[0] == -1
    assert min(by[1:]) >= 0


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
            look(mp)

        return wrapped

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


@pytest.mark.parametrize("kind", ["host", "host-gil", "run"])
def test_a_call_on_a_spare_m(kind: str) -> None:
    """It is on an M of its own, from its begin to its end."""

    def main() -> None:
        for _ in range(3):
            mpg.to_thread(mpg.stall, 0.001)

    trace = record(kind, main, Recorder(), procs=1)
    names = np.array(trace.names)
    begun, ended = np.flatnonzero(names == "Offload"), np.flatnonzero(names == "OffloadEnd")
    assert len(begun) == len(ended) == 3
    spares = sorted(set(trace.m[begun].tolist()))
    assert trace.m[ended].tolist() == trace.m[begun].tolist()
    assert len(spares) == 1 or kind == "run"  # there one may not be back yet when the next call begins
    assert set(trace.g[begun].tolist()) == set(trace.g[ended].tolist()) == {1}
    assert set(trace.a[begun].tolist()) == {0}
    assert (trace.p[begun] == -1).all()
    assert not np.isin(spares, trace.m[names == "ProcStart"]).any()
    home = np.flatnonzero(names == "GoSyscallEndBlocked")
    assert (begun < ended).all()
    assert (ended < home).all()
    spans = derive.spans_m(trace)
    calls = spans[np.isin(spans["lane"], spares) & (spans["g"] == 1)]
    assert len(calls) == 3
    assert ((calls["t1"] - calls["t0"]) >= 1_000_000).all()


def test_a_call_that_nobody_waits_for_any_more() -> None:
    def main() -> None:
        mpg.go(mpg.to_thread, mpg.stall, 0.2)
        mpg.gosched()

    names = record("run", main, Recorder(), procs=1).names  # the end of a run waits for the thread
    assert names.count("Offload") == names.count("OffloadEnd") == 1
