"""Go's order on one P: G's that are spawned, gosched, and what overflows the local queue."""

from __future__ import annotations

from collections import deque

import pytest
from conformance.order import Log
from conformance.worlds import World, check_order, join_all, park

import mpg
from mpg import sync

SPAWNED = [5, 0, 1, 2, 3, 4]


def test_spawn_then_block(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        wg = sync.WaitGroup()
        wg.add(6)
        for who in range(6):
            mpg.go(lambda who=who: (log.append(who), wg.done()))
        wg.wait()
        return log

    check_order(one_p, main, SPAWNED)


def test_spawn_then_gosched(one_p: World) -> None:
    """gosched goes to the global queue, behind all that is local."""

    def main() -> Log:
        log: Log = []
        for who in range(6):
            mpg.go(log.append, who)
        mpg.gosched()
        log.append("main")
        return log

    check_order(one_p, main, [*SPAWNED, "main"])


def test_spawn_then_sleep(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        for who in range(6):
            mpg.go(log.append, who)
        mpg.sleep(0.001)
        log.append("main")
        return log

    check_order(one_p, main, [*SPAWNED, "main"])


def test_a_spawned_g_that_spawns(one_p: World) -> None:
    """The new one takes its parent's place at the head; what stood there goes to the tail."""

    def main() -> Log:
        log: Log = []

        def parent(who: int) -> None:
            log.append(who)
            for child in (1, 2):
                mpg.go(log.append, 10 * who + child)

        for who in (1, 2, 3):
            mpg.go(parent, who)
        mpg.gosched()
        return log

    # 3 runs first, then its last child; the ring holds 1, 2, then 3's first child.
    check_order(one_p, main, [3, 32, 1, 12, 2, 22, 31, 11, 21])


def test_gosched_takes_turns(one_p: World) -> None:
    def main() -> Log:
        log: Log = []

        def turn(who: int) -> None:
            for _ in range(3):
                log.append(who)
                mpg.gosched()

        join_all([mpg.go(turn, who) for who in range(3)])
        return log

    check_order(one_p, main, [2, 0, 1] * 3)


def test_woken_g_goes_before_spawned_ones(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        ch: mpg.Chan[str] = mpg.Chan()
        g = park(lambda: log.append(ch.recv()))
        gs = [mpg.go(log.append, who) for who in range(3)]
        ch.send("woken")
        join_all([*gs, g])
        return log

    check_order(one_p, main, ["woken", 0, 1, 2])


# 700 children of a parent that does not yield. The local queue holds 256; whenever it is full, its oldest 128
# and the newcomer go to the global queue. In the end 699 is next to run, and the others are here:

LOCAL = [*range(515, 643), *range(644, 699)]
GLOBAL = [*range(128), 256, *range(128, 256), 385, *range(257, 385), 514, *range(386, 514), 643]


def order_of_700(tick: int) -> list[int]:
    """Go's order if the P's count of slices is `tick` when the parent blocks: at each 61st the head of the
    global queue runs, otherwise the head of the local one, which gets another 128 when it is empty."""
    local, shared = deque(LOCAL), deque(GLOBAL)
    order = [699]
    while local or shared:
        if tick % 61 == 0 and shared:
            order.append(shared.popleft())
        else:
            if not local:
                local.extend(shared.popleft() for _ in range(min(128, len(shared))))
            order.append(local.popleft())
        tick += 1
    return order


@pytest.mark.parametrize("tick", [1, 14, 15, 19])  # the last three were seen in Go
def test_spawn_700(one_p: World, tick: int) -> None:
    def main() -> list[int]:
        log: list[int] = []
        wg = sync.WaitGroup()

        def child(who: int) -> None:
            log.append(who)
            wg.done()

        wg.add(700)
        for _ in range(tick - 1):  # main began with slice 1, each gosched begins another
            mpg.gosched()
        for who in range(700):
            mpg.go(child, who)
        wg.wait()
        return log

    check_order(one_p, main, order_of_700(tick))


def test_the_700_are_all_there() -> None:
    """What the table of the 700 says about itself: each once, and the first to come from the global side."""
    assert sorted([*LOCAL, *GLOBAL, 699]) == list(range(700))
    for tick in (1, 14, 15, 19):
        order = order_of_700(tick)
        assert sorted(order) == list(range(700))
        assert order.index(0) == 1 + 61 - tick
