"""What operations raise for bad input, in every world, is what their docstrings say."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from conformance.worlds import World

import mpg
from mpg import recv_case, select, send_case
from mpg.timer import FuncTimer

NAN, INF = float("nan"), float("inf")

Call = Callable[..., Any]

elsewhere = mpg.simulate(lambda: mpg.Chan[int](1)).value


def blocked(call: Call, *args: Any) -> None:
    with mpg.blocking():
        call(*args)


def send_on_closed() -> None:
    ch = mpg.Chan[int](1)
    ch.close()
    select(send_case(ch, 1))


def reset_func(seconds: Any, within: Call = lambda call, *args: call(*args)) -> None:
    timer = mpg.after_func(1, int)
    try:
        within(timer.reset, seconds)
    finally:
        timer.stop()


# What is documented, a call, what it raises.
EVERYWHERE: list[tuple[Any, Call, type[Exception]]] = [
    (mpg.sleep, lambda: mpg.sleep("1"), TypeError),  # type: ignore[arg-type]
    (mpg.sleep, lambda: mpg.sleep(NAN), ValueError),
    (mpg.sleep, lambda: blocked(mpg.sleep, 1), RuntimeError),
    (mpg.after, lambda: mpg.after(None), TypeError),  # type: ignore[arg-type]
    (mpg.after, lambda: mpg.after(NAN), ValueError),
    (mpg.Timer, lambda: mpg.Timer("1"), TypeError),  # type: ignore[arg-type]
    (mpg.Timer, lambda: mpg.Timer(NAN), ValueError),
    (mpg.Timer.reset, lambda: mpg.Timer(1).reset("1"), TypeError),  # type: ignore[arg-type]
    (mpg.Timer.reset, lambda: mpg.Timer(1).reset(NAN), ValueError),
    (mpg.Ticker, lambda: mpg.Ticker("1"), TypeError),  # type: ignore[arg-type]
    (mpg.Ticker, lambda: mpg.Ticker(NAN), ValueError),
    (mpg.Ticker, lambda: mpg.Ticker(0), ValueError),
    (mpg.Ticker.reset, lambda: mpg.Ticker(1).reset("1"), TypeError),  # type: ignore[arg-type]
    (mpg.Ticker.reset, lambda: mpg.Ticker(1).reset(NAN), ValueError),
    (mpg.Ticker.reset, lambda: mpg.Ticker(1).reset(0), ValueError),
    (mpg.after_func, lambda: mpg.after_func(1, 1), TypeError),  # type: ignore[arg-type]
    (mpg.after_func, lambda: mpg.after_func("1", int), TypeError),  # type: ignore[arg-type]
    (mpg.after_func, lambda: mpg.after_func(NAN, int), ValueError),
    (mpg.after_func, lambda: blocked(mpg.after_func, 1, int), RuntimeError),
    (FuncTimer.reset, lambda: reset_func("1"), TypeError),
    (FuncTimer.reset, lambda: reset_func(NAN), ValueError),
    (FuncTimer.reset, lambda: reset_func(1, blocked), RuntimeError),
    (recv_case, lambda: recv_case(1), TypeError),  # type: ignore[arg-type]
    (send_case, lambda: send_case(1, 1), TypeError),  # type: ignore[arg-type]
    (select, lambda: select(1), TypeError),  # type: ignore[arg-type]
    (select, lambda: select(timeout="1"), TypeError),  # type: ignore[arg-type]
    (select, lambda: select(timeout=NAN), ValueError),
    (select, lambda: select(default=True, timeout=1), ValueError),
    (select, lambda: select(recv_case(elsewhere), default=True), mpg.MpgError),
    (select, lambda: blocked(select), RuntimeError),
    (select, send_on_closed, mpg.ChanPanic),
    (mpg.to_thread, lambda: mpg.to_thread(1), TypeError),  # type: ignore[arg-type]
    (mpg.to_thread, lambda: blocked(mpg.to_thread, mpg.stall, 0), RuntimeError),
    (mpg.work, lambda: mpg.work("1"), TypeError),  # type: ignore[arg-type]
    (mpg.work, lambda: mpg.work(-1), ValueError),
    (mpg.work, lambda: mpg.work(NAN), ValueError),
    (mpg.stall, lambda: mpg.stall("1"), TypeError),  # type: ignore[arg-type]
    (mpg.stall, lambda: mpg.stall(-1), ValueError),
    (mpg.stall, lambda: mpg.stall(NAN), ValueError),
]
IN_VIRTUAL_TIME: list[tuple[Any, Call, type[Exception]]] = [
    (mpg.to_thread, lambda: mpg.to_thread(int, cost="1"), TypeError),  # type: ignore[arg-type]
    (mpg.to_thread, lambda: mpg.to_thread(int, cost=-1), ValueError),
    (mpg.to_thread, lambda: mpg.to_thread(int, cost=NAN), ValueError),
    (mpg.to_thread, lambda: mpg.to_thread(int), mpg.SimulationError),
    (mpg.to_thread, lambda: mpg.to_thread(int, cost=INF), mpg.SimulationError),
    (mpg.work, lambda: mpg.work(INF), mpg.SimulationError),
    (mpg.stall, lambda: mpg.stall(INF), mpg.SimulationError),
]
OUTSIDE: list[tuple[Any, Call, type[Exception]]] = [
    (mpg.after_func, lambda: mpg.after_func(1, int), RuntimeError),
    (mpg.to_thread, lambda: mpg.to_thread(int), RuntimeError),
]


def raised(documented: Any) -> set[str]:
    """The exceptions that a docstring names."""
    _, _, section = inspect.cleandoc(documented.__doc__).partition("\nRaises:\n")
    return set(re.findall(r"^    (\w+):", section, re.MULTILINE))


def check(cases: list[tuple[Any, Call, type[Exception]]]) -> None:
    for documented, call, error in cases:
        with pytest.raises(error) as caught:
            call()
        assert caught.type is error
        assert error.__name__ in raised(documented), documented


def test_in_every_world(world: World) -> None:
    world.run(check, EVERYWHERE + IN_VIRTUAL_TIME * world.virtual)


def test_outside_of_any() -> None:
    check(OUTSIDE)


def test_nothing_else_is_documented() -> None:
    cases = EVERYWHERE + IN_VIRTUAL_TIME + OUTSIDE
    for documented in {documented for documented, _, _ in cases}:
        assert raised(documented) == {error.__name__ for one, _, error in cases if one is documented}
