"""What a simulation counts by itself: right for the whole run, however little of it a full recorder has kept."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest

import mpg
from mpg.cli import main as command
from mpg.sim import Scenario, scenarios
from mpg.sim.scenarios import run_scenario
from mpg.sim.workloads import WORKLOADS
from mpg.trace import Recorder, Trace, derive
from mpg.trace.lanes import RUNNING

NAN = float("nan")
LIKES = ("go", "host", "host-gil")
LONG = Scenario("ping_pong", {"pairs": 2, "hops": 600, "node": 1e-6}, procs=4, seed=1)


def ran(trace: Trace, span: int) -> int:
    """For how long P's ran G's in the first `span` ns, read off the trace."""
    spans = derive.spans_p(trace)
    spans = spans[spans["state"] == RUNNING]
    end = int(spans["t0"].min()) + span
    spans = spans[spans["t0"] < end]
    return int((np.minimum(spans["t1"], end) - spans["t0"]).sum())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_counters_agree_with_the_trace(workload: str, like: str) -> None:
    for procs, costs in ((1, None), (4, None), (4, "zero")):
        measured, result = run_scenario(Scenario(workload, procs=procs, like=like, costs=costs, seed=3))
        _, span, busy = result.value
        assert busy == ran(result.trace, span)
        assert measured.utilisation == (
            pytest.approx(busy / (procs * span)) if span else pytest.approx(NAN, nan_ok=True)
        )
        assert measured.steals == len(derive.steals(result.trace))
        assert measured.handoffs == len(derive.handoffs(result.trace))


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let simulations record a thousand rows and forget the others."""
    real: Any = mpg.simulate
    monkeypatch.setattr(
        scenarios, "simulate", lambda *args, trace, **knobs: real(*args, trace=Recorder(1000), **knobs)
    )


@pytest.mark.timeout(60)
def test_a_full_recorder_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = run_scenario(LONG)
    forgetful(monkeypatch)
    with pytest.warns(RuntimeWarning, match=r"latencies are nan.*dropped \d+ of \d+ events"):
        part, result = run_scenario(LONG)
    assert result.trace.metadata["dropped"] > 0
    assert whole.utilisation > 0.3
    assert part._replace(latency_p50=0, latency_p99=0) == whole._replace(latency_p50=0, latency_p99=0)
    assert math.isnan(part.latency_p50)
    assert math.isnan(part.latency_p99)
    with pytest.raises(ValueError, match=r"\d+ events were dropped"):
        result.digest()
    # The fault that this is about: the end of a trace does not tell how much P's ran in all of it.
    _, span, _ = result.value
    assert ran(result.trace, span) / (LONG.procs * span) < 0.9 * whole.utilisation


@pytest.mark.timeout(60)
def test_the_command_says_so_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sim", "ping_pong", "--procs", "4", "--pairs", "2", "--hops", "600", "--node", "1e-6"]
    assert command(arguments) == 0
    whole, err = capsys.readouterr()
    assert err == ""
    forgetful(monkeypatch)
    assert command(arguments) == 0
    part, err = capsys.readouterr()
    assert "4 P's: latencies are nan" in err
    assert part.splitlines()[1].split()[:6] == whole.splitlines()[1].split()[:6]
    assert part.split()[-2:] == ["-", "-"]


# Names.


@pytest.mark.timeout(60)
def test_the_names_of_the_package() -> None:
    program = """
import sys, mpg
assert "numpy" not in sys.modules
assert not set(mpg.sim.__all__) - set(dir(mpg.sim))
for name in mpg.sim.__all__:
    getattr(mpg.sim, name)
assert callable(mpg.sim.sweep) and callable(mpg.sim.Scenario)
assert mpg.sim.theory.mm1_time(0.5) == 2 and mpg.sim.workloads.fork_join
import mpg.sim.scenarios, mpg.sim.theory
assert callable(mpg.sim.sweep)
assert "numpy" not in sys.modules
try:
    mpg.sim.sweeps
except AttributeError as exc:
    assert "sweeps" in str(exc)
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# What a digest depends on.


def lambdas(lines: int, path: str) -> Any:
    """A program that starts lambdas, so many lines further down in that file."""
    text = (
        "\n" * lines
        + "main = lambda: [go(g).join() for g in (lambda: work(1e-3), part(lambda n: work(n), 1e-3))]"
    )
    names: dict[str, Any] = {"go": mpg.go, "work": mpg.work, "part": partial}
    exec(compile(text, path, "exec"), names)
    return names["main"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("like", LIKES)
def test_a_digest_says_nothing_of_lines_and_paths(like: str) -> None:
    runs = [mpg.simulate(lambdas(*place), like=like) for place in ((0, "/a/one.py"), (7, "/b/two.py"))]
    assert runs[0].digest() == runs[1].digest()
    assert not [text for text in runs[0].trace.strings if ".py" in text]
    sited = [
        mpg.simulate(lambdas(*place), like=like, trace=Recorder(sites=True))
        for place in ((0, "/a/one.py"), (7, "/b/two.py"))
    ]
    assert sited[0].digest() != sited[1].digest()
    assert "/b/two.py:8" in sited[1].trace.strings


@pytest.mark.timeout(60)
def test_messages_keep_the_line_of_a_lambda() -> None:
    def main() -> str:
        return mpg.go(lambda: None).name

    assert "test_counters.py:" in mpg.simulate(main).value
