"""Go's order on one P: sleepers, and the functions of timers."""

from __future__ import annotations

from conformance.order import LAST_FIRST, Log
from conformance.worlds import World, check_order, is_parked, join_all, park, until

import mpg


def test_sleepers_that_are_due_together(one_p: World) -> None:
    """Five deadlines pass before the scheduler looks: the last of them runs first."""

    def main() -> Log | None:
        log: Log = []
        start = mpg.now()

        def sleeper(who: int) -> None:
            mpg.sleep(start + 0.002 + (0 if one_p.virtual else who * 0.0002) - mpg.now())
            log.append(who)

        gs = []
        for who in range(5):
            gs.append(g := mpg.go(sleeper, who))
            until(lambda g=g: is_parked(g) or g.status == "dead")  # this machine may have been away
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
