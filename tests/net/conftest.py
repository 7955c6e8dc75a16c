"""Every test that asks for `run` is made with each poller, with one P and with four."""

from __future__ import annotations

import pytest
from net.runs import RUNS, Run


@pytest.fixture(params=RUNS, ids=str)
def run(request: pytest.FixtureRequest) -> Run:
    """Each kind of run in turn."""
    found: Run = request.param
    return found
