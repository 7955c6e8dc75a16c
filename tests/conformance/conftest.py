"""Every test that asks for `world` runs on the host and in the simulator, with one P and with four.

The simulator runs twice: once with Go's movable stacks, once with the pinned stacks of the host.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from conformance.worlds import HOSTS, ONE_P, WORLDS, World

# Its assertions say what they compared, as those of the tests do.
pytest.register_assert_rewrite("conformance.times")


@pytest.fixture(params=WORLDS, ids=str)
def world(request: pytest.FixtureRequest) -> World:
    """Each world in turn."""
    found: World = request.param
    return found


@pytest.fixture(params=ONE_P, ids=str)
def one_p(request: pytest.FixtureRequest) -> World:
    """Each world with a single P: the order in which G's run is Go's there."""
    found: World = request.param
    return found


@pytest.fixture(params=HOSTS, ids=str)
def host(request: pytest.FixtureRequest) -> World:
    """The host, with one P and with four."""
    found: World = request.param
    return found


@pytest.fixture
def fast_switches() -> Iterator[None]:
    """Let the interpreter change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
