"""Go's order on one P: those who wait for channels; and what all tests of the order rest on."""

from __future__ import annotations

import pytest
from conformance.order import LAST_FIRST, Log, parked
from conformance.worlds import World, check_order, is_parked, join_all, park, until

import mpg


def test_close_with_waiting_receivers(one_p: World) -> None:
    """close makes them ready from the last to the first, so the first of them runs first."""

    def main() -> Log:
        log: Log = []
        ch: mpg.Chan[int] = mpg.Chan()
        gs = parked(lambda who: (ch.recv_ok(), log.append(who)))
        ch.close()
        join_all(gs)
        return log

    check_order(one_p, main, [0, 4, 3, 2, 1])


def test_close_with_waiting_senders(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        ch: mpg.Chan[int] = mpg.Chan()

        def send(who: int) -> None:
            with pytest.raises(mpg.ChanPanic):
                ch.send(who)
            log.append(who)

        gs = parked(send)
        ch.close()
        join_all(gs)
        return log

    check_order(one_p, main, [0, 4, 3, 2, 1])


@pytest.mark.parametrize("cap", [0, 3])
def test_sends_to_waiting_receivers(one_p: World, cap: int) -> None:
    def main() -> Log:
        log: Log = []
        ch: mpg.Chan[int] = mpg.Chan(cap)
        gs = parked(lambda who: log.append((who, ch.recv())))
        for item in range(5):
            ch.send(item)
        join_all(gs)
        return log

    check_order(one_p, main, [(who, who) for who in LAST_FIRST])


@pytest.mark.parametrize("cap", [0, 3])
def test_receives_from_waiting_senders(one_p: World, cap: int) -> None:
    def main() -> tuple[Log, list[int]]:
        log: Log = []
        ch: mpg.Chan[int] = mpg.Chan(cap)
        for item in range(-cap, 0):
            ch.send(item)
        gs = parked(lambda who: (ch.send(who), log.append(who)))
        got = [ch.recv() for _ in range(5)]
        join_all(gs)
        return log, got

    check_order(one_p, main, (LAST_FIRST, list(range(-cap, 5 - cap))))


def test_sends_to_waiting_selects(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        ch, other = mpg.Chan[int](), mpg.Chan[int]()
        gs = parked(lambda who: log.append((who, mpg.select(mpg.recv_case(other), mpg.recv_case(ch)).value)))
        for item in range(5):
            ch.send(item)
        join_all(gs)
        return log

    check_order(one_p, main, [(who, who) for who in LAST_FIRST])


def test_a_pair_that_meets_over_and_over(one_p: World) -> None:
    """Each wakes the other and blocks: through runnext they alternate, and a third G waits for its turn."""

    def main() -> Log:
        log: Log = []
        ping, pong = mpg.Chan[int](), mpg.Chan[int]()

        def answer() -> None:
            for i in ping:
                log.append(("ping", i))
                pong.send(i)

        g = park(answer)
        third = mpg.go(log.append, "third")
        for i in range(3):
            ping.send(i)
            pong.recv()
            log.append(("pong", i))
        ping.close()
        join_all([g, third])
        return log

    # The first send puts the answering G before the third; then the pair keeps the slice.
    pair: Log = [(name, i) for i in range(3) for name in ("ping", "pong")]
    check_order(one_p, main, [*pair, "third"])


def test_until_and_park_keep_the_order(one_p: World) -> None:
    """What the tests above rest on: a G is parked when `park` returns, those before it still are."""

    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        gs = parked(lambda who: ch.recv())
        assert all(is_parked(g, "chan receive") for g in gs)
        until(lambda: True)
        for item in range(5):
            ch.send(item)
        join_all(gs)

    one_p.run(main)


def test_a_wrong_order_is_found(one_p: World) -> None:
    with pytest.raises(AssertionError):
        check_order(one_p, lambda: [0, 1, 2, 3, 4], LAST_FIRST, patience=0.1)
