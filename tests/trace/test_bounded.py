"""A full recorder: what it keeps is complete in itself, and dropping the rest is cheap."""

from __future__ import annotations

from typing import Any

import pytest
from recording import KINDS, record
from sim.programs import mixed

import mpg
from mpg import status as st
from mpg.trace import Recorder, derive, flight
from mpg.trace.stream import WIDTH


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [1000, 2500])
def test_a_bounded_recording_is_complete_in_itself(kind: str, limit: int) -> None:
    trace = record(kind, mixed, Recorder(limit))
    assert trace.metadata["dropped"] > 0
    assert limit * 0.8 < len(trace) < limit * 2 + 1000  # a record may be two events
    first = trace.names.index("Dropped")
    assert (first, int(trace.a[first])) == (0, trace.metadata["dropped"])
    spans = derive.spans_g(trace)
    assert (spans["state"] == st.GRUNNING).any()
    assert (
        'GoName of=G1 name="mixed"' in trace.to_text()
    )  # the names of G's that were created long ago are still there


def test_what_is_dropped_is_counted_and_the_rest_is_the_same() -> None:
    whole = record("go", mixed, Recorder())
    part = record("go", mixed, Recorder(1000))
    assert whole.metadata["dropped"] == 0
    n = len(whole) - part.metadata["dropped"]
    for column in ("ts", "kind", "p", "m", "g", "a"):
        assert getattr(whole, column)[-n:].tolist() == getattr(part, column)[-n:].tolist()


@pytest.mark.parametrize("limit", [1000, 8000])
def test_what_is_dropped_at_a_time_does_not_grow_with_what_is_kept(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    ordered = flight.ordered

    def looking(head: Any, found: Any, **knobs: Any) -> Any:
        looked.append(sum(part.shape[1] for part in found))
        return ordered(head, found, **knobs)

    monkeypatch.setattr(flight, "ordered", looking)

    def main() -> None:
        g = mpg.go(turns)
        turns()
        g.join()

    def turns() -> None:
        for _ in range(6000):
            mpg.gosched()

    rec = Recorder(limit)
    rec.chunk = 50 * WIDTH
    mpg.run(main, procs=1, trace=rec)
    assert len(looked) > 10
    assert max(looked) < 400  # two chunks, and by how much the limit was exceeded
    rec.trace.validate()


@pytest.mark.parametrize("limit", [0, 999, True, "many", None])
def test_a_bad_limit(limit: Any) -> None:
    with pytest.raises(ValueError, match="limit"):
        Recorder(limit)
