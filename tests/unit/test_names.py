"""What a G is called: its function's name, whatever it is wrapped in."""

from __future__ import annotations

from functools import partial
from unittest.mock import MagicMock

from mpg.sched.g import func_name
from mpg.sync import WaitGroup
from mpg.sync.waitgroup import Counted


def plain() -> None:
    """A function."""


def test_names() -> None:
    assert func_name(plain) == "plain"
    assert func_name(partial(partial(plain))) == "plain"
    assert func_name(Counted(partial(plain), WaitGroup())) == "plain"
    assert func_name([].append) == "list.append"
    assert func_name(lambda: None).startswith(f"{__file__}:")


def test_what_makes_up_its_attributes_has_a_name() -> None:
    assert func_name(MagicMock()) == "MagicMock"
