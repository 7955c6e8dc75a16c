"""`mpg.explore` itself: it finds what is wrong, says how, and runs it again; bad input."""

from __future__ import annotations

from typing import Any

import pytest

import mpg
from mpg.explorer import ScheduleError, explore, pause, point, thread, window


def lost_update() -> None:
    """Reads and writes under a lock each, but not both under one."""
    box, wg, mutex = [0], mpg.sync.WaitGroup(), mpg.sync.Mutex()

    def add() -> None:
        with mutex:
            value = box[0]
        with mutex:
            box[0] = value + 1

    wg.go(add)
    wg.go(add)
    wg.wait()
    assert box == [2]


def right_update() -> None:
    box, wg, mutex = [0], mpg.sync.WaitGroup(), mpg.sync.Mutex()

    def add() -> None:
        with mutex:
            value = box[0]
            box[0] = value + 1

    wg.go(add)
    wg.go(add)
    wg.wait()
    assert box == [2]


def unlocked_update() -> None:
    """What channels and locks do not guard needs a choice point of its own."""
    box, wg = [0], mpg.sync.WaitGroup()

    def add() -> None:
        value = box[0]
        point()
        box[0] = value + 1

    wg.go(add)
    wg.go(add)
    wg.wait()
    assert box == [2]


def lock_order() -> None:
    a, b, wg = mpg.sync.Mutex(), mpg.sync.Mutex(), mpg.sync.WaitGroup()

    def both(first: mpg.sync.Mutex, second: mpg.sync.Mutex) -> None:
        with first, second:
            pass

    wg.go(both, a, b)
    wg.go(both, b, a)
    wg.wait()


@pytest.mark.parametrize("like", ["host", "go"])
@pytest.mark.parametrize("main", [lost_update, unlocked_update], ids=lambda main: main.__name__)
def test_a_lost_update_is_found_and_replayed(main: Any, like: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        explore(main, like=like)
    assert isinstance(caught.value.__cause__, AssertionError)
    schedule = caught.value.schedule
    assert all(isinstance(number, int) for number in schedule)
    with pytest.raises(ScheduleError) as again:
        explore(main, like=like, replay=schedule)
    assert again.value.schedule == schedule
    assert str(schedule) in str(caught.value)


def test_a_deadlock_is_found() -> None:
    with pytest.raises(ScheduleError) as caught:
        explore(lock_order)
    assert isinstance(caught.value.__cause__, mpg.DeadlockError)


def test_random_walks_find_it_too_and_are_replayed() -> None:
    with pytest.raises(ScheduleError) as caught:
        explore(lost_update, walks=2000, seed=3)
    with pytest.raises(ScheduleError, match="AssertionError"):
        explore(lost_update, replay=caught.value.schedule)


def test_what_is_right_passes_every_schedule() -> None:
    found = explore(right_update, preemptions=1)
    assert found.complete
    assert found.schedules > 40
    assert found.cells > 5


def test_more_preemptions_are_more_schedules() -> None:
    counts = [explore(right_update, preemptions=n).schedules for n in range(2)]
    assert counts[0] < counts[1]


def test_a_search_that_is_given_up_says_so() -> None:
    found = explore(right_update, most=10)
    assert found.schedules == 10
    assert not found.complete


def test_the_same_search_twice() -> None:
    first, second = (explore(right_update, preemptions=1) for _ in range(2))
    assert (first.schedules, first.points, first.cells) == (second.schedules, second.points, second.cells)


def test_only_the_window_is_explored() -> None:
    def main() -> None:
        right_update()
        with window():
            point()

    assert explore(main, windowed=True).schedules < 10 < explore(main, preemptions=1).schedules


def test_a_thread_of_the_program() -> None:
    def main() -> None:
        ch = mpg.Chan[int](1)
        thread(lambda: ch.send(1))
        assert ch.recv() == 1

    assert explore(main).complete


def test_pause_lets_everybody_else_finish() -> None:
    def main() -> None:
        done: list[int] = []
        mpg.go(done.append, 1)
        pause()
        assert done == [1]

    assert explore(main).complete


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"preemptions": -1}, ValueError, "preemptions"),
        ({"procs": 0}, ValueError, "procs"),
        ({"procs": 10**8}, ValueError, "procs"),
        ({"walks": -1}, ValueError, "walks"),
        ({"walks": True}, TypeError, "walks"),
        ({"seed": "x"}, TypeError, "seed is an int, not str"),
        ({"most": "x"}, TypeError, "most is an int of at least 1, not str"),
        ({"most": 0}, ValueError, "most is an int of at least 1, not 0"),
        ({"replay": 5}, TypeError, "replay is a sequence of ints, not int"),
        ({"replay": iter([61, 1])}, TypeError, "replay is a sequence of ints, not list_iterator"),
        ({"replay": "61"}, ValueError, "pairs of ints"),
        ({"like": "java"}, ValueError, "like"),
        ({"like": []}, ValueError, "like"),
        ({"replay": [1]}, ValueError, "pairs of ints"),
        ({"replay": [1, "x"]}, ValueError, "pairs of ints"),
    ],
)
def test_bad_arguments(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        explore(right_update, **arguments)


@pytest.mark.parametrize("schedule", [[100_000, 1], [-1, -1], [5, 99], [5, -1], [61, 0], [61, 1, 61_000, 0]])
@pytest.mark.parametrize("main", [lost_update, right_update], ids=lambda main: main.__name__)
def test_a_schedule_that_does_not_fit(main: Any, schedule: list[int]) -> None:
    with pytest.raises(ValueError, match="does not fit the program"):
        explore(main, replay=schedule)


def test_a_schedule_of_another_program_does_not_fit() -> None:
    with pytest.raises(ScheduleError) as caught:
        explore(unlocked_update)
    with pytest.raises(ValueError, match="does not fit"):
        explore(lambda: None, replay=caught.value.schedule)


@pytest.mark.parametrize("walks", [0, 50])
def test_a_program_that_differs_from_run_to_run(walks: int) -> None:
    runs: list[int] = []

    def main() -> None:
        runs.append(1)
        for _ in range(len(runs) % 2):
            mpg.go(int)
        right_update()

    with pytest.raises(ValueError, match="differs from run to run"):
        explore(main, walks=walks)


def test_a_program_that_differs_later_on() -> None:
    """What has been the same twice may be another thing the third time."""
    runs: list[int] = []

    def main() -> None:
        runs.append(1)
        if len(runs) > 200:
            mpg.sync.Mutex().lock()
        right_update()

    with pytest.raises(ValueError, match="differs from run to run"):
        explore(main)


def test_a_call_elsewhere_can_sleep_and_not_wait() -> None:
    def main() -> None:
        mpg.to_thread(mpg.sleep, 1)
        numbers = mpg.Chan[int]()
        for wait in (numbers.recv, lambda: mpg.select(mpg.recv_case(numbers), timeout=1)):
            with pytest.raises(mpg.SimulationError, match="cannot wait for a G"):
                mpg.to_thread(wait)
        assert numbers.try_recv().ok is False

    explore(main, preemptions=0)


def test_nothing_shared_says_so() -> None:
    with pytest.warns(RuntimeWarning, match=r"one schedule: .*woken by sysmon"):
        found = explore(lost_update, like="host-gil")
    assert (found.schedules, found.cells) == (1, 0)
    with pytest.warns(RuntimeWarning, match=r"one schedule$"):
        explore(lambda: None, procs=1)
    with pytest.warns(RuntimeWarning, match="nothing has been shown|one schedule"):
        explore(lambda: None, procs=1, walks=3)


def test_no_function_and_not_inside_a_run() -> None:
    with pytest.raises(TypeError, match="function"):
        explore(3)  # type: ignore[arg-type]
    for call in (window().__enter__, pause, point, lambda: thread(int)):
        with pytest.raises(RuntimeError, match="inside mpg"):
            call()

    def main() -> None:
        with pytest.raises(RuntimeError, match="inside a run"):
            explore(right_update)

    mpg.run(main)
