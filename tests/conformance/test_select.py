"""select: which case it takes, what it leaves behind, and that it never loses an item."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from conformance.worlds import NOTHING, World, is_parked, join_all, park, until

import mpg
from mpg import recv_case, select, send_case


def full(item: Any) -> mpg.Chan[Any]:
    """A channel with one place, taken by `item`."""
    ch: mpg.Chan[Any] = mpg.Chan(1)
    ch.send(item)
    return ch


def test_what_it_returns(world: World) -> None:
    def main() -> None:
        a, b = full("a"), mpg.Chan[str](1)
        got = select(recv_case(b), recv_case(a))
        assert isinstance(got, mpg.Selected)
        assert got == (1, "a", True, a)
        assert (got.index, got.value, got.ok, got.chan) == (1, "a", True, a)
        index, *_ = select(send_case(b, "b"), recv_case(a))
        assert index == 0
        assert b.recv() == "b"
        a.close()
        assert select(recv_case(b), recv_case(a)) == (1, None, False, a)

    world.run(main)


def test_default(world: World) -> None:
    def main() -> None:
        empty, taken = mpg.Chan[int](), full(0)
        assert select(recv_case(empty), send_case(taken, 1), default=True) == NOTHING
        assert select(default=True) == NOTHING
        assert select(recv_case(taken), default=True).index == 0, "a ready case comes before the default"
        g = park(empty.send, 5)
        assert select(recv_case(empty), default=True) == (0, 5, True, empty)
        g.join()

    world.run(main)


def test_timeout(world: World) -> None:
    def main() -> None:
        empty, taken = mpg.Chan[int](), full(0)
        for seconds in (0, 0.003):
            before = mpg.now()
            assert select(recv_case(empty), send_case(taken, 1), timeout=seconds) == NOTHING
            assert mpg.now() - before >= seconds - 1e-9
        assert select(recv_case(taken), timeout=60) == (0, 0, True, taken)
        # What timed out has left both channels.
        assert empty.try_send(1) is False
        assert taken.try_recv() == NOTHING
        mpg.go(empty.send, 6)
        assert select(recv_case(empty), timeout=60) == (0, 6, True, empty)

    world.run(main)


def test_default_and_timeout_exclude_each_other(world: World) -> None:
    def main() -> None:
        ch = full(1)
        with pytest.raises(ValueError):
            select(recv_case(ch), default=True, timeout=1.0)
        assert len(ch) == 1

    world.run(main)


def test_misuse_is_a_type_error(world: World) -> None:
    def main() -> None:
        def wrong() -> Any:
            return 42

        with pytest.raises(TypeError):
            select(recv_case(wrong()), default=True)
        with pytest.raises(TypeError):
            select(send_case(wrong(), 1), default=True)
        with pytest.raises(TypeError):
            select(wrong(), default=True)

    world.run(main)


def test_none_is_a_channel_that_is_never_ready(world: World) -> None:
    def main() -> None:
        a, b = full("a"), full("b")
        assert select(recv_case(None), send_case(None, 1), default=True) == NOTHING
        assert select(recv_case(None), timeout=0.001) == NOTHING
        left: list[mpg.Chan[Any] | None] = [a, b]
        got = []
        while any(left):  # how a merge switches off what it has seen the end of
            index, value, _, ch = select(recv_case(None), *(recv_case(one) for one in left))
            assert ch is left[index - 1]
            left[index - 1] = None
            got.append(value)
        assert sorted(got) == ["a", "b"]

    world.run(main)


@pytest.mark.parametrize("cases", [(), (recv_case(None),), (recv_case(None), send_case(None, 1))], ids=len)
def test_without_a_live_case_it_waits_for_ever(world: World, cases: tuple[Any, ...]) -> None:
    with pytest.raises(mpg.DeadlockError, match="all goroutines are asleep - deadlock!"):
        world.run(lambda: select(*cases))


def test_the_first_to_come_is_served_first(world: World) -> None:
    """A select that waits keeps its place among plain receivers."""

    def main() -> dict[int, int]:
        ch, other = mpg.Chan[int](), mpg.Chan[int]()
        got: dict[int, int] = {}

        def plain(who: int) -> None:
            got[who] = ch.recv()

        def selecting(who: int) -> None:
            got[who] = select(recv_case(other), recv_case(ch)).value

        gs = [park(selecting if who % 2 else plain, who) for who in range(6)]
        for item in range(6):
            ch.send(item)
        join_all(gs)
        return got

    assert world.run(main) == {i: i for i in range(6)}


def test_a_waiting_select_takes_one_case_and_leaves_the_others(world: World) -> None:
    def main() -> None:
        a, b, c = mpg.Chan[str](), mpg.Chan[str](), full("c")
        got: list[mpg.Selected] = []
        g = park(lambda: got.append(select(recv_case(a), recv_case(b), send_case(c, "d"))), reason="select")
        b.send("b")
        # From here on it may not take anything else, whether it has run already or not.
        assert a.try_send("a") is False
        assert c.recv() == "c"
        assert len(c) == 0
        g.join()
        assert got == [(1, "b", True, b)]
        assert a.try_send("a") is False
        assert b.try_send("b") is False

    world.run(main)


def test_one_channel_in_several_cases(world: World) -> None:
    def main() -> None:
        ch = full(1)
        cases = [recv_case(ch), send_case(ch, 2), recv_case(ch), send_case(ch, 3)]
        seen = set()
        for _ in range(64):  # full or empty, one of the two kinds is ready
            index = select(*cases).index
            assert (len(ch) == 0) is (index in (0, 2))
            seen.add(index)
        assert len(seen) >= 3

        wire = mpg.Chan[int]()
        got: list[mpg.Selected] = []
        g = park(lambda: got.append(select(recv_case(wire), recv_case(wire), recv_case(wire))))
        wire.send(7)
        assert wire.try_send(8) is False
        g.join()
        assert got[0].value == 7
        assert wire.try_send(8) is False

    world.run(main)


def test_it_does_not_meet_itself(world: World) -> None:
    """Send and receive on one unbuffered channel in one select: only another G can be the partner."""

    def main() -> None:
        ch = mpg.Chan[int]()
        assert select(send_case(ch, 1), recv_case(ch), default=True) == NOTHING
        got: list[tuple[int, int]] = []

        def both(who: int) -> None:
            for _ in range(100):
                index, value, ok, _ = select(send_case(ch, who), recv_case(ch))
                if index == 1:
                    assert ok
                    got.append((who, value))

        join_all([mpg.go(both, who) for who in (1, 2)])
        assert len(got) == 100, "each meeting is one send and one receive"
        assert set(got) <= {(1, 2), (2, 1)}

    world.run(main)


def test_close_wakes_a_select_and_makes_a_sending_one_panic(world: World) -> None:
    def main() -> None:
        ch, other = mpg.Chan[int](), mpg.Chan[int]()
        got: list[Any] = []

        def sending() -> None:
            with pytest.raises(mpg.PanicError, match="send on closed channel"):
                select(recv_case(other), send_case(ch, 1))
            got.append("panic")

        g = park(lambda: got.append(select(recv_case(other), recv_case(ch))))
        ch.close()
        g.join()
        assert got == [(1, None, False, ch)]
        for default in (False, True):  # a send on a closed channel is ready, and panics
            with pytest.raises(mpg.PanicError, match="send on closed channel"):
                select(recv_case(other), send_case(ch, 1), default=default)
        ch = mpg.Chan()
        g = park(sending)
        ch.close()
        g.join()
        assert got[1:] == ["panic"]
        assert other.try_send(1) is False

    world.run(main)


def test_ready_cases_are_equally_likely(world: World) -> None:
    def main() -> Counter[int]:
        ready = [full(i) for i in range(4)]
        cases = [recv_case(ready[0]), recv_case(ready[1]), recv_case(None), *map(recv_case, ready[2:])]
        counts: Counter[int] = Counter()
        for _ in range(2000):
            index, item, _, ch = select(*cases)
            assert ch is not None
            ch.send(item)
            counts[index] += 1
        return counts

    counts = world.run(main)
    assert sorted(counts) == [0, 1, 3, 4]
    expected = sum(counts.values()) / 4
    chi_square = sum((n - expected) ** 2 / expected for n in counts.values())
    assert chi_square < 40, counts  # three degrees of freedom: exceeded by chance once in 10**8


def test_two_busy_channels_are_both_served(world: World) -> None:
    def main() -> Counter[int]:
        a, b, done = mpg.Chan[int](), mpg.Chan[int](), mpg.Chan[None]()
        for ch in (a, b):

            def feed(ch: mpg.Chan[int] = ch) -> None:
                while select(send_case(ch, 1), recv_case(done)).index == 0:
                    pass

            park(feed)
        counts: Counter[int] = Counter()
        patience = 600 if world.procs == 1 else 1_000_000  # on another M they may be slow to come back
        while min(counts[0], counts[1]) <= 60 and counts.total() < patience:
            mpg.gosched()  # else, with one P, whoever was served last is the only one that has parked again
            counts[select(recv_case(a), recv_case(b)).index] += 1
        done.close()
        return counts

    counts = world.run(main)
    assert min(counts[0], counts[1]) > 60, counts


def select_race(rounds: int, *, closing: bool) -> None:
    """An item leaves one channel only after another is ready: a select over both never finds neither."""
    done = mpg.Chan[bool](1)
    for _ in range(rounds):
        a, b = full(1), mpg.Chan[int](1)
        mpg.go(
            lambda a=a, b=b: done.send(select(recv_case(a), recv_case(b), default=True).index >= 0),
        )
        if closing:
            b.close()
        else:
            b.send(1)
        a.try_recv()
        assert done.recv()


@pytest.mark.parametrize("closing", [False, True])
def test_it_looks_at_all_channels_at_once(world: World, closing: bool) -> None:
    world.run(lambda: select_race(100, closing=closing))


def double_select(rounds: int) -> None:
    """One select over four sends, four receivers of which some select as well: each number arrives once."""
    chans = [mpg.Chan[int]() for _ in range(4)]
    merged = mpg.Chan[int]()
    wg = mpg.sync.WaitGroup()

    def sender() -> None:
        for number in range(rounds):
            select(*(send_case(ch, number) for ch in chans))
        for ch in chans:
            ch.close()

    def plain(ch: mpg.Chan[int]) -> None:
        for number in ch:
            merged.send(number)

    def selecting(ch: mpg.Chan[int]) -> None:
        never = mpg.Chan[int]()
        while True:
            _, number, ok, _ = select(recv_case(never), recv_case(ch))
            if not ok:
                return
            merged.send(number)

    mpg.go(sender)
    for i, ch in enumerate(chans):
        wg.go(selecting if i % 2 else plain, ch)
    mpg.go(lambda: (wg.wait(), merged.close()))
    assert sorted(merged) == list(range(rounds))


def test_double_select(world: World) -> None:
    world.run(lambda: double_select(300))


def exchange(workers: int, rounds: int, caps: tuple[int, ...]) -> None:
    """Selecting senders against selecting receivers over the same channels: what goes in comes out, once."""
    chans = [mpg.Chan[tuple[int, int]](cap) for cap in caps]
    finished = mpg.Chan[None]()
    sent: list[tuple[int, int]] = []
    got: list[tuple[int, int]] = []

    def send(who: int) -> None:
        for i in range(rounds):
            index = select(*(send_case(ch, (who, i)) for ch in chans)).index
            assert index >= 0
            sent.append((who, i))

    def receive() -> None:
        while True:
            index, value, ok, _ = select(recv_case(finished), *map(recv_case, chans))
            if index == 0:
                return
            assert ok
            got.append(value)

    receivers = [mpg.go(receive) for _ in range(workers)]
    join_all([mpg.go(send, who) for who in range(workers)])
    until(lambda: not any(map(len, chans)) and all(is_parked(g) for g in receivers))
    finished.close()
    join_all(receivers)
    assert sorted(got) == sorted(sent) == [(who, i) for who in range(workers) for i in range(rounds)]


@pytest.mark.parametrize("caps", [(0, 0, 0), (0, 1, 4)], ids=str)
def test_many_selects_on_both_sides_lose_nothing(world: World, caps: tuple[int, ...]) -> None:
    world.run(lambda: exchange(5, 30, caps))


@pytest.mark.stress
@pytest.mark.usefixtures("fast_switches")
def test_stress_select(host: World) -> None:
    def main() -> None:
        for closing in (False, True):
            select_race(1000, closing=closing)
        for i in range(300):
            double_select(25)
            exchange(4, 10, (0, 0, 0) if i % 2 else (0, 1, 4))

    host.run(main)
