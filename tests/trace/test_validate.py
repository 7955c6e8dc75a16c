"""Each rule of validate.py: a trace that keeps it, and the smallest one that does not."""

import random

import pytest

from mpg.trace import InvalidTrace, Trace
from mpg.trace import events as ev
from mpg.trace.events import STRINGS, pack_switch

# Two P's; G 1 and G 2 run, G 3 is runnable.
START = """
world "host"
clock "virtual"
0 - M0 - ProcsChange 2
0 - M0 - MStart
0 P0 M0 - ProcStart
0 P0 M0 - GoCreate G1 "main"
0 P0 M0 G1 GoStart
0 P0 M0 G1 GoCreate G2 "a"
0 P0 M0 G1 GoCreate G3 "b"
1 - M1 - MStart M0
1 P1 M1 - ProcStart
1 P1 M1 G2 GoStart "stolen"
"""
ROWS = 10

FINE = {
    "a G blocks and comes back": """
        2 P0 M0 G1 GoBlock "chan send" 5
        3 P1 M1 G2 GoUnblock G1 "ready"
        4 P0 M0 G1 GoStart
        4 P0 M0 G1 GoStop "preempted"
        4 P0 M0 G1 GoStart
        4 P0 M0 G1 GoEnd""",
    "a call that keeps its P": """
        2 P0 M0 G1 GoSyscallBegin "blocking"
        3 P0 M0 G1 GoSyscallEnd""",
    "a call that loses its P": """
        2 P0 M0 G1 GoSyscallBegin "blocking"
        3 - M9 - ProcSteal P0 M0
        3 - M9 - Handoff P0 M2
        4 - M2 - MStart M9
        4 P0 M2 - ProcStart
        4 P0 M2 G3 GoStart
        5 - M0 G1 GoSyscallEndBlocked
        5 - M0 - MPark
        6 P1 M1 G2 GoBlock "sleep"
        6 P1 M1 - ProcStop
        6 P1 M0 - ProcStart
        6 P1 M0 G1 GoStart""",
    "a call on a spare M": """
        2 P0 M0 G1 GoSyscallBegin "to_thread"
        2 P0 M0 G3 GoStart
        2 - M7 - MStart M0
        2 - M7 G1 Offload M0
        9 - M7 G1 OffloadEnd M0
        9 P0 M0 G1 GoSyscallEndBlocked
        9 P0 M0 G3 GoEnd
        9 P0 M0 G1 GoStart""",
    "a call on a spare M that nobody waits for any more": """
        2 P0 M0 G1 GoSyscallBegin "to_thread"
        3 P1 M1 G2 GoUnblock G1 "abort"
        3 P0 M0 G1 GoStart""",
    "spinning, then sleeping": """
        2 P1 M1 G2 GoEnd
        2 P1 M1 - SpinStart
        3 P1 M1 - ProcStop
        3 - M1 - SpinStop
        4 - M1 - MPark 1ms
        5 P0 M0 G1 MWake M1 P1
        6 - M1 - SpinStart
        6 P1 M1 - ProcStart
        6 P1 M1 - SpinStop
        6 P1 M1 G3 GoStart""",
    "a P more, a P less": """
        2 P0 M0 G1 ProcsChange 3
        2 P1 M1 G2 GoEnd
        2 P1 M1 - ProcStop
        2 P2 M1 - ProcStart
        3 P0 M0 G1 ProcRetire P1
        4 P2 M1 - ProcStop
        4 P1 M1 - ProcStart""",
    "steals": """
        2 P1 M1 G2 Steal P0 n=3
        2 P1 M1 G2 StealBefore 5 "half"
        2 P1 M1 G2 Steal P0 n=1
        2 P1 M1 G2 StealBefore 0 "runnext"
        2 P0 M1 G2 RunqLen 0 0""",
    "a snapshot": """
        2 P0 M0 G1 Generation 2
        2 P0 M0 - ProcStatus P0 1
        2 P0 M0 - GoStatus G1 2
        2 - - - GoStatus G3 1
        2 - - - GoStatus G9 4
        2 - - - MStatus M5 0
        3 P0 M0 G1 GoUnblock G9 "ready" """,
    "nothing is known after a loss": """
        2 - M0 - Dropped 17
        3 P0 M1 G8 GoBlock "sleep"
        3 P0 M1 G5 GoStart
        4 P0 M1 G5 GoUnblock G8 "timer" """,
}

WRONG = [
    ("2 P0 M0 G1 77", "no event has the code 77"),
    ("2 P0 M0 G1 GoBlock 999", "reason is not in the string table"),
    ("2 P0 - G1 GoEnd", "GoEnd needs a M"),
    ("2 P0 M0 G1 GoCreate -", "GoCreate needs new"),
    ("0 P0 M0 G1 GoEnd", "time goes back, from 1"),
    ("2 P0 M0 G1 GoStart", "G 1 is running, which does not allow GoStart"),
    ("2 P0 M0 G1 GoCreate G3", "G 3 is runnable, which does not allow GoCreate"),
    ("2 P0 M0 G1 GoUnblock G2", "G 2 is running, which does not allow GoUnblock"),
    ("2 P0 M0 G1 GoUnblock G44", "G 44 is not known, which does not allow GoUnblock"),
    ("2 P0 M0 G1 GoSyscallEnd", "G 1 is running, which does not allow GoSyscallEnd"),
    ("2 P0 M0 G3 GoStart", "has G 1, and GoStart needs it to have no G"),
    ("2 P0 M0 G2 GoEnd", "has G 1, and GoEnd needs it to have G 2"),
    ("2 P1 M0 G2 GoEnd", "M 0 has P 0, and GoEnd needs it to have P 1"),
    ("2 P1 M0 G1 Log", "M 0 has P 0, and Log needs it to have P 1"),
    ("2 P5 M0 - ProcStart", "M 0 has P 0, and ProcStart needs it to have no P"),
    ("2 P0 M5 - ProcStart", "P 0 is running, which does not allow ProcStart"),
    ("2 P0 M0 - ProcStop", "P 0 has G 1, and ProcStop needs it to have no G"),
    ("2 - M9 - ProcSteal P0 M1", "M 1 has P 1, and ProcSteal needs it to have P 0"),
    ("2 - M0 - MPark", "and MPark needs it to have no"),
    ("2 P0 M0 - SpinStop", "M 0 is running, which does not allow SpinStop"),
    ("2 - M0 - MStart", "M 0 is running, which does not allow MStart"),
    ("2 - M9 - ProcRetire P1", "P 1 is running, which does not allow ProcRetire"),
    ("2 - - - GoStatus G1 4", "G 1 is running, which does not allow GoStatus"),
    ("2 - - - GoStatus G1 5", "no G has such a status"),
    ("2 - - - ProcStatus P0 0", "P 0 is running, which does not allow ProcStatus"),
    ("2 P0 M0 - RunqLen 258 0", "0 to 257"),
    ("2 - M0 - GlobqLen n=-2", "shorter than empty"),
    ("2 P0 M0 - Steal P1 0", "at least one"),
    ("2 P0 M0 - Steal P0 1", "from itself"),
    ('2 P0 M0 - StealBefore 3 "half"', "after a Steal of the same M"),
    ('2 P1 M1 - Steal P0 2\n2 P1 M1 - StealBefore 5 "half"', "of 5 no thief takes that many"),
    ('2 P1 M1 - Steal P0 2\n2 P1 M1 - StealBefore 5 "one"', "of 5 no thief takes that many"),
]


@pytest.mark.parametrize("name", FINE)
def test_fine(name):
    Trace.from_text(START + FINE[name]).validate()


@pytest.mark.parametrize(("text", "rule"), WRONG)
def test_wrong(text, rule):
    with pytest.raises(InvalidTrace) as caught:
        Trace.from_text(START + text).validate()
    assert rule in caught.value.rule
    assert caught.value.index == ROWS + text.count("\n")
    assert caught.value.event.startswith(text.rpartition("\n")[2].split(" ")[0])


def test_the_first_fault_is_named():
    with pytest.raises(InvalidTrace, match="GoUnblock") as caught:
        Trace.from_text(START + "2 P0 M0 G1 GoUnblock G2\n2 P0 M0 G1 GoBlock 999\n1 - - - 77").validate()
    assert caught.value.index == ROWS
    assert caught.value.event == "2 P0 M0 G1 GoUnblock woken=G2"


def test_a_g_leaves_for_good():
    text = START + "2 P0 M0 G1 GoEnd\n3 P1 M1 G2 GoUnblock G1"
    with pytest.raises(InvalidTrace, match="G 1 is dead"):
        Trace.from_text(text).validate()


def test_a_world_has_its_events():
    text = "2 P0 M0 G1 Relief P3 P0"
    Trace.from_text(START + text).validate()
    for world in ("sim-moving", "go"):
        with pytest.raises(InvalidTrace, match=f"does not exist in a trace of {world}"):
            Trace.from_text(START.replace('"host"', f'"{world}"') + text + "\npartial true").validate()


def test_a_real_clock_goes_back_between_ms_only():
    real = START.replace('"virtual"', '"monotonic"')
    Trace.from_text(real + "5 P0 M0 G1 Log\n4 P1 M1 G2 Log\n5 P0 M0 G1 Log").validate()
    with pytest.raises(InvalidTrace, match="time goes back within M 0"):
        Trace.from_text(real + "5 P0 M0 G1 Log\n4 P0 M0 G1 Log").validate()


def test_a_real_thief_may_find_less():
    text = '2 P1 M1 - Steal P0 2\n2 P1 M1 - StealBefore 5 "half"'
    Trace.from_text(START.replace('"virtual"', '"monotonic"') + text).validate()


def test_a_part_begins_in_the_middle():
    whole = Trace.from_text(START + FINE["a call that loses its P"])
    for t0 in range(8):
        whole.filter(t0=t0).validate()
    for t1 in range(8):
        whole.filter(t1=t1).validate()
    for row in range(1, 6):
        middle = whole.events[row:].tolist()
        Trace.from_records(middle, whole.strings, {"partial": True}).validate()


def generated(seed, events):
    """A small scheduler: 3 M's with a P each; G's block, yield, end, call, are woken and created."""
    rng = random.Random(seed)
    number = {word: i for i, word in reversed(list(enumerate(STRINGS)))}
    rows = [(0, ev.MStart, -1, m, -1, -1, -1) for m in range(3)]
    rows += [(0, ev.ProcStart, m, m, -1, -1, -1) for m in range(3)]
    ready, waiting, curg, t, goid = [], [], [-1] * 3, 0, 0
    while len(rows) < events:
        t += rng.randrange(3)
        m = rng.randrange(3)
        g = curg[m]
        here = (m, m, g)
        if rng.random() < 0.4 or not ready:
            if waiting and rng.random() < 0.6:
                woken = waiting.pop(rng.randrange(len(waiting)))
                rows.append((t, ev.GoUnblock, *here, woken, number["ready"]))
            else:
                goid += 1
                woken = goid
                rows.append((t, ev.GoCreate, *here, woken, 0))
            ready.append(woken)
        elif g < 0:
            curg[m] = ready.pop(0)
            rows.append((t, ev.GoStart, m, m, curg[m], number["local"], -1))
        else:
            how = rng.randrange(4)
            curg[m] = ready.pop(0)
            reason = number["to_thread"] if how == ev.CALLED else number["sleep"]
            word = pack_switch(how, reason, rng.randrange(100), number["local"])
            rows.append((t, ev.GoSwitch, *here, curg[m], word))
            if how in (ev.BLOCKED, ev.CALLED):
                waiting.append(g)
            elif how == ev.STOPPED:
                ready.append(g)
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_generated_traces_are_valid_and_each_lost_event_is_noticed_or_harmless(seed):
    rows = generated(seed, 300)
    whole = Trace.from_records(rows)
    whole.validate()
    noticed = 0
    records = whole.events.tolist()
    harmless = {"GoUnblock", "GoCreate"}  # of a G that does not run again
    for lost in range(len(records)):
        try:
            Trace.from_records(records[:lost] + records[lost + 1 :]).validate()
        except InvalidTrace as exc:
            noticed += exc.index >= lost
        else:
            assert whole.names[lost] in harmless | {"MStart"} or lost >= len(records) - 60
    assert noticed > len(records) * 3 // 4
