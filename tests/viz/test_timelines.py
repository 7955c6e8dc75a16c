"""Spans of P's, M's and G's against traces worked out by hand."""

import numpy as np
import pytest

import scheduler_viz as viz
from mpg.trace import Trace
from scheduler_viz import data
from scheduler_viz.data import timelines
from scheduler_viz.data.timelines import STATE_NAMES, STOPS, handoff_lines, slowest, steal_marks


def plain(rows, *names):
    """Rows as tuples: seconds as whole ns, numbers of states and stops as their names."""
    out = []
    for row in rows:
        values = []
        for name in names:
            value = row[name].item()
            if name in ("t0", "t1", "t"):
                value = round(value * 1e9)
            elif name == "state":
                value = STATE_NAMES[value]
            elif name == "stop":
                value = STOPS[value]
            values.append(value)
        out.append(tuple(values))
    return out


def test_p_timeline(story):
    assert plain(data.p_timeline(story), "p", "t0", "t1", "state", "g", "m", "stop") == [
        (0, 0, 10, "system", -1, 0, ""),
        (0, 10, 50, "running", 1, 0, "block"),
        (0, 50, 70, "running", 3, 0, "preempt"),
        (0, 70, 80, "running", 1, 0, "syscall"),
        (0, 80, 90, "syscall", 1, 0, ""),
        (0, 90, 95, "idle", -1, 9, ""),
        (0, 95, 97, "system", -1, 2, ""),
        (0, 97, 100, "running", 3, 2, "block"),
        (1, 0, 32, "idle", -1, -1, ""),
        (1, 32, 41, "spinning", -1, 1, ""),
        (1, 41, 42, "system", -1, 1, ""),
        (1, 42, 99, "running", 2, 1, "end"),
        (1, 99, 100, "idle", -1, 1, ""),
    ]


def test_p_timeline_of_a_window(story):
    """Cut at 60 and 90 ns: a run that goes on has no stop, and what ends as the window begins is not in it."""
    rows = data.p_timeline(story, t0=60e-9, t1=90e-9)
    assert plain(rows, "p", "t0", "t1", "state", "stop") == [
        (0, 60, 70, "running", "preempt"),
        (0, 70, 80, "running", "syscall"),
        (0, 80, 90, "syscall", ""),
        (1, 60, 90, "running", ""),
    ]


def test_m_timeline(story):
    assert plain(data.m_timeline(story), "m", "t0", "t1", "state", "g", "p") == [
        (0, 0, 10, "system", -1, 0),
        (0, 10, 50, "running", 1, 0),
        (0, 50, 70, "running", 3, 0),
        (0, 70, 80, "running", 1, 0),
        (0, 80, 90, "syscall", 1, 0),
        (0, 90, 98, "syscall", 1, -1),
        (0, 98, 100, "idle", -1, -1),
        (1, 30, 31, "system", -1, -1),
        (1, 31, 32, "spinning", -1, -1),
        (1, 32, 41, "spinning", -1, 1),
        (1, 41, 42, "system", -1, 1),
        (1, 42, 99, "running", 2, 1),
        (1, 99, 100, "idle", -1, -1),
        (2, 93, 95, "system", -1, -1),
        (2, 95, 97, "system", -1, 0),
        (2, 97, 100, "running", 3, 0),
    ]


def test_g_timeline(story):
    rows = data.g_timeline(story, gs=[2, 1])
    assert plain(rows, "g", "t0", "t1", "state", "p", "m") == [
        (2, 20, 42, "runnable", -1, -1),
        (2, 42, 99, "running", 1, 1),
        (1, 0, 10, "runnable", -1, -1),
        (1, 10, 50, "running", 0, 0),
        (1, 50, 60, "blocked", -1, -1),
        (1, 60, 70, "runnable", -1, -1),
        (1, 70, 80, "running", 0, 0),
        (1, 80, 98, "syscall", 0, 0),
        (1, 98, 100, "runnable", -1, -1),
    ]


def test_who_waited_longest(story):
    """G3 was runnable for 25 + 27 ns, G1 for 10 + 10 + 2 and G2 for 22: a tie, so the older one comes first."""
    assert slowest(story) == [3, 1, 2]
    assert slowest(story, top=2) == [3, 1]
    assert slowest(story, t0=0, t1=45e-9) == [2, 3, 1]  # until then 22, 20 and 10
    assert list(dict.fromkeys(data.g_timeline(story, top=2)["g"].tolist())) == [3, 1]


def test_marks(story):
    assert plain(steal_marks(story), "t", "thief", "victim", "n") == [(40, 1, 0, 1)]
    assert plain(handoff_lines(story), "t", "p", "m_from", "m_to") == [(92, 0, 0, 2)]
    assert len(steal_marks(story, t0=41e-9)) == len(handoff_lines(story, t1=91e-9)) == 0


def test_io_and_a_call_on_a_spare_m():
    trace = Trace.from_text(
        """
        world "host"
        0  -  M0 -  MStart
        0  P0 M0 -  ProcStart
        0  P0 M0 -  GoCreate G1 "io"
        1  P0 M0 G1 GoStart "local"
        2  P0 M0 G1 GoBlock "IO wait"
        4  P0 M0 -  GoUnblock G1 "netpoll"
        5  P0 M0 G1 GoStart "local"
        6  P0 M0 G1 GoSyscallBegin "to_thread"
        6  -  M4 G1 Offload M0
        9  -  M4 G1 OffloadEnd M0
        10 P0 M0 G1 GoSyscallEndBlocked
        11 P0 M0 G1 GoStart "local"
        12 P0 M0 G1 GoEnd
        12 P0 M0 -  ProcStop
        """
    )
    trace.validate()
    assert plain(data.g_timeline(trace), "t0", "t1", "state", "p") == [
        (0, 1, "runnable", -1),
        (1, 2, "running", 0),
        (2, 4, "netpoll", -1),
        (4, 5, "runnable", -1),
        (5, 6, "running", 0),
        (6, 10, "syscall", -1),
        (10, 11, "runnable", -1),
        (11, 12, "running", 0),
    ]
    rows = data.m_timeline(trace)
    assert plain(rows[rows["m"] == 4], "t0", "t1", "state", "g", "p") == [
        (6, 9, "syscall", 1, -1),
        (9, 12, "idle", -1, -1),
    ]
    assert plain(rows[(rows["m"] == 0) & (rows["state"] == STATE_NAMES.index("syscall"))], "t0") == []
    assert plain(data.linked(trace, 1), "t0", "t1", "state", "p", "m") == [
        (1, 2, "running", 0, 0),
        (5, 6, "running", 0, 0),
        (6, 9, "syscall", -1, 4),
        (11, 12, "running", 0, 0),
    ]


def test_a_p_that_was_made_and_never_started_is_idle():
    text = "0 - M0 - ProcsChange 2\n5 P1 M1 - ProcStart\n20 - M0 - ProcsChange 3\n30 P1 M1 - ProcStop"
    want = [(0, 0, 30, "idle"), (1, 0, 5, "idle"), (1, 5, 30, "system"), (2, 20, 30, "idle")]
    assert plain(data.p_timeline(Trace.from_text(text)), "p", "t0", "t1", "state") == want
    part = Trace.from_text(f"partial true\n{text}")
    assert plain(data.p_timeline(part), "p", "t0", "t1", "state") == [(1, 5, 30, "system")]


def test_a_lane_is_in_one_state_at_a_time_where_clocks_disagree():
    """M1's clock is 2 ns behind: it starts the P before M0 let go of it."""
    trace = Trace.from_text(
        "0 P0 M0 - ProcStart\n10 P0 M0 - ProcStop\n8 P0 M1 - ProcStart\n12 P0 M1 - ProcStop\n20 - M1 - MPark"
    )
    rows = plain(data.p_timeline(trace), "t0", "t1", "state")
    assert rows == [(0, 10, "system"), (10, 12, "system"), (12, 20, "idle")]


def test_an_m_that_had_its_p_before_the_trace_began():
    trace = Trace.from_text(
        'partial true\n5 P3 M7 G9 GoStart "local"\n8 P3 M7 G9 GoBlock "sleep"\n9 P3 M7 - ProcStop'
    )
    assert plain(data.m_timeline(trace), "m", "t0", "t1", "state", "p") == [
        (7, 0, 3, "running", 3),
        (7, 3, 4, "system", 3),
    ]


@pytest.mark.parametrize(
    "options", [{"top": 0}, {"gs": [1, 99]}, {"gs": range(1, 300)}, {"t0": 2.0}, {"t0": 5e-8, "t1": 4e-8}]
)
def test_bad_options_of_g_timeline(story, options):
    with pytest.raises(ValueError):
        data.g_timeline(story, **options)
    with pytest.raises(ValueError):
        viz.g_timeline(story, **options)


def test_times_add_up_for_every_p(crowd):
    """P's of a simulation exist from beginning to end, so the spans of each fill the whole time."""
    rows = data.p_timeline(crowd)
    total = np.bincount(rows["p"], rows["t1"] - rows["t0"])
    assert len(total) == crowd.metadata["procs"]
    assert np.allclose(total, np.ptp(crowd.ts) / 1e9, rtol=1e-9)


def test_data_knows_every_state(crowd):
    for rows in (data.p_timeline(crowd), data.m_timeline(crowd), data.g_timeline(crowd)):
        assert np.all((rows["state"] >= 0) & (rows["t1"] >= rows["t0"]))
    assert timelines.all_gs(crowd) == len(np.unique(crowd.a[crowd.kind == 1]))
