"""Models: who wakes whom; channels, select, sync, timers."""

from __future__ import annotations

from typing import Any
from unittest import mock

from explorer.modelling import beside, model, pass_time, port

import mpg
from mpg import selectgo
from mpg.current import tls
from mpg.explorer import pause, point, thread, window
from mpg.sched.timers import check_timers


@model("host", "go")
def ready_against_gopark() -> None:
    """A receiver parks while its sender comes: where stacks move, its stack must have been left."""
    ch = mpg.Chan[int]()
    beside(lambda: ch.send(7))
    with window():
        assert ch.recv() == 7


@model("host", "go")
def ready_against_gosched() -> None:
    """A G yields while another makes its neighbour ready."""
    ch = mpg.Chan[int](1)
    beside(lambda: ch.send(7))
    with window():
        mpg.gosched()
        assert ch.recv() == 7


@model("host", "go")
def ping_pong() -> None:
    """Letters both ways between two M's that go to sleep."""
    a, b = mpg.Chan[int](), mpg.Chan[int]()
    beside(lambda: b.send(a.recv() + 1))
    with window():
        a.send(1)
        assert b.recv() == 2


@model("host", "host-gil")
def plain_thread_wakes() -> None:
    """A thread that is no M sends while the only G's M goes to sleep."""
    ch = mpg.Chan[int](1)
    with window():
        thread(lambda: ch.send(7))
        assert ch.recv() == 7


@model("host", "go", preemptions=1)
def reset_against_select() -> None:
    """A stopped timer is started again while a receiver plans how long to wait for it."""
    timer = mpg.Timer(1)
    timer.stop()
    beside(lambda: timer.reset(1))
    with window():
        timer.chan.recv()


@model("host", "go")
def waitgroup() -> None:
    """The last `done` meets `wait`."""
    wg = mpg.sync.WaitGroup()
    wg.add(1)
    beside(wg.done)
    with window():
        wg.wait()


@model("host", "go")
def mutex() -> None:
    """Two G's on two M's want one Mutex."""
    mu, inside = mpg.sync.Mutex(), [0]

    def visit() -> None:
        with mu:
            inside[0] += 1
            point()
            assert inside[0] == 1
            inside[0] -= 1

    g = beside(visit)
    with window():
        visit()
        g.join()


@model("host", "go")
def rwmutex() -> None:
    """A writer and a reader on two M's, while a second reader waits."""
    mu, inside = mpg.sync.RWMutex(), [0]

    def reads() -> None:
        mu.rlock()
        assert inside[0] == 0
        mu.runlock()

    g = beside(reads)
    with window():
        mu.lock()
        inside[0] = 1
        point()
        inside[0] = 0
        mu.unlock()
        g.join()


@model("host", "go")
def join_against_end() -> None:
    """A G ends while another comes to wait for that."""
    g = beside(int)
    with window():
        g.join()
    assert g.status == "dead"


@model("host", "go", preemptions=1)
def join_timeout_against_end() -> None:
    """A G ends when the time of the one that waits for it is up."""
    g = beside(lambda: mpg.sleep(0.001))
    with window():
        try:
            g.join(timeout=0.001)
        except TimeoutError:
            g.join()
    assert g.status == "dead"


# select.


@model("host", "go")
def two_selects() -> None:
    """Two selects on the same two channels, each of which could be the other's partner: both end, with one item."""
    a, b = mpg.Chan[str](), mpg.Chan[str]()
    found: list[Any] = []
    g = beside(lambda: found.append(mpg.select(mpg.recv_case(b), mpg.send_case(a, "x"))))
    with mock.patch.object(selectgo, "shuffle"), window():
        mine = mpg.select(mpg.recv_case(a), mpg.send_case(b, "y"))
        g.join()
    assert (mine.index, mine.value, found[0].index, found[0].value) in ((0, "x", 1, None), (1, None, 0, "y"))


@model("host", "go")
def select_against_close() -> None:
    """A select on two channels, of which one is closed while the other gets an item: the item is not lost."""
    a, b = mpg.Chan[int](), mpg.Chan[int](1)

    def other() -> None:
        a.close()
        b.send(1)

    g = beside(other)
    with window():
        found = mpg.select(mpg.recv_case(a), mpg.recv_case(b))
        g.join()
    if found.chan is a:
        assert (found.value, found.ok) == (None, False)
        assert b.recv() == 1
    else:
        assert (found.value, found.ok) == (1, True)


@model("host", "go")
def select_against_two_senders() -> None:
    """One select and a sender on each of its channels: it takes one item, the other stays."""
    a, b = mpg.Chan[int](1), mpg.Chan[int](1)

    def other() -> None:
        a.send(1)
        b.send(2)

    g = beside(other)
    with window():
        found = mpg.select(mpg.recv_case(a), mpg.recv_case(b))
        g.join()
    rest = mpg.select(mpg.recv_case(a), mpg.recv_case(b), default=True)
    assert {found.value, rest.value} == {1, 2}


@model("host", preemptions=1)
def select_against_two_receivers() -> None:
    """One select that sends, and a receiver on each of its channels: it gives one item away, the other stays."""
    a, b = mpg.Chan[int](), mpg.Chan[int]()
    got: list[int] = []

    def other() -> None:
        got.append(a.recv())
        got.append(b.recv())

    g = beside(other)
    with window():
        found = mpg.select(mpg.send_case(a, 1), mpg.send_case(b, 2))
        if found.chan is a:
            b.send(2)
        else:
            a.send(1)
        g.join()
    assert got == [1, 2]


@model("host", "go", preemptions=1)
def select_timeout_against_send() -> None:
    """A select's time is up while its sender comes: the item is received, or still there."""
    ch = mpg.Chan[int](1)
    g = beside(lambda: ch.send(1))
    with window():
        found = mpg.select(mpg.recv_case(ch), timeout=0.001)
        g.join()
    assert found.value == 1 or ch.try_recv().value == 1


@model("host", "go", preemptions=1)
def timed_wait_fires_at_once() -> None:
    """A select's time is up before it has parked, and another M sees that first."""
    ch = mpg.Chan[int]()
    g = beside(pass_time)
    with window():
        assert mpg.select(mpg.recv_case(ch), timeout=0.001) == (-1, None, False, None)
        g.join()


# Timers.


@model("host")
@model("go", preemptions=1)
def timer_stop_against_fire() -> None:
    """`stop` says whether it kept the function from running; another M may run the timer."""
    ran: list[int] = []
    timer = mpg.after_func(0.001, ran.append, 1)
    g = beside(lambda: mpg.sleep(0.001))
    with window():
        point()
        point()
        stopped = timer.stop()
        pause()
    g.join()
    pause()
    assert len(ran) == (not stopped)


@model("host", "go")
def timer_run_by_two() -> None:
    """The owner of a P and a thief both find its timer due."""
    pp = tls.m.p
    ran: list[int] = []
    mpg.after_func(0.001, ran.append, 1)
    g = beside(lambda: check_timers(tls.m, pp))
    port().time += 2_000_000
    with window():
        mpg.gosched()
    g.join()
    pause()
    assert ran == [1]


@model("host", "go", preemptions=1)
def sleepers() -> None:
    """Two G's sleep on two M's, and both wake."""

    def sleeps() -> None:
        mpg.sleep(0.001)

    g = beside(sleeps)
    with window():
        sleeps()
        g.join()
