"""Models: blocking calls and their P's, help for a stuck P, the end of a run."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

from explorer.modelling import beside, model, port, sysmon_does, take_and_hand_off

import mpg
from mpg.current import tls
from mpg.explorer import pause, thread, window
from mpg.sched import sysmon
from mpg.sched.doorbell import interrupt
from mpg.sched.finish import stop
from mpg.sched.g import new_g
from mpg.sched.mlife import post
from mpg.sched.place import newproc_on, unplace
from mpg.sched.ready import new_goid


@model("host", "go", procs=1)
def blocking_against_retake() -> None:
    """A call returns while sysmon takes the P away for a G that waits."""
    pp = tls.m.p
    ran: list[int] = []
    mpg.go(ran.append, 1)
    with window():
        sysmon_does(lambda sched: sysmon.retake_syscall(sched, pp.m, pp, port().time, True) if pp.m else None)
        with mpg.blocking():
            pass
    pause()
    mpg.gosched()
    assert ran == [1]


@model("host", "go")
def handoff_against_new_work() -> None:
    """Sysmon finds no work for the P that it has taken, and the call returns without one; the other P is busy."""
    pp = tls.m.p
    beside(pause)

    with window():
        sysmon_does(lambda sched: take_and_hand_off(sched, pp))
        with mpg.blocking():
            pass
        pause()


@model("host", procs=1)
def queue_for_a_p_against_idle() -> None:
    """An M comes back from a call and needs a P; the M that has it goes idle."""
    pp = tls.m.p
    mpg.go(pause)

    sysmon_does(lambda sched: take_and_hand_off(sched, pp))
    with mpg.blocking():
        pause()
        port().open = True
    pause()
    port().open = False


@model("host", procs=1)
def relief_against_return() -> None:
    """A stuck P's fresh G is helped by a relief P, and the stuck G goes on meanwhile."""
    pp = tls.m.p
    ran: list[int] = []
    g = mpg.go(ran.append, 1)

    def help_and_end(sched: Any) -> None:
        sysmon.help_out(sched, pp)
        if pp in sched.helped:
            sysmon.end_help(sched, pp)

    with window():
        sysmon_does(help_and_end)
        g.join()
    pause()
    sched = tls.m.sched
    assert (ran, len(sched.allp), sched.nrelief) == ([1], 1, 0)


@model("host", "go")
def retired_while_it_spins() -> None:
    """A P is retired while its M looks for work: that M spins no more, or nobody would ever be woken again."""
    ran: list[int] = []
    with window():
        mpg.go(ran.append, 1)
        mpg.gomaxprocs(1)
        pause()
    mpg.gosched()
    mpg.gomaxprocs(2)
    mpg.go(ran.append, 2)
    pause()
    assert ran == [1, 2]


@model("host-gil", procs=1)
def relief_over_while_it_spins() -> None:
    """The same for a relief P, whose time is over while its M looks for work."""
    pp = tls.m.p

    def help_and_end(sched: Any) -> None:
        sysmon.help_out(sched, pp)
        if pp in sched.helped:
            sysmon.end_help(sched, pp)

    with window():
        sysmon_does(help_and_end)
        pause()
    assert len(tls.m.sched.allp) == 1


@model("host", procs=3)
def work_beside_a_locked_m() -> None:
    """An idle M that a G has locked can start no other: whoever is woken for a new G is another M."""
    ch = mpg.Chan[int]()
    ran: list[int] = []

    def locked() -> None:
        mpg.lock_os_thread()
        assert (ch.recv(), ch.recv()) == (6, 7)

    g = beside(locked)
    pause()
    ch.send(6)
    pause()  # its M is the one that has gone idle last
    with window():
        mpg.go(ran.append, 1)
        pause()
    assert ran == [1]
    ch.send(7)
    g.join()


@model("host")
def placed_against_unplaced() -> None:
    """Sysmon takes a fresh G out of the inbox of an M that seemed to be stuck, and now looks into it."""
    ran: list[int] = []
    mp, pp = tls.m, tls.m.p

    def yields() -> None:
        mpg.gosched()
        mpg.gosched()

    g = beside(yields)
    gp = new_g(new_goid(mp), ran.append, (1,), copy_context())
    with window():
        newproc_on(mp, gp, g.home)
        sysmon_does(lambda sched: unplace(sched, g.home, pp))
        pause()
    mpg.gosched()
    assert ran == [1]


@model("host-gil")
def helper_that_may_not_steal() -> None:
    """A helper has come for a P that moves again, so that nothing may be taken from it: it goes to sleep."""
    pp = tls.m.p
    ran: list[int] = []
    g = mpg.go(ran.append, 1)
    with window():
        sysmon_does(lambda sched: sysmon.help_out(sched, pp))
        pause()
    g.join()
    assert ran == [1]


@model("host", "host-gil", procs=1)
def spare_m_against_wait() -> None:
    """A call on a spare M ends while its G's M goes to sleep."""
    with window():
        assert mpg.to_thread(int, "7") == 7


@model("host", procs=1)
def spare_m_against_interrupt() -> None:
    """A call on a spare M ends while its G is interrupted: it has the value or the exception."""
    ends: list[Any] = []
    home = tls.m

    def calls() -> None:
        try:
            ends.append(mpg.to_thread(int, "7"))
        except KeyError:
            ends.append(None)

    g = mpg.go(calls)
    with window():
        mpg.gosched()
        thread(lambda: post(home, lambda mp: interrupt(mp, g, KeyError())))
        g.join()
    pause()
    mpg.gosched()
    assert ends in ([7], [None])


@model("host", procs=2)
def preempt_against_park() -> None:
    """Sysmon asks for a P while its G's park and yield."""
    pp = tls.m.p
    ch = mpg.Chan[int](1)

    def ask(sched: Any) -> None:
        mp = pp.m
        if mp is not None:
            pp.leave = True
            mp.ring_bell()

    with window():
        sysmon_does(ask)
        thread(lambda: ch.send(1))
        assert ch.recv() == 1


# The end of a run.


@model("host", "go", procs=3)
def shutdown_against_spawn() -> None:
    """Main returns while another M's G spawns."""

    def spawns() -> None:
        mpg.go(int)
        mpg.go(int)

    beside(spawns)
    port().open = True


@model("host", "go")
def shutdown_against_handoff() -> None:
    """The run ends while a new M is started for a P that was taken from a call."""
    pp, sched = tls.m.p, tls.m.sched
    beside(lambda: stop(sched, None))

    mpg.go(int)
    with mpg.blocking():
        port().open = True
        sysmon_does(lambda sched: take_and_hand_off(sched, pp))
        pause()


@model("host", "go")
def shutdown_against_a_g_that_has_parked() -> None:
    """Main returns while another M runs a G that has parked before: nobody else unwinds it."""
    ends: list[int] = []
    ch = mpg.Chan[int](1)

    def runs() -> None:
        mpg.gosched()
        pause()
        try:
            ch.try_send(1)
            ch.try_recv()
        finally:
            ends.append(1)
            assert len(ends) == 1

    mpg.go(runs)
    pause()
    port().open = True


@model("host", "go")
def unwinding_against_ready() -> None:
    """Main returns while a G is made ready that is also to be unwound: it ends once, and what was sent is there."""
    ends: list[int] = []
    got: list[int] = []
    sent: list[bool] = []
    ch, never = mpg.Chan[int](), mpg.Chan[int]()

    def waits() -> None:
        try:
            got.append(ch.recv())
        finally:
            ends.append(1)
            assert len(ends) == 1

    def looks() -> None:  # unwound after it
        try:
            never.recv()
        finally:
            assert got or not sent

    def sends() -> None:
        ch.send(1)
        sent.append(True)

    mpg.go(waits)
    mpg.go(looks)
    mpg.gosched()
    beside(sends)
    port().open = True


@model("host", "go")
def joined_and_unwound() -> None:
    """The run ends, and one M unwinds a G that is joined on another: who joins it does not go on."""
    never = mpg.Chan[int]()

    def joins() -> None:
        g.join()
        raise AssertionError("it has not come to its end")

    g = beside(never.recv)
    mpg.go(joins)
    pause()
    port().open = True


@model("host", procs=1)
def spare_m_against_the_end() -> None:
    """A call on a spare M ends while the run does."""
    mpg.go(mpg.to_thread, int, "7")
    mpg.gosched()
    port().open = True
