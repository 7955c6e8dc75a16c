"""What ends a simulation, what it warns about, and bad input."""

from __future__ import annotations

import re
import warnings
from math import inf
from typing import Any

import pytest
from sim.worlds import LIKES, simulate

import mpg


def test_a_program_that_does_not_advance_is_ended() -> None:
    def main() -> None:
        while True:
            mpg.gosched()

    with pytest.raises(mpg.SimulationError, match=r"5000 steps without .*goroutine 1 \(.*main\)"):
        simulate(main, costs="zero", patience=5000)


def test_a_long_step_is_warned_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from mpg.sim import world

    clock = iter(range(0, 10**6, 5))
    monkeypatch.setattr(world, "perf_counter", lambda: float(next(clock)))

    def main() -> None:
        for _ in range(10):
            mpg.gosched()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        simulate(main, procs=1)
    assert len(caught) == 1
    assert "5.0 s of real time" in str(caught[0].message)


@pytest.mark.parametrize("like", LIKES)
def test_the_warning_names_who_did_it(like: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mpg.sim import world

    clock = [0.0]
    monkeypatch.setattr(world, "perf_counter", lambda: clock[0])

    def slow() -> None:
        mpg.work(1e-4)
        clock[0] += 7.0

    def main() -> None:
        wg = mpg.sync.WaitGroup()
        wg.go(mpg.work, 2e-4)
        wg.go(slow)
        wg.go(mpg.work, 1e-4)
        wg.wait()

    code = slow.__code__
    where = rf"7.0 s of real time in goroutine \d+ \(.*slow\) at {code.co_filename}:{code.co_firstlineno}"
    with pytest.warns(RuntimeWarning, match=where):
        simulate(main, procs=2, like=like)


def test_sockets_and_unknown_calls_say_so() -> None:
    def listens() -> None:
        with mpg.net.listen("127.0.0.1:0") as listener:
            listener.accept()

    with pytest.raises(mpg.SimulationError, match="G 1 "):
        simulate(listens)
    for like in LIKES:
        with pytest.raises(mpg.SimulationError, match=r"to_thread\(len\).*goroutine 1 .*virtual time 0\.25"):
            simulate(lambda: (mpg.work(0.25), mpg.to_thread(len, "abc")), like=like, costs="zero")


def test_a_g_that_raises_names_itself_and_the_time() -> None:
    def fails() -> None:
        mpg.work(0.5)
        raise KeyError("x")

    def main() -> None:
        mpg.go(fails)
        mpg.sleep(1)

    with pytest.raises(KeyError) as caught:
        simulate(main, costs="zero")
    notes = " ".join(caught.value.__notes__)
    assert "fails" in notes
    assert "virtual time 0.5" in notes
    caught.value.trace.validate()  # type: ignore[attr-defined]


@pytest.mark.parametrize("like", LIKES)
def test_a_deadlock_names_the_g_s_and_the_time(like: str) -> None:
    def main() -> None:
        mpg.sleep(0.25)
        mpg.Chan[int]().recv()

    with pytest.raises(mpg.DeadlockError, match="all goroutines are asleep") as caught:
        simulate(main, like=like, costs="zero")
    assert "virtual time 0.25" in " ".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"procs": 0}, ValueError),
        ({"procs": True}, TypeError),
        ({"procs": 2.0}, TypeError),
        ({"procs": 10**8}, ValueError),
        ({"seed": "x"}, TypeError),
        ({"patience": 0}, ValueError),
        ({"patience": 1e6}, TypeError),
        ({"patience": None}, TypeError),
        ({"invariants": -1}, ValueError),
        ({"invariants": True}, TypeError),
        ({"invariants": "x"}, TypeError),
        ({"like": "java"}, ValueError),
        ({"costs": "free"}, ValueError),
        ({"costs": {}}, ValueError),
        ({"like": []}, ValueError),
        ({"policy": "x"}, TypeError),
        ({"policy": {}}, TypeError),
    ],
)
def test_bad_arguments(arguments: Any, error: type[Exception]) -> None:
    (name,) = arguments
    with pytest.raises(error, match=f"^{name} is "):
        simulate(int, **arguments)


@pytest.mark.parametrize("call", [mpg.work, mpg.stall])
def test_a_negative_time(call: Any) -> None:
    def main() -> None:
        mpg.work(0.125)
        call(-1)

    with pytest.raises(ValueError, match="negative") as caught:
        simulate(main, costs="zero")
    assert "goroutine 1 (" in " ".join(caught.value.__notes__)
    assert "virtual time 0.125" in " ".join(caught.value.__notes__)


@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize(
    "call",
    [
        lambda: mpg.work(inf),
        lambda: mpg.stall(10**400),
        lambda: mpg.to_thread(mpg.work, inf),
        lambda: mpg.to_thread(mpg.stall, inf),
        lambda: mpg.to_thread(int, cost=inf),
    ],
    ids=["work", "stall", "work elsewhere", "stall elsewhere", "call"],
)
def test_what_takes_for_ever(call: Any, like: str) -> None:
    with pytest.raises(mpg.SimulationError, match=r"without an end cannot be simulated, at .*virtual time"):
        simulate(call, like=like)


def test_a_call_elsewhere_can_sleep_and_not_wait() -> None:
    def main() -> None:
        before = mpg.now()
        mpg.to_thread(mpg.sleep, 0.25, cost=0)
        assert mpg.now() - before == 0.25
        numbers = mpg.Chan[int]()
        for wait in (numbers.recv, lambda: mpg.select(mpg.recv_case(numbers), timeout=1)):
            with pytest.raises(mpg.SimulationError, match="cannot wait for anything"):
                mpg.to_thread(wait, cost=0)
        assert numbers.try_recv().ok is False

    simulate(main, like="host", costs="zero")


@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize("sysmon", [True, False])
def test_everybody_sleeps_for_ever(like: str, sysmon: bool) -> None:
    def main() -> None:
        mpg.go(mpg.sleep, 1e300)
        mpg.sleep(2.0)
        mpg.after(inf).recv()

    with pytest.raises(mpg.DeadlockError) as caught:
        simulate(main, like=like, policy=mpg.sim.Policy(sysmon=sysmon))
    assert sorted(re.split("[],]", line)[0] for line in caught.value.goroutines) == [
        "goroutine 1 [chan receive",
        "goroutine 2 [sleep",
    ]


def test_who_sleeps_for_ever_ends_with_the_run() -> None:
    def main() -> None:
        mpg.go(mpg.sleep, inf)
        mpg.work(0.5)

    assert simulate(main, costs="zero").now == 0.5


def test_after_an_infinite_gap_nobody_comes() -> None:
    def main() -> None:
        mpg.sim.arrivals(0, [0.5, inf, 0.5], float)
        mpg.Chan[int]().recv()

    with pytest.raises(mpg.DeadlockError) as caught:
        simulate(main, costs="zero")
    assert "virtual time 0.5" in " ".join(caught.value.__notes__)


def test_not_inside_a_run_and_no_function() -> None:
    with pytest.raises(TypeError, match="function"):
        mpg.simulate(3)  # type: ignore[arg-type]

    def main() -> None:
        with pytest.raises(RuntimeError, match="inside a run"):
            mpg.simulate(int)

    simulate(main)
    mpg.run(main)


def test_a_primitive_of_a_simulation_outside_of_it() -> None:
    ch = simulate(lambda: mpg.Chan[int](1)).value
    with pytest.raises(mpg.MpgError):
        ch.send(1)
