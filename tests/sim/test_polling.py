"""Programs that poll: operations that do not park count, take time and let others act, so they end as on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import mpg
from mpg.sim import Costs

LIKES = ("go", "host", "host-gil")
COSTS = Costs(op=1_000)


def until(ask: Callable[[], Any]) -> Callable[[], None]:
    """A main that computes elsewhere and asks in the meantime."""

    def main() -> None:
        done: list[int] = []
        mpg.go(lambda: (mpg.work(0.01), done.append(1)))
        while not done:
            ask()

    return main


def by_try_recv() -> None:
    ch = mpg.Chan[int](1)
    mpg.go(lambda: (mpg.work(0.01), ch.send(1)))
    while ch.try_recv().index != 0:
        pass


def by_mutex() -> None:
    mutex, done = mpg.sync.Mutex(), [False]

    def compute() -> None:
        mpg.work(0.01)
        with mutex:
            done[0] = True

    mpg.go(compute)
    while True:
        with mutex:
            if done[0]:
                return


def by_select() -> None:
    a, b = mpg.Chan[int](1), mpg.Chan[int](1)
    mpg.go(lambda: (mpg.work(0.01), a.send(1)))
    while mpg.select(mpg.recv_case(a), mpg.recv_case(b), default=True).index < 0:
        pass


def by_clock() -> None:
    end = mpg.now() + 0.01
    while mpg.now() < end:
        pass


def by_number() -> None:
    mpg.go(mpg.work, 0.01)
    while mpg.num_goroutine() > 1:
        pass


MAINS = {
    "try_recv": by_try_recv,
    "mutex": by_mutex,
    "select": by_select,
    "clock": by_clock,
    "num_goroutine": by_number,
    "sleep": until(lambda: mpg.sleep(0)),
    "gosched": until(mpg.gosched),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("procs", [1, 2])
@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize("main", MAINS.values(), ids=list(MAINS))
def test_polling_ends(main: Callable[[], None], like: str, procs: int) -> None:
    found = mpg.simulate(main, procs=procs, like=like, costs=COSTS, patience=20_000)
    found.trace.validate()
    assert 0.009 < found.now < 0.05


@pytest.mark.timeout(60)
@pytest.mark.parametrize("main", [by_try_recv, by_mutex])
def test_the_presets_have_a_price(main: Callable[[], None]) -> None:
    assert mpg.simulate(main, procs=2, costs="cpython", trace=False).now == pytest.approx(0.01, rel=0.1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("procs", [1, 2])
@pytest.mark.parametrize("main", [by_try_recv, by_mutex, by_clock, by_number, MAINS["sleep"]])
def test_polling_for_nothing_is_ended_by_patience(main: Callable[[], None], procs: int) -> None:
    with pytest.raises(
        mpg.SimulationError, match=r"20000 steps without .*busy: goroutine 1 \(.*`op`"
    ) as caught:
        mpg.simulate(main, procs=procs, costs="zero", patience=20_000)
    assert "virtual time" in str(caught.value)


@pytest.mark.timeout(60)
def test_at_one_time_others_get_their_turn() -> None:
    """Nothing costs anything, and what is waited for is done by another M at the same time."""

    def main() -> None:
        done: list[int] = []
        mpg.go(done.append, 1)  # into the ring, from which the other M steals it
        mpg.go(int)
        mutex = mpg.sync.Mutex()
        while not done:
            with mutex:
                pass

    assert mpg.simulate(main, procs=2, costs="zero", patience=20_000).now == 0


@pytest.mark.timeout(60)
def test_operations_are_charged() -> None:
    def main() -> None:
        mutex = mpg.sync.Mutex()
        for _ in range(1_000):
            with mutex:
                pass

    assert mpg.simulate(main, procs=1, costs=Costs(op=100)).now == pytest.approx(2_000 * 100e-9, abs=1e-5)
    assert mpg.simulate(main, procs=1, costs="zero").now == 0
