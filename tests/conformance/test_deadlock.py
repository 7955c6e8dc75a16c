"""The end of a program in which nothing can run any more: Go's words, and who waits for what, where."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance.gs import line_of
from conformance.worlds import World, park

import mpg
from mpg import recv_case, select, send_case, sync

ASLEEP = "all goroutines are asleep - deadlock!"
NO_GOROUTINES = "no goroutines (main called runtime.Goexit) - deadlock!"


def deadlock(world: World, main: Callable[[], object]) -> mpg.DeadlockError:
    """The DeadlockError that `main` ends in."""
    with pytest.raises(mpg.DeadlockError) as caught:
        world.run(main)
    return caught.value


def lock_twice() -> None:
    m = sync.Mutex()
    m.lock()
    m.lock()


def write_twice() -> None:
    rw = sync.RWMutex()
    rw.lock()
    rw.lock()


def write_while_reading() -> None:
    rw = sync.RWMutex()
    rw.rlock()
    rw.lock()


def read_while_writing() -> None:
    rw = sync.RWMutex()
    rw.lock()
    rw.rlock()


def wait_for_a_waitgroup() -> None:
    wg = sync.WaitGroup()
    wg.add(1)
    wg.wait()


def wait_for_a_signal() -> None:
    m = sync.Mutex()
    with m:
        sync.Cond(m).wait()


def acquire_too_many() -> None:
    sem = sync.Semaphore(1)
    sem.acquire()
    sem.acquire()


def join_the_stuck() -> None:
    park(mpg.Chan().recv).join()


def receive_from_a_stopped_timer() -> None:
    timer = mpg.Timer(60)
    timer.stop()
    timer.chan.recv()


STUCK: dict[str, tuple[Callable[[], object], str]] = {
    "recv": (lambda: mpg.Chan().recv(), "chan receive"),
    "recv_ok": (lambda: mpg.Chan(3).recv_ok(), "chan receive"),
    "for": (lambda: list(mpg.Chan()), "chan receive"),
    "send": (lambda: mpg.Chan().send(1), "chan send"),
    "send-full": (lambda: [ch.send(i) for ch in [mpg.Chan(2)] for i in range(3)], "chan send"),
    "select-none": (select, "select (no cases)"),
    "select-nil": (lambda: select(recv_case(None), send_case(None, 1)), "select (no cases)"),
    "select-one": (lambda: select(send_case(mpg.Chan(), 1)), "chan send"),
    "select-two": (lambda: select(recv_case(mpg.Chan()), send_case(mpg.Chan(), 1)), "select"),
    "Mutex": (lock_twice, "sync.Mutex.Lock"),
    "RWMutex-ww": (write_twice, "sync.Mutex.Lock"),
    "RWMutex-rw": (write_while_reading, "sync.RWMutex.Lock"),
    "RWMutex-wr": (read_while_writing, "sync.RWMutex.RLock"),
    "WaitGroup": (wait_for_a_waitgroup, "sync.WaitGroup.Wait"),
    "Cond": (wait_for_a_signal, "sync.Cond.Wait"),
    "Semaphore": (acquire_too_many, "semacquire"),
    "join": (join_the_stuck, "join"),
    "stopped-timer": (receive_from_a_stopped_timer, "chan receive"),
}


@pytest.mark.parametrize("what", STUCK)
def test_main_waits_for_ever(world: World, what: str) -> None:
    main, reason = STUCK[what]
    error = deadlock(world, main)
    assert str(error).splitlines()[0] == ASLEEP
    assert str(error) == "\n".join((ASLEEP, *error.goroutines))
    assert len(error.goroutines) == (2 if what == "join" else 1)
    assert re.match(rf"goroutine 1 \[{re.escape(reason)}[\],]", error.goroutines[0])


def test_it_is_an_mpg_error_of_its_own(world: World) -> None:
    error = deadlock(world, lambda: mpg.Chan().recv())
    assert isinstance(error, mpg.MpgError)
    assert not isinstance(error, mpg.PanicError)
    assert isinstance(error.goroutines, tuple)


def test_the_table_names_everybody(world: World) -> None:
    ids = []

    def worker(ch: mpg.Chan[int]) -> None:
        ch.recv()

    def main() -> None:
        ch, full, m = mpg.Chan[int](), mpg.Chan[int](), sync.Mutex()
        m.lock()
        gs = [park(worker, ch), park(lambda: full.send(1)), park(m.lock)]
        gs[2].name = "the third"
        ids.extend(g.id for g in gs)
        select(recv_case(ch), recv_case(mpg.Chan()))

    error = deadlock(world, main)
    lines = error.goroutines
    assert len(lines) == 4
    assert [int(line.split()[1]) for line in lines] == sorted([1, *ids]), "oldest first"
    by_id = {int(line.split()[1]): line for line in lines}
    for goid, reason, name in (
        (1, "select", main.__qualname__),
        (ids[0], "chan receive", worker.__qualname__),
        (ids[1], "chan send", line_of(main, 3)),
        (ids[2], "sync.Mutex.Lock", "the third"),
    ):
        assert re.match(rf"goroutine {goid} \[{re.escape(reason)}[\],]", by_id[goid]), by_id[goid]
        assert f"]: {name}" in by_id[goid]


def test_the_table_says_where(world: World) -> None:
    ids = []

    def worker(ch: mpg.Chan[int]) -> None:
        ch.recv()

    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        g = mpg.go(worker, ch)
        ids.append(g.id)
        g.join()

    error = deadlock(world, main)
    by_id = {int(line.split()[1]): line for line in error.goroutines}
    assert f"at {line_of(main, 4)}" in by_id[1]
    assert "created at" not in by_id[1]
    assert f"at {line_of(worker, 1)}" in by_id[ids[0]]
    assert by_id[ids[0]].endswith(f"created at {line_of(main, 2)}")
    assert Path(__file__).name in by_id[1]


def test_a_stuck_child_is_no_deadlock_while_main_lives(world: World) -> None:
    def main() -> str:
        park(mpg.Chan().recv)
        park(lock_twice)
        park(select)
        mpg.sleep(0.003)
        for _ in range(10):
            mpg.gosched()
        return "done"

    assert world.run(main) == "done"


def test_a_child_that_sleeps_is_no_deadlock(world: World) -> None:
    def main() -> str:
        ch: mpg.Chan[str] = mpg.Chan()
        mpg.go(lambda: (mpg.sleep(0.003), ch.send("woke up")))
        return ch.recv()

    assert world.run(main) == "woke up"


def test_the_deadlock_comes_when_the_last_sleeper_has_ended(world: World) -> None:
    woke = []

    def main() -> None:
        mpg.go(lambda: (mpg.sleep(0.003), woke.append(1)))
        mpg.Chan().recv()

    error = deadlock(world, main)
    assert woke == [1]
    assert len(error.goroutines) == 1


@pytest.mark.parametrize("how", ["timer", "ticker", "after_func", "timeout"])
def test_an_armed_timer_is_hope(world: World, how: str) -> None:
    def main() -> str:
        ch: mpg.Chan[str] = mpg.Chan()
        if how == "timer":
            mpg.Timer(0.003).chan.recv()
        elif how == "ticker":
            mpg.Ticker(0.003).chan.recv()
        elif how == "after_func":
            mpg.after_func(0.003, ch.send, "")
            ch.recv()
        else:
            select(recv_case(ch), timeout=0.003)
        return "done"

    assert world.run(main) == "done"


@pytest.mark.parametrize("how", ["unread timer", "unread ticker", "stopped timer", "stopped function"])
def test_a_timer_that_will_wake_nobody_is_no_hope(world: World, how: str) -> None:
    """An unread timer channel is in no heap, a stopped timer is as good as gone."""

    def main() -> None:
        if how == "unread timer":
            timer = mpg.Timer(3600)
        elif how == "unread ticker":
            ticker = mpg.Ticker(3600)
        elif how == "stopped timer":
            timer = mpg.Timer(3600)
            g = park(timer.chan.recv)
            timer.stop()
            assert g.status != "dead"
        else:
            mpg.after_func(3600, pytest.fail).stop()
        mpg.Chan().recv()
        del timer, ticker

    assert str(deadlock(world, main)).startswith(ASLEEP)


def test_a_timeout_that_is_over_leaves_no_hope_behind(world: World) -> None:
    def main() -> None:
        ch: mpg.Chan[int] = mpg.Chan()
        g = mpg.go(select, recv_case(ch), timeout=3600)
        ch.send(1)
        g.join()
        ch.recv()

    deadlock(world, main)


def test_main_has_gone_and_nobody_is_left(world: World) -> None:
    ran = []

    def main() -> None:
        mpg.go(lambda: (mpg.sleep(0.001), ran.append(1)))
        mpg.goexit()

    error = deadlock(world, main)
    assert str(error) == NO_GOROUTINES
    assert error.goroutines == ()
    assert ran == [1]


def test_main_has_gone_and_the_others_are_stuck(world: World) -> None:
    def main() -> None:
        park(mpg.Chan().recv)
        park(select)
        mpg.goexit()

    error = deadlock(world, main)
    assert str(error).startswith(ASLEEP)
    assert len(error.goroutines) == 2
    assert not any(line.startswith("goroutine 1 ") for line in error.goroutines)


def test_the_program_cannot_swallow_it(world: World) -> None:
    log = []

    def main() -> None:
        try:
            mpg.Chan().recv()
        except Exception:
            log.append("except")
        finally:
            log.append("finally")

    deadlock(world, main)
    assert log == ["finally"]


def test_a_finally_block_runs_in_each_stuck_g(world: World) -> None:
    log = []

    def stuck(who: int) -> None:
        try:
            mpg.Chan().recv()
        finally:
            log.append(who)

    def main() -> None:
        for who in range(4):
            park(stuck, who)
        stuck(4)

    deadlock(world, main)
    assert sorted(log) == [0, 1, 2, 3, 4]


def test_two_that_wait_for_each_other(world: World) -> None:
    def main() -> None:
        a, b = sync.Mutex(), sync.Mutex()

        def other() -> None:
            with b, a:
                pass

        with a:
            park(other, reason="sync.Mutex.Lock")
            b.lock()

    error = deadlock(world, main)
    assert [re.sub(r"^.*\[([^],]*).*", r"\1", line) for line in error.goroutines] == ["sync.Mutex.Lock"] * 2


def test_a_run_after_a_deadlock(world: World) -> None:
    deadlock(world, select)
    assert world.run(lambda: 42) == 42
    deadlock(world, select)


def test_detection_can_be_switched_off() -> None:
    assert mpg.run(lambda: 42, deadlock=False) == 42
    assert mpg.simulate(lambda: 42, deadlock=False).value == 42


def test_without_detection_a_timer_can_still_end_the_run(world: World) -> None:
    def main() -> str:
        park(select)
        return mpg.after(0.002) and "done"

    if world.virtual:
        like = world.kind.removeprefix("sim-")
        assert mpg.simulate(main, procs=world.procs, like=like, deadlock=False).value == "done"
    else:
        assert mpg.run(main, procs=world.procs, deadlock=False) == "done"
