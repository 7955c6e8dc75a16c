"""One channel: what send, recv and close do in each state, and who gets which item."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.worlds import NOTHING, World, is_parked, join_all, park, until

import mpg


def closed_chan(*items: Any) -> mpg.Chan[Any]:
    """A closed channel that still holds `items`."""
    ch: mpg.Chan[Any] = mpg.Chan(len(items))
    for item in items:
        ch.send(item)
    ch.close()
    return ch


def panic_text(operation: Any, *args: Any) -> str:
    """The text of the panic that `operation(*args)` ends in."""
    with pytest.raises(mpg.PanicError) as caught:
        operation(*args)
    return str(caught.value)


@pytest.mark.parametrize("cap", [0, 1, 7])
def test_len_and_cap(world: World, cap: int) -> None:
    def main() -> list[tuple[int, int]]:
        ch: mpg.Chan[int] = mpg.Chan(cap)
        seen = [(len(ch), ch.cap)]
        for i in range(cap):
            ch.send(i)
            seen.append((len(ch), ch.cap))
        for _ in range(cap):
            ch.recv()
            seen.append((len(ch), ch.cap))
        return seen

    filling = [(n, cap) for n in range(cap + 1)]
    assert world.run(main) == filling + filling[-2::-1]


def test_cap_is_a_count(world: World) -> None:
    def main() -> None:
        assert mpg.Chan().cap == 0
        with pytest.raises((ValueError, mpg.PanicError)):
            mpg.Chan(-1)
        with pytest.raises(TypeError):
            mpg.Chan("3")  # type: ignore[arg-type]

    world.run(main)


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_items_arrive_in_order(world: World, cap: int) -> None:
    def main() -> list[int]:
        ch: mpg.Chan[int] = mpg.Chan(cap)

        def produce() -> None:
            for i in range(50):
                ch.send(i)
            ch.close()

        mpg.go(produce)
        return list(ch)

    assert world.run(main) == list(range(50))


def test_items_are_handed_over_as_they_are(world: World) -> None:
    def main() -> None:
        for cap in (0, 1):
            ch: mpg.Chan[Any] = mpg.Chan(cap)
            for item in (None, False, object(), ch, (None, False)):
                mpg.go(ch.send, item)
                value, ok = ch.recv_ok()
                assert value is item
                assert ok is True

    world.run(main)


def test_a_waiting_receiver_gets_the_item_itself(world: World) -> None:
    """Even where there is a buffer: it stays empty, and nobody who comes later can take the item."""

    def main() -> None:
        for cap in (0, 3):
            ch: mpg.Chan[str] = mpg.Chan(cap)
            got: list[str] = []
            g = park(lambda ch=ch, got=got: got.append(ch.recv()), reason="chan receive")
            ch.send("mine")
            assert len(ch) == 0
            assert ch.try_recv() == NOTHING
            g.join()
            assert got == ["mine"]

    world.run(main)


def test_a_waiting_sender_moves_up_into_the_buffer(world: World) -> None:
    def main() -> list[int]:
        ch: mpg.Chan[int] = mpg.Chan(2)
        ch.send(0)
        ch.send(1)
        gs = [park(ch.send, i, reason="chan send") for i in (2, 3)]
        got = [ch.recv()]
        assert len(ch) == 2
        assert ch.try_send(99) is False, "the waiting sender's item has taken the place"
        gs[0].join()
        assert is_parked(gs[1])
        got += [ch.recv() for _ in range(3)]
        join_all(gs)
        return got

    assert world.run(main) == [0, 1, 2, 3]


@pytest.mark.parametrize("cap", [0, 4])
def test_receivers_are_served_in_the_order_they_came(world: World, cap: int) -> None:
    def main() -> list[tuple[int, int]]:
        ch: mpg.Chan[int] = mpg.Chan(cap)
        got: list[tuple[int, int]] = []
        gs = [park(lambda who=who: got.append((who, ch.recv()))) for who in range(6)]
        for item in range(6):
            ch.send(item)
        join_all(gs)
        return sorted(got)

    assert world.run(main) == [(i, i) for i in range(6)]


@pytest.mark.parametrize("cap", [0, 4])
def test_senders_are_served_in_the_order_they_came(world: World, cap: int) -> None:
    def main() -> list[int]:
        ch: mpg.Chan[int] = mpg.Chan(cap)
        for item in range(cap):
            ch.send(item)
        for item in range(cap, cap + 6):
            park(ch.send, item)
        return [ch.recv() for _ in range(cap + 6)]

    assert world.run(main) == list(range(cap + 6))


def test_a_sender_waits_for_its_receiver(world: World) -> None:
    """What is done before a send is seen after the recv, and the sender goes on only after that."""

    def main() -> None:
        ch: mpg.Chan[None] = mpg.Chan()
        log: list[str] = []

        def sender() -> None:
            log.append("before send")
            ch.send(None)
            log.append("after send")

        g = park(sender)
        assert log == ["before send"]
        ch.recv()
        g.join()
        assert log == ["before send", "after send"]

    world.run(main)


def test_closed_channel_is_drained_first(world: World) -> None:
    def main() -> None:
        ch = closed_chan(1, None)
        assert len(ch) == 2
        assert ch.recv_ok() == (1, True)
        assert ch.recv_ok() == (None, True)
        for _ in range(2):
            assert ch.recv_ok() == (None, False)
            with pytest.raises(mpg.ChanClosed):
                ch.recv()
        assert list(ch) == []

    world.run(main)


def test_closed_channel_panics(world: World) -> None:
    def main() -> None:
        for items in ((), (1,)):
            ch = closed_chan(*items)
            assert panic_text(ch.close) == "close of closed channel"
            assert panic_text(ch.send, 2) == "send on closed channel"
            assert panic_text(ch.try_send, 2) == "send on closed channel"
            assert len(ch) == len(items)
        assert not issubclass(mpg.ChanClosed, mpg.PanicError), "the end of a channel is nobody's fault"

    world.run(main)


def test_close_wakes_every_receiver(world: World) -> None:
    def main() -> list[Any]:
        ch: mpg.Chan[int] = mpg.Chan()
        ended: list[Any] = []

        def plain() -> None:
            try:
                ch.recv()
            except mpg.ChanClosed:
                ended.append("closed")

        gs = [park(plain) for _ in range(3)]
        gs += [park(lambda: ended.append(ch.recv_ok()))]
        gs += [park(lambda: ended.append(list(ch)))]
        ch.close()
        join_all(gs)
        return sorted(ended, key=str)

    assert world.run(main) == [(None, False), [], "closed", "closed", "closed"]


def test_close_makes_waiting_senders_panic(world: World) -> None:
    """Their items are gone; what was in the buffer is not."""

    def main() -> tuple[list[str], list[int]]:
        ch: mpg.Chan[int] = mpg.Chan(1)
        ch.send(0)
        texts: list[str] = []
        gs = [park(lambda i=i: texts.append(panic_text(ch.send, i))) for i in range(1, 4)]
        ch.close()
        join_all(gs)
        return texts, list(ch)

    assert world.run(main) == (["send on closed channel"] * 3, [0])


def test_iteration(world: World) -> None:
    def main() -> list[int]:
        ch = closed_chan(*range(6))
        got = []
        for item in ch:
            got.append(item)
            if item == 2:
                break
        got += [-1, *ch]  # breaking off loses nothing
        assert next(iter(ch), "end") == "end"
        return got

    assert world.run(main) == [0, 1, 2, -1, 3, 4, 5]


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_try_send_and_try_recv(world: World, cap: int) -> None:
    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan(cap)
        assert ch.try_recv() == NOTHING
        assert [ch.try_send(i) for i in range(cap + 2)] == [True] * cap + [False] * 2
        got = [ch.try_recv() for _ in range(cap + 1)]
        assert got == [(0, i, True, ch) for i in range(cap)] + [NOTHING]
        assert all(isinstance(one, mpg.Selected) for one in got)

        seen: list[int] = []
        g = park(lambda: seen.append(ch.recv()))
        assert ch.try_send(7) is True
        g.join()
        assert seen == [7]

        for i in range(cap):
            ch.send(i)
        g = park(ch.send, cap)
        assert ch.try_recv() == (0, 0, True, ch)
        g.join()
        assert len(ch) == cap

        ch.close()
        rest = [ch.try_recv() for _ in range(cap + 2)]
        assert rest == [(0, i + 1, True, ch) for i in range(cap)] + [(0, None, False, ch)] * 2

    world.run(main)


def test_misuse_is_a_type_error(world: World) -> None:
    def main() -> None:
        ch: Any = mpg.Chan(1)
        for call, args in (
            (ch.send, ()),
            (ch.try_send, ()),
            (ch.send, (1, 2)),
            (ch.recv, (1,)),
            (ch.try_recv, (1,)),
        ):
            with pytest.raises(TypeError):
                call(*args)
        assert len(ch) == 0

    world.run(main)


def test_a_channel_belongs_to_the_world_it_was_made_in(world: World) -> None:
    made: mpg.Chan[int] = world.run(mpg.Chan, 1)
    if world.virtual:
        with pytest.raises((mpg.PanicError, RuntimeError, mpg.MpgError)):
            mpg.run(made.send, 1)
    else:
        made.send(1)
        assert mpg.run(made.recv) == 1, "the host is one world, whichever run"


def test_try_recv_never_misses_an_item_or_the_end(world: World) -> None:
    """The channel holds an item or is closed at every moment, so "nothing" would be a lie."""
    rounds = 100 if world.virtual else 300

    def main() -> None:
        for _ in range(rounds):
            ch: mpg.Chan[int] = mpg.Chan(1)
            ch.send(1)
            found: list[int] = []
            g = mpg.go(lambda ch=ch, found=found: found.append(ch.try_recv().index))
            ch.close()
            ch.recv_ok()
            g.join()
            assert found == [0]

    world.run(main)


@pytest.mark.stress
@pytest.mark.usefixtures("fast_switches")
@pytest.mark.parametrize("cap", [0, 1, 10])
def test_stress_send_recv_close(host: World, cap: int) -> None:
    """Items and the end of the channel, counted from both sides while receivers come and go."""

    def main() -> None:
        for _ in range(300):
            ch: mpg.Chan[int] = mpg.Chan(cap)
            got: list[int] = []
            ended: list[bool] = []

            def receive(ch: mpg.Chan[int] = ch, got: list[int] = got, ended: list[bool] = ended) -> None:
                while True:
                    value, ok = ch.recv_ok()
                    if not ok:
                        ended.append(value is None)
                        return
                    got.append(value)

            gs = [mpg.go(receive) for _ in range(4)]
            wg = mpg.sync.WaitGroup()
            for i in range(4):
                wg.go(lambda i=i, ch=ch: [ch.send(10 * i + k) for k in range(10)])
            wg.wait()
            ch.close()
            join_all(gs)
            assert sorted(got) == list(range(40))
            assert ended == [True] * 4
            until(lambda: mpg.num_goroutine() == 1)

    host.run(main)
