"""Every protocol between M's under all its schedules: quickly at one preemption, slowly at the model's bound.

The counts are printed: `pytest -m slow -s tests/explorer`.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from explorer.models import MODELS, Model

TOTAL = 60.0  #: seconds that all models together may take on an idle machine


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_one_preemption(model: Model) -> None:
    found = replace(model, preemptions=1).explore(checks=True)
    assert found.complete
    assert found.points > 10


@pytest.mark.slow
def test_every_schedule() -> None:
    began = time.process_time()
    for name, model in MODELS.items():
        found = model.explore()
        assert found.complete
        print(
            f"{name:42}{model.preemptions:3} preemptions{found.schedules:8} schedules{found.seconds:7.2f} s"
        )
    print(f"{time.process_time() - began:.1f} s of CPU time in all")
