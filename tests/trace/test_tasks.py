"""Tasks: who belongs to them; and what a trace's metadata and objects say."""

import json
import pickle
import threading

import pytest
from sim.programs import answer, mixed

import mpg
from mpg.port import HOST
from mpg.sim import GO
from mpg.sim.costs import COSTS
from mpg.sim.knobs import Policy
from mpg.trace import Recorder, Trace, derive, log, task

BY_HAND = """
0 P0 M0 - ProcStart
0 P0 M0 - GoCreate G1 "main"
0 P0 M0 G1 GoStart "local"
1 P0 M0 G1 TaskBegin "order" 1
2 P0 M0 G1 GoCreate G2 "pack"
2 P0 M0 - GoTask G2 1
3 P0 M0 G1 TaskBegin "pay" 2
4 P0 M0 G1 GoCreate G3 "bill"
4 P0 M0 - GoTask G3 2
5 P0 M0 G1 TaskEnd "pay" 2
6 P0 M0 G1 GoCreate G4 "send"
6 P0 M0 - GoTask G4 1
9 P0 M0 G1 GoEnd
"""


def test_by_hand():
    trace = Trace.from_text(BY_HAND)
    trace.validate()
    rows = derive.tasks(trace)
    assert rows[["task", "t0", "t1", "g", "gs", "begin", "end"]].tolist() == [
        (1, 1, 9, 1, 3, 3, -1),
        (2, 3, 5, 1, 2, 6, 9),
    ]
    assert [trace.string(name) for name in rows["name"].tolist()] == ["order", "pay"]
    assert derive.task_gs(trace).tolist() == [(1, 1), (1, 2), (1, 4), (2, 1), (2, 3)]
    assert "(bill) is created by G 1 in task 2 and queued on P 0" in trace.story(3)
    assert [line.split() for line in trace.summary().splitlines()[-2:]] == [
        ["order", "1", "8", "ns", "3"],
        ["pay", "1", "2", "ns", "2"],
    ]


def test_a_task_that_began_before():
    trace = Trace.from_text(BY_HAND).filter(t0=4)
    rows = derive.tasks(trace)
    assert rows[["task", "t0", "t1", "g", "gs", "begin"]].tolist() == [(2, -1, 5, 1, 2, -1)]
    assert derive.task_gs(trace).tolist() == [(1, 4), (2, 1), (2, 3)]
    assert "?" in trace.summary()


def test_no_tasks():
    trace = mpg.simulate(answer).trace
    assert not len(derive.tasks(trace))
    assert not len(derive.task_gs(trace))
    assert "tasks" not in trace.summary()


def family():
    """Main begins a task; its child and grandchild belong to it, whether or not they log."""
    done = mpg.Chan()

    def child():
        mpg.go(grandchild)

    def grandchild():
        log("here")
        done.send(1)

    mpg.go(int).join()
    with task("family"):
        mpg.go(child)
        done.recv()
    mpg.go(int).join()


@pytest.mark.parametrize("run", ["go", "host", "real"])
def test_children_included(run):
    recorder = Recorder()
    if run == "real":
        mpg.run(family, procs=2, trace=recorder)
    else:
        mpg.simulate(family, like=run, trace=recorder)
    trace = recorder.trace
    trace.validate()
    (row,) = derive.tasks(trace)
    assert row["g"] == 1
    names = {
        int(a): trace.string(int(b))
        for a, b, name in zip(trace.a, trace.b, trace.names, strict=True)
        if name == "GoCreate"
    }
    members = [names[g].rpartition(".")[2] for g in derive.task_gs(trace)["g"].tolist()]
    assert sorted(members) == ["child", "family", "grandchild"]
    assert row["gs"] == 3


def test_a_bounded_recorder_remembers_tasks():
    def main():
        with task("long"):
            quiet = mpg.go(mpg.sleep, 1.0)
            for _ in range(3000):
                mpg.gosched()
            return quiet.id

    recorder = Recorder(2000)
    quiet = mpg.simulate(main, procs=1, trace=recorder).value
    trace = recorder.trace
    trace.validate()
    assert trace.metadata["dropped"] > 0
    assert quiet in derive.task_gs(trace)["g"]


# -- Metadata.


def test_metadata_of_a_run():
    recorder = Recorder()
    mpg.run(mixed, procs=2, caps=HOST, stall_report=None, trace=recorder)
    trace = recorder.trace
    data = trace.metadata
    for key in ("world", "python", "gil", "switch_interval", "cpus", "procs", "pid", "started", "started_ns"):
        assert key in data, key
    assert data["threads"]["0"] == threading.get_native_id()
    assert {int(m) for m in data["threads"]} == set(trace.m[trace.m >= 0].tolist())
    assert len(set(data["threads"].values())) == len(data["threads"])
    assert abs(data["started_ns"] - int(trace.ts[0])) < 1e9
    json.dumps(dict(data))


def test_metadata_of_a_simulation():
    policy = Policy(spinning=0.25, slice=None)
    one, two = (mpg.simulate(answer, seed=3, policy=policy, like="host").trace for _ in range(2))
    assert dict(one.metadata) == dict(two.metadata)
    assert one.metadata["policy"]["spinning"] == 0.25
    assert one.metadata["policy"]["slice"] is None
    assert (one.metadata["costs"], one.metadata["like"], one.metadata["seed"]) == ("cpython", "host", 3)
    for key in ("pid", "python", "cpus", "threads", "started"):
        assert key not in one.metadata
    custom = mpg.simulate(answer, like=GO, costs=COSTS["go"]).trace
    assert custom.metadata["costs"]["switch"] == COSTS["go"].switch
    assert custom.metadata["like"]["stacks_move"] is True
    json.dumps(dict(custom.metadata))
    assert custom.digest() == pickle.loads(pickle.dumps(custom)).digest()


# -- What is waited for.


def objects(trace):
    """Of each G's last wait: reason and object."""
    rows = derive.waits(trace)
    return {g: (trace.string(reason), obj) for g, reason, obj in rows[["g", "reason", "object"]].tolist()}


@pytest.mark.parametrize("like", ["go", "host"])
def test_objects_of_select_and_join(like):
    def main():
        a, b = mpg.Chan(), mpg.Chan()
        one = mpg.go(mpg.select, mpg.recv_case(a))
        same = mpg.go(mpg.select, mpg.recv_case(a), mpg.recv_case(a), timeout=1.0)
        two = mpg.go(mpg.select, mpg.recv_case(a), mpg.recv_case(b))
        plain = mpg.go(a.recv)
        joins = [mpg.go(two.join) for _ in range(2)]
        mpg.sleep(1e-3)
        return [g.id for g in (one, same, two, plain, *joins)]

    result = mpg.simulate(main, procs=1, like=like)
    found = objects(result.trace)
    one, same, two, plain, first, second = (found[g] for g in result.value)
    assert same[0] == two[0] == "select"
    assert one[0] == plain[0] == "chan receive"  # a select of one case is that operation
    assert one[1] == same[1] == plain[1] > 0
    assert two[1] == -1
    assert first[0] == "join"
    assert first == second
    assert first[1] not in (-1, plain[1])


def test_objects_of_io():
    def main():
        server = mpg.net.listen(("127.0.0.1", 0))
        client = mpg.net.dial(server.addr)
        conn = server.accept()
        readers = [mpg.go(c.recv, 10) for c in (client, conn)]
        mpg.sleep(0.02)
        client.send(b"x")
        conn.send(b"x")
        for reader in readers:
            reader.join()
        for sock in (client, conn, server):
            sock.close()
        return [reader.id for reader in readers]

    recorder = Recorder()
    ids = mpg.run(main, procs=1, trace=recorder)
    found = objects(recorder.trace)
    (why, a), (_, b) = (found[g] for g in ids)
    assert why == "IO wait"
    assert a > 0
    assert b > 0
    assert a != b


def test_no_such_event():
    trace = mpg.simulate(answer).trace
    with pytest.raises(ValueError, match="there is no event 'Nope'"):
        trace.filter(kind="Nope")
    with pytest.raises(ValueError, match="there is no event 77"):
        trace.filter(kind=["GoStart", 77])
    assert len(trace.filter(kind=["GoStart", 3]))
