"""`deliver`: events become hints and runnable G's, in order, as if each had been queued by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.test_runq import Bench

from mpg.sched import runq
from mpg.sched.g import G
from mpg.sched.netpoll import BOTH, MORE, READ, WRITE, PollDesc, deliver
from mpg.status import GRUNNABLE, GWAITING


class Sockets(Bench):
    """A Bench whose M watches descriptors; `wait` has a new G wait for one."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.pds = {fd: PollDesc(self.mp, fd) for fd in range(n)}
        for pd in self.pds.values():
            pd.rready = pd.wready = False

    def wait(self, fd: int, *, write: bool = False) -> G:
        gp = self.started()
        gp.atomicstatus = GWAITING
        pd = self.pds[fd]
        (pd.w if write else pd.r).cell.append(gp)
        return gp

    def deliver(self, *events: tuple[int, int]) -> int:
        return deliver(self.mp, events, self.pds)


def test_readiness_is_remembered_whether_or_not_somebody_waits() -> None:
    bench = Sockets(3)
    reader = bench.wait(0)
    assert bench.deliver((0, READ), (1, WRITE), (99, READ)) == 1
    hints = [(pd.rready, pd.wready, pd.hup) for pd in bench.pds.values()]
    assert hints == [(True, False, False), (False, True, False), (False, False, False)]
    assert reader.atomicstatus == GRUNNABLE
    assert bench.drain() == [reader.id]


def test_a_writer_goes_before_a_reader_and_a_hang_up_wakes_both() -> None:
    bench = Sockets(2)
    reader, writer = bench.wait(0), bench.wait(0, write=True)
    other = bench.wait(1, write=True)
    assert bench.deliver((0, MORE & 0x10), (1, BOTH)) == 3
    assert bench.pds[0].hup
    assert not bench.pds[1].hup
    assert bench.drain() == [writer.id, reader.id, other.id]


class Contested(list[Any]):
    """A cell whose G another M claims between the look and the pop."""

    def pop(self, *at: Any) -> Any:
        self.clear()
        return super().pop(*at)


@pytest.mark.parametrize("write", [False, True])
def test_a_wait_that_somebody_else_has_just_ended_is_left_to_them(write: bool) -> None:
    bench = Sockets(2)
    pd = bench.pds[0]
    wait = pd.w if write else pd.r
    wait.cell = Contested()
    bench.wait(0, write=write)
    reader = bench.wait(1)
    assert bench.deliver((0, BOTH), (1, READ)) == 1
    assert bench.drain() == [reader.id]


def test_a_handler_that_raises_in_the_middle_loses_nobody() -> None:
    bench = Sockets(3)
    gs = [bench.wait(fd) for fd in range(3)]

    def events() -> Iterator[tuple[int, int]]:
        yield 0, READ
        yield 1, READ
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(bench.mp, events(), bench.pds)
    assert bench.drain() == [gs[0].id, gs[1].id]
    assert bench.pds[2].r.cell == [gs[2]]


@pytest.mark.parametrize("queued", [0, 1, 127, 128, 129, 200, 255, 256])
@pytest.mark.parametrize("n", [1, 2, 128])
@pytest.mark.parametrize("with_p", [True, False])
def test_a_batch_is_queued_as_its_gs_one_by_one_would_be(queued: int, n: int, with_p: bool) -> None:
    """The queues, the tickets, and who runs when, also beyond a full local queue and without a P."""
    batch, single = Sockets(n), Sockets(n)
    for bench in (batch, single):
        for i in range(queued):
            runq.put(bench.mp, bench.pp, bench.fresh() if i % 3 == 0 else bench.started())
        bench.mp.p = bench.pp if with_p else None
    for fd in range(n):
        batch.wait(fd)
    assert batch.deliver(*((fd, READ) for fd in range(n))) == n
    for fd in range(n):
        single.wait(fd)
    for fd in range(n):
        assert single.deliver((fd, READ)) == 1
    for bench in (batch, single):
        bench.mp.p = bench.pp
    assert queues(batch) == queues(single)
    order = batch.drain()
    assert order == single.drain()
    assert sorted(order) == list(range(1, queued + n + 1))


def queues(bench: Bench) -> list[list[tuple[int, int]]]:
    """Who stands where, with which ticket."""
    places = (bench.pp.ring, bench.mp.lq, bench.mp.gq, bench.sched.globq)
    return [[(gp.id, gp.ticket) for gp in place] for place in places]
