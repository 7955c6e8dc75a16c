"""The order in which G's run on one P, as recorded from real Go programs with GOMAXPROCS=1.

Each test is such a program, with Go's order beside it as data. Waiters are numbered as they came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
from conformance.worlds import World, check_order, is_parked, join_all, park, until

import mpg
from mpg import sync

#: Whoever is made ready last runs first, the others in the order in which they were made ready.
LAST_FIRST = [4, 0, 1, 2, 3]

Log = list[object]


def parked(fn: Callable[[int], object], n: int = 5) -> list[mpg.G]:
    """`n` G's that have parked in `fn(0)`, `fn(1)` ..., in this order."""
    return [park(fn, who) for who in range(n)]


# Spawning

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


# Channels


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


# sync


def test_waitgroup_wakes(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        wg = sync.WaitGroup()
        wg.add(1)
        gs = parked(lambda who: (wg.wait(), log.append(who)))
        wg.done()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


@pytest.mark.parametrize("holding", [False, True])
@pytest.mark.parametrize("how", ["broadcast", "signal"])
def test_cond_wakes(one_p: World, how: str, holding: bool) -> None:
    def main() -> Log:
        log: Log = []
        m = sync.Mutex()
        cond = sync.Cond(m)

        def wait(who: int) -> None:
            with m:
                cond.wait()
                log.append(who)

        gs = parked(wait)
        if holding:
            m.lock()
        if how == "broadcast":
            cond.broadcast()
        else:
            for _ in gs:
                cond.signal()
        if holding:
            m.unlock()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_mutex_wakes(one_p: World) -> None:
    """One at a time: each wakes the next."""

    def main() -> Log:
        log: Log = []
        m = sync.Mutex()

        def take(who: int) -> None:
            with m:
                log.append(who)

        m.lock()
        gs = parked(take)
        m.unlock()
        join_all(gs)
        return log

    check_order(one_p, main, [0, 1, 2, 3, 4])


def test_rwmutex_wakes_readers(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        rw = sync.RWMutex()

        def read(who: int) -> None:
            with rw.reading():
                log.append(who)

        rw.lock()
        gs = parked(read)
        rw.unlock()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_rwmutex_wakes_readers_before_writers(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        rw = sync.RWMutex()

        def visit(who: int) -> None:
            with rw if who % 2 else rw.reading():
                log.append(who)

        rw.lock()
        gs = parked(visit)  # 1 and 3 write
        rw.unlock()
        join_all(gs)
        return log

    # The readers 0, 2, 4 and then the writer 1 are made ready. So 1 runs first, and finds readers.
    check_order(one_p, main, [0, 2, 4, 1, 3])


def test_semaphore_wakes(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        sem = sync.Semaphore(5)
        for _ in range(5):
            sem.acquire()
        gs = parked(lambda who: (sem.acquire(), log.append(who)))
        for _ in range(5):
            sem.release()
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_the_end_of_a_g_wakes_those_who_join_it(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        ch: mpg.Chan[int] = mpg.Chan()
        joined = park(ch.recv)
        gs = parked(lambda who: (joined.join(), log.append(who)))
        ch.send(1)
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


# Time


def test_sleepers_that_are_due_together(one_p: World) -> None:
    """Five deadlines pass before the scheduler looks: the last of them runs first."""

    def main() -> Log | None:
        log: Log = []
        start = mpg.now()

        def sleeper(who: int) -> None:
            mpg.sleep(start + 0.002 + (0 if one_p.virtual else who * 0.0002) - mpg.now())
            log.append(who)

        gs = parked(sleeper)
        if mpg.now() - start >= 0.002:
            return None
        while not one_p.virtual and mpg.now() - start < 0.004:
            pass  # keeps the P; in virtual time the deadlines are equal instead
        join_all(gs)
        return log

    check_order(one_p, main, LAST_FIRST)


def test_sleepers_that_are_due_one_by_one(one_p: World) -> None:
    def main() -> Log | None:
        log: Log = []
        late = False
        start = mpg.now()

        def sleeper(who: int) -> None:
            nonlocal late
            mpg.sleep(start + (who + 1) * 0.002 - mpg.now())
            late = late or mpg.now() - start >= (who + 2) * 0.002
            log.append(who)

        join_all([mpg.go(sleeper, who) for who in (3, 0, 2, 4, 1)])
        return None if late else log

    check_order(one_p, main, [0, 1, 2, 3, 4])


def test_a_sleeper_goes_before_what_is_queued(one_p: World) -> None:
    """A timer that is due makes its G the next to run."""

    def main() -> Log | None:
        log: Log = []
        start = mpg.now()
        g = park(lambda: (mpg.sleep(0.001), log.append("sleeper")))
        gs = [mpg.go(log.append, who) for who in range(3)]
        if mpg.now() - start >= 0.001:
            return None
        if one_p.virtual:
            mpg.sleep(0.001)
            log.append("main")
        else:
            while mpg.now() - start < 0.003:
                pass
            mpg.gosched()
            log.append("main")
        join_all([g, *gs])
        return log

    # In virtual time nothing is due before the queue is empty; then main is made ready last, its timer being
    # the later one.
    check_order(one_p, main, [2, 0, 1, "main", "sleeper"] if one_p.virtual else ["sleeper", 0, 1, 2, "main"])


def test_functions_of_timers_that_are_due_together(one_p: World) -> None:
    def main() -> Log:
        log: Log = []
        done: mpg.Chan[None] = mpg.Chan(5)
        timers = [mpg.after_func(0, lambda who=who: (log.append(who), done.send(None))) for who in range(5)]
        for _ in timers:
            done.recv()
        return log

    check_order(one_p, main, LAST_FIRST)


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
