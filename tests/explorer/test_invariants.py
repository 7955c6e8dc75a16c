"""The invariants: each is broken for a moment, in the middle of things, and the fault is seen at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import mpg
from mpg.current import getcurrent, tls
from mpg.explorer import InvariantError, ScheduleError, explore, pause
from mpg.sched.finish import live_gs
from mpg.sim import Policy
from mpg.status import GDEAD, GRUNNABLE, GWAITING, PIDLE

Fault = Callable[[Any], Callable[[], None]]


def count(sched: Any) -> Callable[[], None]:
    """A P is idle, and nobody has counted it."""
    sched.npidle += 1
    return lambda: setattr(sched, "npidle", sched.npidle - 1)


def held_twice(sched: Any) -> Callable[[], None]:
    """Another M holds our P too."""
    other = sched.new_m_object(sched, 99)
    other.p = tls.m.p
    sched.allm.append(other)
    return lambda: sched.allm.remove(other)


def idle_and_held(sched: Any) -> Callable[[], None]:
    """The P that runs this is on the idle list."""
    pp = tls.m.p
    sched.pidle.append(pp)
    sched.npidle += 1

    def repair() -> None:
        sched.pidle.remove(pp)
        sched.npidle -= 1

    return repair


def wrong_holder(sched: Any) -> Callable[[], None]:
    """Our P does not know whose it is."""
    mp, pp = tls.m, tls.m.p
    pp.m = None
    return lambda: setattr(pp, "m", mp)


def status_of_a_p(sched: Any) -> Callable[[], None]:
    """Our P says that it is idle."""
    pp = tls.m.p
    before, pp.status = pp.status, PIDLE
    return lambda: setattr(pp, "status", before)


def two_m_s(sched: Any) -> Callable[[], None]:
    """Two M's run this G."""
    other = sched.new_m_object(sched, 99)
    other.curg = tls.m.curg
    sched.allm.append(other)
    return lambda: sched.allm.remove(other)


def two_queues(sched: Any) -> Callable[[], None]:
    """A G is queued twice."""
    gp = mpg.go(int)
    gp.ticket = 0
    sched.allp[-1].ring.append(gp)
    return lambda: sched.allp[-1].ring.remove(gp)


def queued_and_dead(sched: Any) -> Callable[[], None]:
    """What is queued is not runnable."""
    gp = mpg.go(int)
    gp.__class__ = type(gp).__mro__[-2]  # the explorer's own look at statuses is not what is tried here
    gp.atomicstatus = GDEAD
    return lambda: setattr(gp, "atomicstatus", GRUNNABLE)


def waiter(sched: Any) -> Any:
    """The sudog of the G that waits for a channel all the while."""
    return next(
        gp.waiting for gp in live_gs(sched) if gp.atomicstatus == GWAITING and gp.waitreason == "chan receive"
    )


def torn_queue(sched: Any) -> Callable[[], None]:
    """A G waits in a queue that does not have it."""
    sg = waiter(sched)
    q = sg.q
    q.first = q.last = None

    def repair() -> None:
        q.first = q.last = sg

    return repair


def item_and_receiver(sched: Any) -> Callable[[], None]:
    """A channel has an item while somebody waits for one."""
    ch = waiter(sched).c
    ch.buf.append(1)
    return ch.buf.clear


FAULTS: dict[Fault, str] = {
    count: "said to be idle",
    held_twice: "is held by",
    idle_and_held: "is idle and held",
    wrong_holder: "and says None",
    status_of_a_p: "status",
    two_m_s: "on two M's",
    two_queues: "in two queues",
    queued_and_dead: "is queued",
    torn_queue: "torn|stands 0 times",
    item_and_receiver: "has items",
}


def program(fault: Fault | None) -> Callable[[], None]:
    """A main that breaks a rule, hands something over, and repairs it."""

    def main() -> None:
        quiet, ch = mpg.Chan[int](1), mpg.Chan[int](1)
        mpg.go(quiet.recv_ok)
        mpg.gosched()
        while not any(gp.waitreason == "chan receive" for gp in live_gs(tls.m.sched)):
            mpg.gosched()
        repair = fault(tls.m.sched) if fault is not None else lambda: None
        ch.send(1)
        repair()
        ch.recv()
        quiet.close()

    return main


@pytest.mark.timeout(60)
@pytest.mark.parametrize("like", ["go", "host", "host-gil"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_simulation_sees_it_during_a_hand_over(fault: Fault, like: str) -> None:
    mpg.simulate(program(None), procs=2, like=like, costs="zero", invariants=1)
    with pytest.raises(InvariantError, match=FAULTS[fault]):
        mpg.simulate(program(fault), procs=2, like=like, costs="zero", invariants=1)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("like", ["go", "host"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_explorer_sees_it_at_a_choice_point(fault: Fault, like: str) -> None:
    explore(program(None), like=like, preemptions=0, checks=True)
    with pytest.raises(ScheduleError) as caught:
        explore(program(fault), like=like, preemptions=0, checks=True)
    assert isinstance(caught.value.__cause__, InvariantError)


@contextmanager
def within(sched: Any) -> Iterator[None]:
    """Locks in the wrong order: the scheduler's inside of an M's."""
    with tls.m.lock, sched.lock:
        yield


@pytest.mark.timeout(60)
@pytest.mark.parametrize("like", ["go", "host", "host-gil"])
def test_locks_are_taken_in_order_in_simulations_too(like: str) -> None:
    def right() -> None:
        sched = tls.m.sched
        with sched.lock, tls.m.lock:
            pass

    def wrong() -> None:
        with within(tls.m.sched):
            pass

    mpg.simulate(right, like=like, invariants=1)
    mpg.simulate(wrong, like=like)
    with pytest.raises(InvariantError, match="the scheduler is taken with that of an M held"):
        mpg.simulate(wrong, like=like, invariants=1)


@pytest.mark.timeout(60)
def test_a_lost_waiter_is_seen_when_all_is_quiet() -> None:
    """Claimed, and never made ready: rightly so for a moment, and wrong once nobody is under way."""

    def main() -> None:
        ch = mpg.Chan[int](1)
        mpg.go(ch.recv_ok)
        pause()
        assert ch.recvq.dequeue() is not None
        pause()

    with pytest.raises(ScheduleError, match="waits in no queue"):
        explore(main, preemptions=0)


@pytest.mark.timeout(60)
def test_a_carrier_that_does_not_know_its_m_is_seen_when_all_is_quiet() -> None:
    def main() -> None:
        del getcurrent().mpg_m
        pause()

    with pytest.raises(ScheduleError, match="does not know that it is on"):
        explore(main, preemptions=0)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "policy",
    [
        Policy(spinning=0),
        Policy(spinning=0.1),
        Policy(recheck=False),
        Policy(victims="one"),
        Policy(local="lifo"),
    ],
    ids=str,
)
def test_other_policies_keep_the_rules_that_are_theirs(policy: Policy) -> None:
    def main() -> None:
        wg = mpg.sync.WaitGroup()
        for i in range(30):
            wg.go(mpg.work, 1e-4 * (1 + i % 7))
        wg.wait()

    for seed in range(3):
        mpg.simulate(main, procs=4, seed=seed, policy=policy, invariants=1)
