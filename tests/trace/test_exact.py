"""What holds exactly in simulations, and on two clocks: right traces pass, and every planted fault is seen."""

import random
import sys
from functools import cache

import numpy as np
import pytest
from sim.programs import mixed

import mpg
from mpg.port import HOST
from mpg.sim.knobs import Policy
from mpg.sim.workloads import WORKLOADS
from mpg.trace import InvalidTrace, Recorder, Trace
from mpg.trace import events as ev
from mpg.trace.clocks import INVERSION
from mpg.trace.events import NAMES

pytestmark = pytest.mark.filterwarnings(
    "ignore:a step of the simulation took:RuntimeWarning"
)  # on a busy machine

COLUMNS = ("ts", "kind", "p", "m", "g", "a", "b")


def blocking():
    """Calls in place, of which the P's are taken, by M's that sleep and by new ones."""
    group = mpg.sync.WaitGroup()

    def caller(i):
        for k in range(3):
            with mpg.blocking():
                mpg.stall(1e-4 * (1 + (i * 7 + k) % 5))
            mpg.work(5e-5)

    for i in range(30):
        group.go(caller, i)
    group.wait()


def crowd():
    """More G's than a ring holds, some of which yield and sleep."""
    group = mpg.sync.WaitGroup()

    def member(i):
        if i % 5 == 0:
            mpg.gosched()
        if i % 7 == 0:
            mpg.sleep(1e-5)
        mpg.work(1e-6)

    for i in range(600):
        group.go(member, i)
    group.wait()


def resized():
    """P's come and go while G's are queued."""
    group = mpg.sync.WaitGroup()
    for n in (1, 6, 2, 3, 1, 4):
        mpg.gomaxprocs(n)
        for _ in range(30):
            group.go(mpg.work, 3e-5)
        mpg.sleep(2e-4)
        for _ in range(300):
            group.go(mpg.work, 1e-6)
    group.wait()


def arrivals():
    """More than the P's can serve, so rings overflow."""
    return WORKLOADS["poisson"](load=1.5, horizon=0.02, service=1e-4)


def ends_early():
    for _ in range(300):
        mpg.go(mpg.work, 1e-4)
    mpg.sleep(5e-4)
    for _ in range(300):
        mpg.go(mpg.work, 1e-4)


PROGRAMS = {
    "mixed": mixed,
    "blocking": blocking,
    "crowd": crowd,
    "resized": resized,
    "ends_early": ends_early,
    "arrivals": arrivals,
    **{name: WORKLOADS[name] for name in ("fork_join", "blocking_server", "hog")},
}
POLICIES = {
    "go": Policy(),
    "one": Policy(steal="one"),
    "one victim": Policy(victims="one", retry_rate=1000.0, recheck=False),
    "lifo": Policy(local="lifo"),
    "no runnext": Policy(runnext=False, local="lifo", global_tick=7),
    "everybody spins": Policy(spinning=1.0, recheck=False),
    "short slices": Policy(slice=1e-4, global_tick=3),
    "lazy": Policy(wake_on_ready=False, sysmon=False),
    "mitzenmacher": Policy.mitzenmacher(500.0),
}


@cache
def simulated(name, like, policy="go", procs=4, costs=None):
    return mpg.simulate(
        PROGRAMS[name], procs=procs, like=like, policy=POLICIES[policy], costs=costs, deadlock=False
    ).trace


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("like", ["go", "host", "host-gil"])
def test_right_traces_pass(like, policy):
    rng = random.Random(f"{like} {policy}")
    for name in PROGRAMS:
        costs = rng.choice([None, "zero", "go", "cpython"])
        simulated(name, like, policy, rng.choice([1, 2, 3, 8]), costs).validate()


@pytest.mark.parametrize("like", ["go", "host", "host-gil"])
def test_many_ps(like):
    for name in ("mixed", "fork_join", "resized"):
        simulated(name, like, procs=64).validate()


@pytest.mark.parametrize("like", ["go", "host"])
def test_parts_pass(like):
    rng = random.Random(like)
    for name in PROGRAMS:
        whole = simulated(name, like)
        t0, t1 = sorted(rng.sample(range(int(whole.ts[-1])), 2))
        whole.filter(t0=t0, t1=t1).validate()
        recorder = Recorder(2000)
        mpg.simulate(PROGRAMS[name], like=like, trace=recorder)
        recorder.trace.validate()


def changed(trace, edit):
    columns = {name: getattr(trace, name).copy() for name in COLUMNS}
    found = edit(columns)
    columns = columns if found is None else found
    return Trace(*columns.values(), strings=trace.strings, metadata=trace.metadata)


def add(column, n):
    return lambda i: lambda columns: columns[column].__setitem__(i, columns[column][i] + n)


def put(column, n):
    return lambda i: lambda columns: columns[column].__setitem__(i, n)


def delete(i):
    return lambda columns: {name: np.delete(values, i) for name, values in columns.items()}


def double(i):
    return lambda columns: {name: np.insert(values, i, values[i]) for name, values in columns.items()}


FAULTS = {
    "a longer queue": ("RunqLen", add("a", 100)),
    "a queue longer by one": ("RunqLen", add("a", 1)),
    "more started G's": ("RunqLen", add("b", 100)),
    "a longer global queue": ("GlobqLen", add("a", 1)),
    "no length of the global queue": ("GlobqLen", delete),
    "more overflows": ("Overflow", add("a", 1)),
    "no overflow": ("Overflow", delete),
    "an M that does not exist is woken": ("MWake", put("a", 1000)),
    "another P is handed off": ("Handoff", add("a", 7)),
    "handed to another M": ("Handoff", add("b", 7)),
    "woken by nobody": ("GoUnblock", put("g", 7777)),
    "created by nobody": ("GoCreate", put("g", 7777)),
    "found nowhere": ("GoStart", put("a", 0)),
    "found in a reason": ("GoStart", put("a", 8)),
    "no creation": ("GoCreate", delete),
    "no wake-up of a G": ("GoUnblock", delete),
    "a steal twice": ("Steal", double),
    "no steal": ("Steal", delete),
    "one more is stolen": ("Steal", add("b", 1)),
    "a thief says nothing": ("StealBefore", delete),
    "a thief says it twice": ("StealBefore", double),
    "no P is got": ("ProcStart", delete),
    "no P is given up": ("ProcStop", delete),
    "no look for work": ("SpinStart", delete),
    "no end of a look for work": ("SpinStop", delete),
    "no end of an M": ("MExit", delete),
    "no timer": ("TimerFire", delete),
}
#: What is seen unless something else explains the rest of the trace too: see validate.py, "Not checked".
MOSTLY = {
    "an M that does not begin": ("MStart", delete, 0.9),
    "an M that does not park": ("MPark", delete, 0.9),
    "nobody wakes an M": ("MWake", delete, 0.7),
    "a P is not handed off": ("Handoff", delete, 0.5),
    "a length is not told": ("RunqLen", delete, 0.7),
    "the victim had one more": ("StealBefore", add("a", 1), 0.5),
}


def seen(kind, plant):
    """How many of up to 8 such faults in each trace are, and of how many."""
    noticed = tries = 0
    for like in ("go", "host", "host-gil"):
        for name in PROGRAMS:
            trace = simulated(name, like)
            rng = random.Random(name)
            rows = np.flatnonzero(trace.kind == NAMES[kind].code).tolist()
            drops = np.flatnonzero(trace.kind == ev.GoDrop)
            rows = [row for row in rows if not len(drops) or row < drops[0] or kind == "MExit"]
            for row in rng.sample(rows, min(len(rows), 4)):
                tries += 1
                try:
                    changed(trace, plant(row)).validate()
                except InvalidTrace:
                    noticed += 1
    return noticed, tries


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_seen(fault):
    noticed, tries = seen(*FAULTS[fault])
    assert noticed == tries > 0


@pytest.mark.parametrize("fault", MOSTLY)
def test_most_faults_are_seen(fault):
    kind, plant, share = MOSTLY[fault]
    noticed, tries = seen(kind, plant)
    assert noticed >= share * tries > 0


BEGIN = """
world "sim-moving"
0 - M0 - ProcsChange 2
0 - M0 - MStart
0 P0 M0 - ProcStart
0 P0 M0 - GoCreate G1 "main"
0 P0 M0 G1 GoStart "local"
0 P0 M0 - RunqLen 0 0
0 P0 M0 G1 GoCreate G2 "a"
0 P0 M0 - RunqLen 1 0
5 - M1 - MStart M0
5 - M1 - SpinStart
5 P1 M1 - ProcStart
"""
STOLEN = """
5 P1 M1 - Steal P0 1
5 P1 M1 - StealBefore 0 "runnext"
5 P0 M1 - RunqLen 0 0
5 P1 M1 - SpinStop
6 P1 M1 G2 GoStart "stolen"
6 P1 M1 - RunqLen 0 0
"""
ENDED = """
7 P1 M1 G2 GoEnd
7 P1 M1 - ProcStop
7 - M1 - MPark 9
9 - M1 - MExit
9 P0 M0 G1 GoEnd
9 P0 M0 - ProcStop
9 - M0 - MExit
"""
WRONG = [
    (
        STOLEN.replace("Steal P0 1", "Steal P0 2").replace('0 "runnext"', '4 "half"') + ENDED,
        "what is not there",
    ),
    (STOLEN.replace("RunqLen 0 0\n5", "RunqLen 1 0\n5", 1) + ENDED, "there are 0 G's"),
    (STOLEN.replace("6 P1 M1 - RunqLen 0 0", "") + ENDED, "followed by a RunqLen"),
    (
        STOLEN
        + ENDED.replace("MPark 9", "MPark 9\n8 P1 M1 - ProcStart\n8 P1 M1 - ProcStop\n8 - M1 - MPark 9"),
        "M 1 sleeps, and nobody has woken it",
    ),
    (STOLEN + ENDED.replace("7 - M1 - MPark 9", ""), "M 1 has no P and has not parked"),
    (STOLEN + ENDED.replace("9 - M1 - MExit", ""), "this M has no MExit"),
    (STOLEN + "6 P0 M0 G1 MWake M1" + ENDED, "M 1 is not asleep"),
    (STOLEN + "6 P0 M0 G1 MWake M9" + ENDED, "there is no M 9"),
    (STOLEN + "6 P0 M0 - SpinStart\n6 P0 M0 - SpinStart" + ENDED, "spinning, which does not allow SpinStart"),
    (STOLEN.replace('"stolen"', '"direct"') + ENDED, "has stolen|does not come back"),
]


def small(text):
    return Trace.from_text(BEGIN + text + 'policy {"sysmon": false}')


def test_by_hand():
    small(STOLEN + ENDED).validate()


@pytest.mark.parametrize(("text", "rule"), WRONG)
def test_wrong_by_hand(text, rule):
    with pytest.raises(InvalidTrace, match=rule):
        small(text).validate()


def test_a_million_lookers():
    """Four P's, of which two work: one may look for work, by Go's rule, and not two."""
    rows = ["0 - M0 - ProcsChange 4"]
    for m in range(4):
        rows += [f"0 - M{m} - MStart {'-' if not m else 'M0'}", f"0 P{m} M{m} - ProcStart"]
    for m in range(4):
        rows += [f"1 P{m} M{m} - SpinStart"]
    with pytest.raises(InvalidTrace, match="2 M's look for work") as caught:
        Trace.from_text(
            'world "sim-moving"\nunfinished true\npolicy {"sysmon": false}\n' + "\n".join(rows)
        ).validate()
    assert caught.value.index == len(rows) - 2


CLOCKS = """
world "host"
clock "monotonic"
900ms - M0 - MStart
900ms P0 M0 - ProcStart
900ms P0 M0 - GoCreate G1
900ms P0 M0 G1 GoStart "local"
900ms - M1 - MStart M0
900ms P1 M1 - ProcStart
1s P0 M0 G1 GoCreate G2
{start} P1 M1 G2 GoStart "local"
3s P0 M0 G1 GoBlock "chan send"
{wake} P1 M1 G2 GoUnblock G1 "ready"
"""


@pytest.mark.parametrize(
    ("start", "wake", "right"),
    [
        ("1s", "3s", True),
        ("999999999", "3s", False),  # what takes a G is recorded after what gave it away
        ("1s", f"{3_000_000_000 - INVERSION}", True),  # a park may be seen before it is recorded
        ("1s", f"{3_000_000_000 - INVERSION - 1}", False),
    ],
)
def test_clocks_by_hand(start, wake, right):
    trace = Trace.from_text(CLOCKS.format(start=start, wake=wake))
    if right:
        trace.validate()
    else:
        with pytest.raises(InvalidTrace, match="its clock is"):
            trace.validate()


def test_a_shifted_clock():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    recorder = Recorder()
    try:
        mpg.run(mixed, procs=3, caps=HOST, stall_report=None, trace=recorder)
    finally:
        sys.setswitchinterval(before)
    trace = recorder.trace
    trace.validate()
    for m in np.unique(trace.m[trace.kind == ev.GoStart]).tolist():
        for shift in (1_000_000_000, -1_000_000_000):
            ts = trace.ts + np.where(trace.m == m, shift, 0)
            with pytest.raises(InvalidTrace):
                Trace(
                    ts,
                    *(getattr(trace, name) for name in COLUMNS[1:]),
                    strings=trace.strings,
                    metadata=trace.metadata,
                ).validate()
