"""Rotations: yields of which the times alone are written down (`foretell.py`), as the G's themselves note them."""

from __future__ import annotations

import pytest
from whoran import Yielders, stamps, starts, told

import mpg
from mpg.trace import Recorder
from mpg.trace import events as ev
from mpg.trace.pen import Pen
from mpg.trace.stream import WIDTH

pytestmark = pytest.mark.usefixtures("no_preemption")


@pytest.mark.parametrize("others", [(), ("log",), ("go", "chan", "sleep", "log", "to_thread")])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_out_of_rotations_is_what_happened(seed: int, others: tuple[str, ...]) -> None:
    program, rec = Yielders(seed, others), Recorder()
    trace = program.run(rec)
    assert told([g for g in starts(trace) if g in {*program.ran}]) == told(program.ran)
    assert stamps(rec) > len(told(program.ran)) * (0.2 if others[1:] else 0.6)
    short = Recorder(1000)
    short.chunk = 20 * WIDTH
    program = Yielders(seed, others)
    ran = told([g for g in starts(program.run(short)) if g in {*program.ran}])
    assert ran == told(program.ran)[-len(ran) :]


@pytest.mark.parametrize("seed", range(4))
def test_rotations_on_several_ms(seed: int) -> None:
    """A G stays on its M; of each M the order is known."""
    program = Yielders(seed, ("go", "chan", "log"))
    trace = program.run(Recorder(), procs=3)
    begun = trace.kind == ev.GoStart
    home = dict(zip(trace.g[begun].tolist(), trace.m[begun].tolist(), strict=True))
    for m in set(home.values()):
        noted = [g for g in program.ran if home[g] == m]
        assert told([g for g in starts(trace) if home[g] == m and g in {*noted}]) == told(noted)


def test_a_rotation_that_is_not_fair_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each 61st time the global side is served first, before its turn."""
    monkeypatch.setattr(Pen, "fair", lambda pen, mp: None)
    program = Yielders(0, ())
    with pytest.raises((AssertionError, mpg.trace.InvalidTrace)):
        assert told([g for g in starts(program.run(Recorder())) if g in {*program.ran}]) == told(program.ran)
