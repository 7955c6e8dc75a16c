"""The recorder: what it records in both worlds; sites, regions, tasks; bad input."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recording import KINDS, record
from sim.programs import mixed

import mpg
from mpg import status as st
from mpg.current import tls
from mpg.trace import Recorder, Trace, derive
from mpg.trace.pen import Pen


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


def test_a_snapshot_while_a_p_is_being_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lost it has gone on, and written that; who took it has not written anything yet."""
    shots: list[Trace] = []

    def taken(pen: Pen, mp: Any, pp: Any, when: int) -> None:
        if when and not shots:
            lost.set()
            wait_for(lambda: len(mp.rec.rows) > written[0])
            shots.append(rec.snapshot())
        write(pen, mp, pp, when)

    def main() -> None:
        mpg.go(int)  # somebody wants the P
        with mpg.blocking():
            written.append(len(tls.m.rec.rows))
            assert lost.wait(30)

    lost = threading.Event()
    written: list[int] = []
    rec = Recorder()
    write = Pen.taken
    monkeypatch.setattr(Pen, "taken", taken)
    mpg.run(main, procs=1, trace=rec)
    shots[0].validate()
    assert not {"ProcSteal", "GoSyscallEndBlocked"} & set(shots[0].names)
    rec.trace.validate()
    assert {"ProcSteal", "GoSyscallEndBlocked"} <= set(rec.trace.names)


def wait_for(condition: Callable[[], object]) -> None:
    """On an ordinary thread, or sysmon's."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end


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
