"""The run queues of one M and its P, without a run: order by ticket, overflow, batches, theft."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mpg.port import HOST_GIL
from mpg.sched import ready, runq
from mpg.sched.g import G, new_g
from mpg.sched.idle import retire_locked
from mpg.sched.mlife import acquirep, releasep
from mpg.sched.pinned import PinnedM
from mpg.sched.schedt import Sched
from mpg.sched.steal import grab
from mpg.sched.structs import P
from mpg.sched.timers import RTimer, add_timer


class FakePort(SimpleNamespace):
    """As much of a port as queues need."""

    def __init__(self) -> None:
        super().__init__(
            world=0, caps=HOST_GIL, now=lambda: 1, new_rng=lambda: None, usleep=lambda mp, ns: None
        )

    def new_lock(self) -> Any:
        import threading

        return threading.Lock()

    def new_owned_lock(self) -> Any:
        import threading

        return threading.RLock()

    def new_ring(self) -> Any:
        from collections import deque

        return deque()

    def new_slot(self) -> Any:
        return []


class Bench:
    """One Sched with `procs` P's, and M's that hold them."""

    def __init__(self, procs: int = 1) -> None:
        self.sched = Sched(FakePort(), procs, run_id=1)  # type: ignore[arg-type]
        self.sched.allp = [P(self.sched, i) for i in range(procs)]
        self.ms = [PinnedM(self.sched, i) for i in range(procs)]
        for mp, pp in zip(self.ms, self.sched.allp, strict=True):
            mp.p = pp
            pp.m = mp
        self.mp, self.pp = self.ms[0], self.sched.allp[0]
        self.count = 0

    def fresh(self) -> G:
        self.count += 1
        return new_g(self.count, print, (), None)

    def started(self) -> G:
        gp = self.fresh()
        gp.home = self.mp
        return gp

    def drain(self) -> list[int]:
        out = []
        while (gp := runq.pick(self.mp, self.pp)) is not None:
            out.append(gp.id)
        return out


def test_fresh_and_started_keep_the_order_in_which_they_were_queued():
    b = Bench()
    for make in (b.fresh, b.started, b.started, b.fresh, b.started, b.fresh):
        runq.put(b.mp, b.pp, make())
    assert b.drain() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kinds", ["ff", "fs", "sf", "ss"])
def test_the_last_one_made_next_displaces_the_one_before(kinds):
    b = Bench()
    runq.put(b.mp, b.pp, b.started())
    for kind in kinds:
        runq.put_next(b.mp, b.pp, b.fresh() if kind == "f" else b.started())
    assert b.drain() == [3, 1, 2]


def test_only_what_is_not_next_begins_a_slice():
    b = Bench()
    runq.put(b.mp, b.pp, b.fresh())
    runq.put_next(b.mp, b.pp, b.fresh())
    b.pp.schedtick = 1
    b.drain()
    assert (b.pp.schedtick, b.pp.nexttick) == (2, 1)


def test_a_full_local_queue_sheds_its_oldest_half():
    b = Bench()
    for i in range(257):
        runq.put(b.mp, b.pp, b.started() if i % 2 else b.fresh())
    assert len(b.pp.ring) + len(b.mp.lq) == 128
    assert len(b.sched.globq) + len(b.mp.gq) == 129
    b.pp.schedtick = 1
    first = runq.pick(b.mp, b.pp)
    assert first is not None
    assert first.id == 129
    assert b.drain() == [*range(130, 189), 1, *range(189, 249), 2, *range(249, 257), *range(3, 129), 257]


def test_every_61st_slice_looks_at_the_global_side_first():
    b = Bench()
    b.pp.schedtick = 61
    runq.put(b.mp, b.pp, b.fresh())
    runq.put_global_started(b.mp, b.started())
    assert b.drain() == [2, 1]


def test_global_entries_of_both_kinds_come_in_order():
    b = Bench()
    b.pp.schedtick = 1
    for i in range(6):
        gp = b.fresh() if i % 2 else b.started()
        if gp.home is None:
            gp.ticket = b.pp.ticket
            b.pp.ticket += 1
            with b.sched.lock:
                runq.put_global_locked(b.sched, (gp,))
        else:
            runq.put_global_started(b.mp, gp)
    assert b.drain() == [1, 2, 3, 4, 5, 6]


def test_one_of_several_ps_takes_its_share():
    b = Bench(procs=4)
    b.pp.schedtick = 1
    for _ in range(8):
        runq.put_global_started(b.mp, b.started())
    assert runq.pick(b.mp, b.pp).id == 1  # type: ignore[union-attr]
    assert [gp.id for gp in b.mp.lq] == [2, 3]
    assert len(b.mp.gq) == 5


@pytest.mark.parametrize(
    ("n", "one", "stolen"), [(1, False, 1), (2, False, 1), (5, False, 3), (5, True, 1), (0, False, 0)]
)
def test_a_thief_takes_the_older_half_of_the_fresh(n, one, stolen):
    b = Bench(procs=2)
    for _ in range(n):
        runq.put(b.mp, b.pp, b.fresh())
    runq.put(b.mp, b.pp, b.started())
    taken, before = grab(b.ms[1], b.pp, runnext=False, one=one)
    assert ([gp.id for gp in taken], before) == (list(range(1, stolen + 1)), n)
    assert len(b.mp.lq) == 1


def test_runnext_is_stolen_only_when_it_is_asked_for_and_alone():
    b = Bench(procs=2)
    runq.put_next(b.mp, b.pp, b.fresh())
    assert grab(b.ms[1], b.pp, runnext=False, one=False) == ([], 0)
    taken, before = grab(b.ms[1], b.pp, runnext=True, one=False)
    assert ([gp.id for gp in taken], before) == ([1], 0)
    assert b.drain() == []


@pytest.mark.parametrize(("queued", "stolen"), [(0, []), (3, [3, 4])])
def test_a_runnext_that_came_while_the_thief_waited_is_left(queued, stolen):
    """The thief gives a running P a moment to run the one it has seen (Go: a compare-and-swap)."""

    def run_it_and_make_more(mp, ns):
        assert b.pp.runnext.pop().id == 1
        b.pp.runnext.append(b.fresh())
        for _ in range(queued):
            runq.put(b.mp, b.pp, b.fresh())

    b = Bench(procs=2)
    b.sched.port.usleep = run_it_and_make_more
    runq.put_next(b.mp, b.pp, b.fresh())
    taken, before = grab(b.ms[1], b.pp, runnext=True, one=False)
    assert ([gp.id for gp in taken], before) == (stolen, queued)
    assert [gp.id for gp in b.pp.runnext] == [2]


def test_what_a_dying_p_leaves_goes_to_the_head_of_the_global_queue():
    b = Bench(procs=2)
    b.sched.gomaxprocs = 1
    runq.put(b.mp, b.pp, b.fresh())
    runq.put_next(b.mp, b.pp, b.fresh())
    old = b.fresh()
    old.ticket = 7
    runq.put_global_locked(b.sched, (old,))
    second = b.sched.allp[1]
    second.runnext.append(b.fresh())  # never queued anywhere before
    second.ring.append(b.fresh())
    retire_locked(b.sched, second)
    assert [gp.id for gp in b.sched.globq] == [4, 5, 3]
    assert [gp.ticket for gp in b.sched.globq] == [7, 7, 7]
    assert b.sched.allp == [b.pp]


def test_a_p_that_comes_back_has_what_was_made_meanwhile_behind_what_waits():
    b = Bench(procs=2)
    mp, other = b.ms
    other.p = None
    acquirep(mp, b.pp)
    mp.newproc(b.fresh())
    mp.newproc(b.fresh())
    runq.put(mp, b.pp, b.started())
    acquirep(other, releasep(mp))
    other.newproc(b.fresh())
    other.newproc(b.fresh())
    other.newproc(b.fresh())
    acquirep(mp, releasep(other))
    assert b.drain() == [6, 1, 3, 2, 4, 5]


def test_the_heir_of_a_p_with_timers_is_told():
    b = Bench(procs=2)
    add_timer(b.ms[1], RTimer(lambda mp, arg, when: None, None), 5)
    assert not b.mp.attn
    b.ms[1].p = None
    retire_locked(b.sched, b.sched.allp[1])
    assert b.pp.when == 5
    assert b.mp.attn


def test_what_a_locked_m_may_run():
    b = Bench()
    runq.put(b.mp, b.pp, b.fresh())
    runq.put_next(b.mp, b.pp, b.fresh())
    runq.put(b.mp, b.pp, b.started())
    runq.put_global_started(b.mp, b.started())
    picked = [runq.pick_started(b.mp, b.pp) for _ in range(3)]
    assert [gp.id if gp else None for gp in picked] == [3, 4, None]


def test_what_is_made_ready_without_a_p_in_the_middle_of_the_same_is_put_off(monkeypatch):
    """A signal handler or `__del__` would wait for the lock of its own thread."""
    b = Bench()
    mp, b.mp.p = b.mp, None
    rung = []
    b.sched.port.wakeup = rung.append
    first, second = b.fresh(), b.fresh()

    def interrupted(sched: Sched) -> None:
        monkeypatch.undo()
        ready.ready_without_p(mp, second)

    monkeypatch.setattr(ready, "pidleget_locked", interrupted)
    ready.ready_without_p(mp, first)
    assert list(b.sched.globq) == [first]
    assert rung == [mp]
    assert mp.attn
    (letter,) = mp.inbox
    letter(mp)
    assert list(b.sched.globq) == [first, second]
