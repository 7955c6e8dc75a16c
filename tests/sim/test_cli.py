"""`mpg sim`, in this process."""

from __future__ import annotations

import json

import pytest

import mpg
from mpg.cli import main
from mpg.sim.check import Check, check
from mpg.sim.cli import seconds
from mpg.sim.scenarios import Scenario, measure
from mpg.sim.workloads import WORKLOADS


def said(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    status = main(["sim", *args])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_workload_has_a_table(capsys, name):
    status, out, err = said(capsys, name, "--procs", "1,4", "--seed", "1")
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert "makespan" in head
    assert [row.split()[0] for row in rows] == ["1", "4"]
    assert {len(row) for row in rows} == {len(head)}


def test_the_table_is_what_is_measured(capsys):
    _, out, _ = said(capsys, "fork_join", "--procs", "2", "--seed", "1", "--height", "4", "--costs", "zero")
    found = measure(Scenario("fork_join", {"height": 4}, procs=2, seed=1, costs="zero"))
    procs, *cells = out.splitlines()[1].split()
    assert procs == "2"
    assert cells[:2] == seconds(found.makespan).split()
    assert cells[2:5] == [f"{found.utilisation:.1%}", str(found.steals), str(found.handoffs)]
    assert cells[5:] == [*seconds(found.latency_p50).split(), *seconds(found.latency_p99).split()]


def test_the_trace_is_that_of_the_last_run(capsys, tmp_path):
    path = tmp_path / "out.npz"
    options = ("--procs", "1,2", "--seed", "1", "--like", "host", "--trace", str(path))
    assert said(capsys, "unequal", *options, "--count", "9")[0] == 0
    trace = mpg.trace.load(path)
    trace.validate()
    assert (trace.metadata["procs"], trace.metadata["seed"], trace.metadata["like"]) == (2, 1, "host")
    assert trace.names.count("GoCreate") == 10


def test_trace_that_cannot_be_saved(capsys, tmp_path):
    status, out, err = said(capsys, "hog", "--trace", str(tmp_path / "no" / "out.npz"))
    assert status == 1
    assert len(out.splitlines()) == 2
    assert err.startswith("mpg sim: FileNotFoundError: ")
    assert len(err.splitlines()) == 1


def test_program_that_fails(capsys, monkeypatch):
    def failing() -> None:
        """Fail: always."""
        mpg.Chan[int](-1)

    monkeypatch.setitem(WORKLOADS, "hog", failing)
    status, _, err = said(capsys, "hog")
    assert status == 1
    assert err == "mpg sim: ValueError: makechan: size out of range: -1\n"


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("blocking_server", "--how", "often"), "how is one of blocking, to_thread, stall, not 'often'"),
        (("fork_join", "--node", "inf"), "node is a number of seconds, from 0 to below 9e9, not inf"),
        (("producers_consumers", "--consumers", "0"), "consumers is an int of at least 1, not 0"),
        (("unequal", "--shortest", "0"), "shortest is a positive number of seconds, below 9e9, not 0.0"),
        (("spawn_tree", "--jitter", "-2"), "jitter is a number from 0 to 1, not -2.0"),
    ],
)
def test_what_a_workload_refuses(capsys, args, line):
    assert said(capsys, *args) == (2, "", f"mpg sim {args[0]}: {line}\n")


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("fly",),
        ("hog", "--procs", "0"),
        ("hog", "--procs", "1,,2"),
        ("hog", "--procs", "two"),
        ("hog", "--procs", "1,100000000"),
        ("hog", "--like", "python"),
        ("hog", "--costs", "much"),
        ("hog", "--shorts", "1.5"),
        ("check", "--steal", "all"),
        ("check", "--procs", "1,2"),
        ("check", "--procs", "100000000"),
        ("check", "--load", "high"),
    ],
    ids=lambda args: " ".join(args) or "nothing",
)
def test_wrong_usage(capsys, args):
    with pytest.raises(SystemExit) as exit_status:
        main(["sim", *args])
    out, err = capsys.readouterr()
    assert (exit_status.value.code, out) == (2, "")
    assert err.startswith("usage: mpg sim")


@pytest.mark.parametrize("command", [(), ("check",), *[(name,) for name in WORKLOADS]], ids=" ".join)
def test_help(capsys, command):
    with pytest.raises(SystemExit) as exit_status:
        main(["sim", *command, "--help"])
    assert exit_status.value.code == 0
    assert capsys.readouterr().out.startswith("usage: mpg sim")


@pytest.mark.parametrize(
    ("steal", "victims", "theory", "z"),
    [("half", "scan", True, True), ("one", "one", True, False), ("half", "one", False, False)],
)
def test_check_as_json(capsys, steal, victims, theory, z):
    options = {"procs": "4", "load": "0.5", "steal": steal, "victims": victims, "horizon": "300", "seed": "1"}
    status, out, err = said(
        capsys, "check", "--json", *[word for name, value in options.items() for word in (f"--{name}", value)]
    )
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert tuple(found) == Check._fields
    assert (found["theory"] is not None, found["z"] is not None) == (theory, z)
    assert found == check(4, 0.5, steal=steal, victims=victims, horizon=300.0, seed=1)._asdict()


def test_check_for_people(capsys):
    status, out, err = said(capsys, "check", "--horizon", "200")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        "jobs",
        "mean",
        "theory",
        "attempts",
        "successes",
    ]
    assert "z = " in out


@pytest.mark.parametrize("horizon", ["inf", "nan", "0", "-1"])
def test_check_without_an_end(capsys, horizon):
    status, out, err = said(capsys, "check", "--horizon", horizon)
    assert (status, out) == (1, "")
    assert (
        err == f"mpg sim check: horizon is a positive number of seconds, below 9e9, not {float(horizon)!r}\n"
    )


def test_check_of_nothing(capsys):
    status, out, err = said(capsys, "check", "--load", "2")
    assert (status, out) == (1, "")
    assert err == "mpg sim check: the load is between 0 and 1, both excluded, not 2.0\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 ns"),
        (7e-7, "700 ns"),
        (1e-6, "1 us"),
        (0.00123456, "1.235 ms"),
        (61.5, "61.5 s"),
        (float("nan"), "-"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text
