"""What derive.py works out, against traces short enough to work out by hand."""

import pytest

from mpg import status as st
from mpg.trace import Trace, derive
from mpg.trace.derive import CAUSES, MSTATES, PSTATES, idle_while_overloaded

STORY = """
world "host"
procs 2
0   -  M0 -  ProcsChange 2
0   -  M0 -  MStart
0   P0 M0 -  ProcStart
0   P0 M0 -  GoCreate G1 "main"
10  P0 M0 G1 GoStart "runnext"
20  P0 M0 G1 GoCreate G2 "a"
20  P0 M0 G1 RunqLen 1 0
25  P0 M0 G1 GoCreate G3 "b"
25  P0 M0 G1 RunqLen 2 0
30  -  M1 -  MStart M0
31  -  M1 -  SpinStart
32  P1 M1 -  ProcStart
40  P1 M1 -  Steal P0 1
40  P1 M1 -  StealBefore 1 "half"
40  P0 M1 -  RunqLen 1 0
41  P1 M1 -  SpinStop
42  P1 M1 G2 GoStart "stolen"
50  P0 M0 G1 GoBlock "chan receive" 7
50  P0 M0 G3 GoStart "runnext"
50  P0 M0 G3 RunqLen 0 0
60  P1 M1 G2 GoUnblock G1 "ready"
70  P0 M0 G3 GoStop "preempted"
70  P0 M0 G1 GoStart "local"
80  P0 M0 G1 GoSyscallBegin "blocking"
90  -  M9 -  ProcSteal P0 M0
92  -  M9 -  Handoff P0 M2
93  -  M2 -  MStart M9
95  P0 M2 -  ProcStart
97  P0 M2 G3 GoStart "local"
98  -  M0 G1 GoSyscallEndBlocked
98  -  M0 -  MPark
99  P1 M1 G2 GoEnd
99  P1 M1 -  ProcStop
99  -  M1 -  MPark
100 P0 M2 G3 GoBlock "sleep"
"""


@pytest.fixture(scope="module")
def trace():
    trace = Trace.from_text(STORY)
    trace.validate()
    return trace


def spans(rows, lane, names):
    own = rows[rows["lane"] == lane]
    return [(int(row["t0"]), int(row["t1"]), names[int(row["state"])]) for row in own]


def test_spans_of_g(trace):
    rows = derive.spans_g(trace)
    assert spans(rows, 1, st.GSTATUS) == [
        (0, 10, "runnable"),
        (10, 50, "running"),
        (50, 60, "waiting"),
        (60, 70, "runnable"),
        (70, 80, "running"),
        (80, 98, "syscall"),
        (98, 100, "runnable"),
    ]
    assert rows[rows["lane"] == 1]["end"].tolist()[-1] == -1
    assert spans(rows, 2, st.GSTATUS) == [(20, 42, "runnable"), (42, 99, "running")]
    running = rows[(rows["lane"] == 3) & (rows["state"] == st.GRUNNING)]
    assert (running["p"].tolist(), running["m"].tolist()) == ([0, 0], [0, 2])


def test_spans_of_p(trace):
    rows = derive.spans_p(trace)
    assert spans(rows, 0, PSTATES) == [
        (0, 10, "held"),
        (10, 50, "running"),
        (50, 70, "running"),
        (70, 80, "running"),
        (80, 90, "syscall"),
        (90, 95, "idle"),
        (95, 97, "held"),
        (97, 100, "running"),
    ]
    assert rows[rows["lane"] == 0]["g"].tolist() == [-1, 1, 3, 1, 1, -1, -1, 3]
    assert spans(rows, 1, PSTATES) == [
        (32, 41, "spinning"),
        (41, 42, "held"),
        (42, 99, "running"),
        (99, 100, "idle"),
    ]


def test_spans_of_m(trace):
    rows = derive.spans_m(trace)
    assert spans(rows, 0, MSTATES) == [
        (0, 10, "awake"),
        (10, 50, "running"),
        (50, 70, "running"),
        (70, 80, "running"),
        (80, 98, "syscall"),
        (98, 100, "parked"),
    ]
    assert spans(rows, 1, MSTATES)[:3] == [(30, 31, "awake"), (31, 41, "spinning"), (41, 42, "awake")]
    assert spans(rows, 9, MSTATES) == []


def test_running_time_is_the_same_from_both_sides(trace):
    g, p, m = derive.spans_g(trace), derive.spans_p(trace), derive.spans_m(trace)
    of_g = (g["t1"] - g["t0"])[g["state"] == st.GRUNNING].sum()
    for rows in (p, m):
        assert (rows["t1"] - rows["t0"])[rows["state"] == derive.RUNNING].sum() == of_g


def test_waits(trace):
    rows = derive.waits(trace)
    names = "g t0 t1 object waker"
    assert rows[names.split()].tolist() == [(1, 50, 60, 7, 2), (3, 100, 100, -1, -1)]
    assert [trace.string(row) for row in rows["reason"].tolist()] == ["chan receive", "sleep"]
    assert [trace.string(row) for row in rows["how"].tolist()] == ["ready", ""]
    assert rows["end"].tolist()[1] == -1


def test_queue_lengths(trace):
    assert derive.queue_lengths(trace)[["t", "p", "n"]].tolist() == [
        (20, 0, 1),
        (25, 0, 2),
        (40, 0, 1),
        (50, 0, 0),
    ]


def test_steals(trace):
    assert derive.steals(trace)[["t", "thief", "victim", "n", "m", "before"]].tolist() == [
        (40, 1, 0, 1, 1, 1)
    ]


def test_a_steal_without_the_lengths():
    trace = Trace.from_text('0 P0 M0 - Steal P1 2\n1 P0 M0 - Steal P1 1\n1 P0 M0 - StealBefore 2 "half"')
    assert derive.steals(trace)["before"].tolist() == [-1, 2]


def test_handoffs(trace):
    rows = derive.handoffs(trace)
    assert rows.dtype.names == ("p", "m_from", "m_to", "called", "taken", "t", "started", "ran", "row")
    assert rows.tolist() == [(0, 0, 2, 80, 90, 92, 95, 97, trace.names.index("Handoff"))]


def test_a_handoff_to_nobody():
    rows = derive.handoffs(Trace.from_text("0 P0 M0 - ProcStop\n1 - M0 - Handoff P0"))
    assert rows.tolist() == [(0, 0, -1, -1, 0, 1, -1, -1, 1)]


def test_latencies(trace):
    rows = derive.latencies(trace)
    found = sorted((g, ns, CAUSES[cause]) for g, ns, cause in rows[["g", "ns", "cause"]].tolist())
    assert found == [
        (1, 10, "new"),
        (1, 10, "wake"),
        (2, 22, "stolen"),
        (3, 25, "new"),
        (3, 27, "preempted"),
    ]


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        ('P0 M0 G1 GoStop "runtime.Gosched"', "gosched"),
        ('P0 M0 G1 GoSyscallBegin "to_thread"\n2 P0 M0 G1 GoSyscallEndBlocked', "syscall"),
        ('P0 M0 G1 GoBlock "sleep"\n2 P0 M0 - GoUnblock G1 "timer"', "timer"),
        ('P0 M0 G1 GoBlock "IO wait"\n2 P0 M0 - GoUnblock G1 "netpoll"', "netpoll"),
    ],
)
def test_causes(made, cause):
    trace = Trace.from_text(f"0 P0 M0 - GoCreate G1\n0 P0 M0 G1 GoStart\n1 {made}\n3 P0 M0 G1 GoStart")
    assert CAUSES[derive.latencies(trace)["cause"][-1]] == cause


SCHEDVIZ = """
0  -  M0 -  ProcsChange {procs}
0  P0 M0 -  ProcStart
0  P1 M1 -  ProcStart
0  P0 M0 -  GoCreate G1
0  P0 M0 -  GoCreate G2
0  P1 M1 -  GoCreate G3
0  P1 M1 -  GoCreate G4
0  P1 M1 -  GoCreate G5
0  P0 M0 G1 GoStart
0  P1 M1 G3 GoStart
{lengths}
1s P0 M0 G1 GoEnd
1s P1 M1 G3 GoEnd
1s P0 M0 G2 GoStart
1s P1 M1 G4 GoStart
1s P1 M1 G5 GoStatus G5 1
"""


@pytest.mark.parametrize(
    "lengths", ["", "0 P0 M0 G1 RunqLen 1 0\n0 P1 M1 G3 RunqLen 2 0"], ids=["states", "lengths"]
)
@pytest.mark.parametrize(("procs", "lost"), [(6, (1, 2, 3)), (4, (1, 2, 2)), (2, (0, 0, 0))])
def test_idle_while_overloaded(procs, lost, lengths):
    """The example in SchedViz's manual: two P's with 1 and 2 waiting, four idle, then two idle."""
    found = idle_while_overloaded(Trace.from_text(SCHEDVIZ.format(procs=procs, lengths=lengths)))
    assert found[:3] == tuple(seconds * 10**9 for seconds in lost)
    assert found.steps.tolist()[0] == (0, procs - 2, 2, 3)


def test_idle_while_overloaded_is_told_the_number():
    trace = Trace.from_text(SCHEDVIZ.format(procs=2, lengths=""))
    assert idle_while_overloaded(trace, 6)[:3] == (10**9, 2 * 10**9, 3 * 10**9)


def test_idle_while_overloaded_changes_with_time():
    """Until 10 one is idle and one waits in the global queue; then both run."""
    trace = Trace.from_text(
        """
        procs 2
        0  P0 M0 -  ProcStart
        0  P0 M0 -  GoCreate G1
        0  P0 M0 G1 GoStart
        0  P0 M0 G1 GoCreate G2
        0  P0 M0 G1 GlobqLen 1
        10 P1 M1 -  ProcStart
        10 P1 M1 -  GlobqLen 0
        10 P1 M1 G2 GoStart
        30 P1 M1 G2 GoEnd
        40 P0 M0 G1 GoEnd
        """
    )
    found = idle_while_overloaded(trace)
    assert found[:3] == (10, 10, 10)
    assert found.steps.tolist() == [(0, 1, 1, 1), (10, 0, 0, 0), (30, 1, 0, 0), (40, 2, 0, 0)]


def test_results_are_kept_and_cannot_be_written(trace):
    rows = derive.spans_g(trace)
    assert derive.spans_g(trace) is rows
    with pytest.raises(ValueError, match="read-only"):
        rows["t0"] = 0


@pytest.mark.parametrize(
    "name", ["spans_g", "spans_p", "spans_m", "waits", "queue_lengths", "steals", "handoffs", "latencies"]
)
@pytest.mark.parametrize("text", ["", "0 P0 M0 - ProcStart", "5 - - - Generation 1"])
def test_traces_with_little_in_them(name, text):
    trace = Trace.from_text(text)
    assert len(getattr(derive, name)(trace)) <= 1
    assert idle_while_overloaded(trace)[:3] == (0, 0, 0)
    assert trace.summary()


def test_summary(trace):
    text = trace.summary()
    assert text.startswith("35 events in 100 ns; world=host procs=2\n")
    assert "GoStart 5" in text
    assert [line.split() for line in text.splitlines() if line.startswith(("0 ", "1 "))] == [
        ["0", "4", "73.0%", "10.0%", "0.0%", "0", "1", "2"],
        ["1", "1", "57.0%", "0.0%", "9.0%", "1", "0", "0"],
    ]
    assert any(line.split()[:2] == ["preempted", "1"] for line in text.splitlines())
    assert any(line.split()[:3] == ["chan", "receive", "1"] for line in text.splitlines())


def test_idle_while_overloaded_of_a_part():
    """What was left out might have run: no number is better than a wrong one."""
    trace = Trace.from_text(SCHEDVIZ.format(procs=2, lengths="")).filter(g=1)
    with pytest.raises(ValueError, match="whole trace"):
        idle_while_overloaded(trace)
