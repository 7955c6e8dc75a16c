"""The life of a G in sentences, and which G's were stolen."""

from collections import Counter

import pytest

import mpg
from mpg.trace import Recorder, Trace, derive, log, region, task
from mpg.trace.derive import CAUSES


def told(trace, g):
    return [" ".join(line.split()) for line in trace.story(g).splitlines()]


# P 1 steals two of three G's and runs the younger; P 2 steals the other from it.
THEFT = """
world "sim-moving"
0 P0 M0 - GoCreate G1 "main"
0 P0 M0 G1 GoStart "local"
0 P0 M0 G1 GoCreate G2 "old"
0 P0 M0 G1 GoCreate G3 "young"
0 P0 M0 G1 GoCreate G4 "next"
2us P1 M1 - Steal P0 2
2us P1 M1 - StealBefore 3 "half"
3us P1 M1 G3 GoStart "stolen"
4us P2 M2 - Steal P1 1
4us P2 M2 - StealBefore 1 "half"
5us P2 M2 G2 GoStart "stolen"
6us P0 M0 G1 GoBlock "sleep"
7us P0 M0 G4 GoStart "local"
"""


def test_a_g_that_was_stolen_twice():
    trace = Trace.from_text(THEFT)
    rows = derive.stolen(trace)
    assert rows[["g", "p", "thief", "victim", "n", "steal"]].tolist() == [
        (2, 0, 2, 1, 1, 8),
        (3, 0, 1, 0, 2, 5),
    ]
    assert (
        told(trace, 2)[-1]
        == "5.000 us G 2 starts to run on P 2, M 2, stolen from P 1, which had stolen it, after 5.000 us"
    )
    assert told(trace, 3) == [
        "0.000 us G 3 (young) is created by G 1 and queued on P 0",
        "3.000 us G 3 starts to run on P 1, M 1, stolen from P 0 with 1 other, after 3.000 us",
    ]
    assert told(trace, 4)[-1].endswith("taken from: local, after 7.000 us")


QUEUED = """
0 P0 M0 - GoCreate G1
0 P0 M0 G1 GoStart "local"
0 P0 M0 G1 GoCreate G2
{after}
2 P1 M1 - Steal P0 2
2 P1 M1 - StealBefore 4 "half"
3 P1 M1 G9 GoStart "stolen"
{then}
4 P1 M1 G2 GoStart "local"
"""


@pytest.mark.parametrize(
    ("after", "then", "cause"),
    [
        ("", "", "stolen"),  # it was one of the others that were taken
        ("1 - M0 - GlobqLen 1", "3 P1 M1 - GlobqLen 1\n3 P1 M1 - GlobqLen 0", "new"),  # out of a batch since
        (
            "",
            '3 P1 M1 - GlobqLen 0\n3 P1 M1 G8 GoStart "global"',
            "stolen",
        ),  # that was one alone, and another
    ],
)
def test_the_others_of_a_steal(after, then, cause):
    text = QUEUED.format(after=after, then=then)
    for g in (8, 9):
        text = f"0 - - - GoStatus G{g} 1\n{text}"
    trace = Trace.from_text(text)
    rows = derive.latencies(trace)
    assert CAUSES[rows["cause"][rows["g"] == 2][0]] == cause


@pytest.mark.parametrize("world", ["host", "sim-pinned"])
def test_who_goes_home_was_not_stolen(world):
    trace = Trace.from_text(
        f"""
        world "{world}"
        0 P0 M0 - GoCreate G1
        0 P0 M0 G1 GoStart "local"
        1 P0 M0 G1 GoBlock "sleep"
        2 P1 M1 - Steal P0 1
        3 P2 M2 - GoUnblock G1 "ready"
        4 P1 M1 - Steal P0 1
        5 P1 M0 G1 GoStart "local"
        """
    )
    assert not len(derive.stolen(trace))
    assert told(trace, 1)[-2:] == [
        "0.003 us G 1 is made runnable by the scheduler (ready) and queued on its M 0, sent to it, after 0.002 us",
        "0.005 us G 1 starts to run on P 1, M 0, taken from: local, after 0.002 us",
    ]


@pytest.mark.parametrize("like", ["go", "host"])
def test_every_g_of_a_steal_counts(like):
    def main():
        group = mpg.sync.WaitGroup()
        for _ in range(200):
            group.go(mpg.work, 1e-4)
        group.wait()

    trace = mpg.simulate(main, procs=4, like=like).trace
    made, began, said = {}, {}, set()
    for name, p, g, a in zip(trace.names, trace.p.tolist(), trace.g.tolist(), trace.a.tolist(), strict=True):
        if name == "GoCreate":
            made[a] = p
        elif name == "GoStart" and g not in began:
            began[g] = p
            if trace.string(a) == "stolen":  # perhaps back from where it had been stolen to
                said.add(g)
    elsewhere = said | {g for g in began if began[g] != made[g]}
    assert len(elsewhere) > 100
    assert set(derive.stolen(trace)["g"].tolist()) == elsewhere
    causes = Counter(CAUSES[code] for code in derive.latencies(trace)["cause"].tolist())
    assert causes["stolen"] == len(elsewhere)
    assert "stolen from P" in trace.story(min(elsewhere))


def test_what_a_g_does():
    def child(ch):
        with task("errand"), region("walk"):
            log("on the way")
        ch.send(1)

    def main():
        ch = mpg.Chan()
        mpg.go(child, ch)
        ch.recv()

    recorder = Recorder(sites=True)
    mpg.simulate(main, procs=1, trace=recorder)
    child_lines = [line.split("G 2 ")[1] for line in recorder.trace.story(2).splitlines()]
    assert ".py:" in child_lines[0]
    assert child_lines[0].startswith("(test_what_a_g_does.<locals>.child) is created by G 1 at ")
    assert child_lines[0].endswith(" and queued on P 0")
    assert child_lines[2:7] == [
        "begins task 1 (errand)",
        "begins the region 'walk'",
        "logs: 'on the way' (task 1)",
        "ends the region 'walk'",
        "ends task 1 (errand)",
    ]
    main_lines = recorder.trace.story(1)
    assert "waits: chan receive, object 1 at " in main_lines
    assert "GoSite" not in main_lines


def test_what_happens_to_a_g():
    trace = Trace.from_text(
        """
        0 P0 M0 - GoCreate G1 "main"
        0 P0 M0 G1 GoStart "local"
        0 P0 M0 G1 GoCreate G2 "other"
        1 - M9 - Preempt late=P0 running=G1
        2 - M9 - Stall P0 G1
        3 P0 M0 G1 GoStop "preempted"
        3 - M0 - GlobqLen 1
        4 P0 M0 G1 GoStart "global"
        5 P0 M0 G1 GoSyscallBegin "blocking"
        6 - M9 - ProcSteal P0 M0
        7 P1 M0 - ProcStart
        7 P1 M0 G1 GoSyscallEndBlocked
        7 P1 M0 G1 GoStart "direct"
        """
    )
    lines = [line.split("G 1 ", 1)[1] for line in trace.story(1).splitlines()]
    assert lines[2:] == [
        "creates G 2 (other)",
        "is asked to give up P 0: its slice is over",
        "has kept P 0 for long without an operation: it is named as the culprit of a stall",
        "leaves P 0 and stays runnable (preempted) and put into the global queue, after 0.003 us",
        "starts to run on P 0, M 0, taken from: global, after 0.001 us",
        "begins a blocking call (blocking), after 0.001 us",
        "comes back from its call and has got P 1, after 0.002 us",
        "starts to run on P 1, M 0, taken from: direct, after 0.000 us",
    ]
    assert trace.story(99) == "G 99 does not occur"
