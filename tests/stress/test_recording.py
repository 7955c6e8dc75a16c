"""Recordings of races: whole, of a recorder that drops events, and as they are at any moment."""

from __future__ import annotations

import threading

import pytest
from sim.programs import mixed
from stress.racing import rounds, run

import mpg

pytestmark = [pytest.mark.stress, pytest.mark.timeout(60)]


@pytest.mark.parametrize("limit", [2_000_000, 2_000])
def test_what_is_recorded_is_in_causal_order(limit: int) -> None:
    """Whole, and of a recorder that drops its oldest events meanwhile."""
    for _ in rounds():
        recorder = mpg.trace.Recorder(limit)
        run(mixed, trace=recorder)
        recorder.trace.validate()


@pytest.mark.parametrize("limit", [2_000_000, 2_000])
def test_snapshots_are_whole(limit: int) -> None:
    """What is taken at any moment, by an ordinary thread, keeps all the rules."""
    taken: list[mpg.trace.Trace] = []

    def look() -> None:
        while not recorder.over and len(taken) < 10:
            if recorder.metadata:
                taken.append(recorder.snapshot())

    def calls() -> None:
        for _ in range(3):
            with mpg.blocking():
                mpg.stall(0.0005)
            mixed()

    for _ in rounds():
        recorder = mpg.trace.Recorder(limit)
        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        run(calls, trace=recorder)
        looker.join()
        for trace in taken:
            trace.validate()
        taken.clear()
