"""CPU times: by hand, by the validator, and of two G's that share a GIL."""

from __future__ import annotations

import sys
import time

import pytest
from viz.conftest import SHARED

import mpg
from mpg.trace import InvalidTrace, Recorder, Trace, derive
from mpg.trace.lanes import RUNNING

MS = 1_000_000


def test_cpu_times() -> None:
    trace = Trace.from_text(SHARED)
    trace.validate()
    found = derive.cpu_times(trace)
    rows = [(int(row["m"]), *(int(row[name]) // MS for name in ("t0", "t1", "cpu", "held"))) for row in found]
    assert rows == [(0, 0, 10, 6, 10), (0, 10, 20, 5, 10), (1, 0, 10, 4, 8), (1, 10, 20, 1, 2)]
    assert [trace.names[i] for i in found["begin"]] == ["CpuTime", "CpuTime", "MStart", "CpuTime"]


def test_on_cpu() -> None:
    found = derive.on_cpu(Trace.from_text(SHARED))
    rows = sorted(tuple(row[name] / MS for name in ("t0", "cpu", "t1")) for row in found)
    assert rows == [(0, 6, 10), (2, 6, 10), (10, 11, 12), (10, 15, 20)]
    assert set(found["state"].tolist()) == {RUNNING}
    assert sorted(zip(found["p"].tolist(), found["m"].tolist(), found["g"].tolist(), strict=True)) == [
        (0, 0, 1),
        (0, 0, 1),
        (1, 1, 2),
        (1, 1, 2),
    ]


def test_without_cpu_times_nothing_is_known() -> None:
    trace = Trace.from_text("\n".join(line for line in SHARED.splitlines() if "CpuTime" not in line))
    assert len(derive.cpu_times(trace)) == len(derive.on_cpu(trace)) == 0


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("20ms -  M9 -  CpuTime M0 105ms", "goes back"),
        ("20ms -  M9 -  CpuTime M0 118ms", "more CPU than there was time"),
        ("20ms -  M9 -  CpuTime - 111ms", "of an M"),
    ],
)
def test_times_that_cannot_be(line: str, rule: str) -> None:
    with pytest.raises(InvalidTrace, match=rule):
        Trace.from_text(SHARED.replace("20ms -  M9 -  CpuTime M0 111ms", line)).validate()


def test_after_a_gap_it_begins_anew() -> None:
    gap = SHARED.replace(
        "20ms -  M9 -  CpuTime M0 111ms", "20ms -  M9 -  Dropped 9\n20ms -  M9 -  CpuTime M0 50ms"
    )
    trace = Trace.from_text(gap.split("20ms -  M9 -  CpuTime M1")[0])
    trace.validate()
    assert [int(row["t1"]) // MS for row in derive.cpu_times(trace)] == [10, 10]


def test_simulations_record_none() -> None:
    for like in ("go", "host", "host-gil"):
        trace = mpg.simulate(lambda: mpg.work(0.1), like=like).trace
        assert "CpuTime" not in trace.names


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no CPU clocks of threads here")
@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs a GIL")
def test_two_that_share_a_gil() -> None:
    """Both have a P all the time, and get a CPU for half of it."""

    def burn() -> None:
        end = time.thread_time() + 0.15
        while time.thread_time() < end:
            sum(range(1000))

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        wg.go(burn)
        wg.go(burn)
        wg.wait()

    rec = Recorder()
    mpg.run(main, procs=2, caps=mpg.port.HOST, trace=rec, stall_report=None)
    rec.trace.validate()
    found = derive.on_cpu(rec.trace)
    found = found[found["state"] == RUNNING]
    both = [found[found["g"] == g] for g in (2, 3)]
    begin, end = max(one["t0"].min() for one in both), min(one["t1"].max() for one in both)
    busy = [one[(one["t0"] >= begin) & (one["t1"] <= end)] for one in both]
    cpu = sum(int((one["cpu"] - one["t0"]).sum()) for one in busy)
    has_p = sum(int((one["t1"] - one["t0"]).sum()) for one in busy)
    assert has_p > 100 * MS
    assert 0.05 < cpu / has_p < 0.7  # other processes take their part
