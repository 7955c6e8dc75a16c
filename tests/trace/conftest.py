"""Two traces that the tests of exports share: a story with one of everything, and a busy simulation."""

import pytest

import mpg
from mpg.trace import Trace

STORY = """
world "host"
procs 2
50   -  M0 -  ProcsChange 2
50   -  M0 -  MStart
50   P0 M0 -  ProcStart
50   P0 M0 -  GoCreate G1 "main"
1060 P0 M0 G1 GoStart "runnext"
1060 P0 M0 -  RunqLen 0 0
1070 P0 M0 G1 GoCreate G2 "main.<locals>.reader"
1075 P0 M0 G1 GoCreate G30 "writer"
1080 -  M1 -  MStart M0
1081 -  M1 -  SpinStart
1082 P1 M1 -  ProcStart
1090 P1 M1 -  Steal P0 1
1090 P1 M1 -  StealBefore 2 "half"
1090 P0 M1 -  RunqLen 1 0
1091 P1 M1 -  SpinStop
1100 P1 M1 G2 GoStart "stolen"
1200 P0 M0 G1 GoBlock "chan receive" 7
1200 P0 M0 G30 GoStart "runnext"
1310 P1 M1 G2 GoUnblock G1 "ready"
1420 P0 M0 G30 GoStop "preempted"
1420 P0 M0 G1 GoStart "local"
1530 P0 M0 G1 GoSyscallBegin "blocking"
1640 -  M9 -  ProcSteal P0 M0
1642 -  M9 -  Handoff P0 M2
1643 -  M2 -  MStart M9
1645 P0 M2 -  ProcStart
1700 P0 M2 G30 GoStart "local"
1750 P1 M1 G2 GoEnd
1750 P1 M1 -  ProcStop
1800 P0 M2 G30 GoBlock "IO wait"
2050 P0 M2 -  ProcStop
"""


@pytest.fixture(scope="module")
def story():
    return Trace.from_text(STORY)


@pytest.fixture(scope="module")
def busy():
    """With steals, hand-offs and calls."""

    def main():
        done = mpg.Chan(0)

        def worker(i):
            for turn in range(20):
                mpg.work((i % 5 + 1) * 1e-5)
                if turn % 8 == i % 8:
                    with mpg.blocking():
                        mpg.stall(1e-3)
                mpg.gosched()
            done.send(i)

        for i in range(60):
            mpg.go(worker, i)
        for _ in range(60):
            done.recv()

    return mpg.simulate(main, procs=4, seed=1).trace


@pytest.fixture
def no_preemption(monkeypatch: pytest.MonkeyPatch) -> None:
    """A G that is stopped between two notes would run once more than it says."""
    monkeypatch.setattr("mpg.sched.schedt.SLICE_NS", 1 << 62)
    monkeypatch.setattr("mpg.sched.sysmon.SLICE_NS", 1 << 62)
