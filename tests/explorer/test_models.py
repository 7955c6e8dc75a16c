"""Every protocol between M's under all its schedules: quickly at one preemption, slowly at the model's bound.

The counts are printed: `pytest -m slow -s tests/explorer`.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from explorer.models import MODELS, Model

MOST = 90_000  #: schedules of all models together: some two minutes of CPU time


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_one_preemption(model: Model) -> None:
    found = replace(model, preemptions=1).explore()
    assert found.complete
    assert found.points > 10


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_invariants_at_every_choice_point(model: Model) -> None:
    assert replace(model, preemptions=0).explore(checks=True).complete


@pytest.mark.slow
def test_invariants_at_every_choice_point_with_one_preemption() -> None:
    for model in MODELS.values():
        assert replace(model, preemptions=1).explore(checks=True).complete


@pytest.mark.slow
def test_every_schedule() -> None:
    began, schedules = time.process_time(), 0
    for name, model in MODELS.items():
        found = model.explore()
        assert found.complete
        schedules += found.schedules
        print(
            f"{name:42}{model.preemptions:3} preemptions{found.schedules:8} schedules{found.seconds:7.2f} s"
        )
    print(f"{schedules} schedules, {time.process_time() - began:.1f} s of CPU time in all")
    assert schedules < MOST
