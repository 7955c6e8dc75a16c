"""work and stall: the two words that mean the same in every world.

`work` burns CPU, as a computation would; `stall` blocks the thread and tells nobody, as a C library would. So

    mpg.work(s)                         a computation; it yields when its slice is over
    mpg.stall(s)                        a call that sysmon must discover
    mpg.to_thread(mpg.stall, s)         the same call, offloaded
    with mpg.blocking(): mpg.stall(s)   the same call, handed off

A run really burns and blocks. In a simulation these, sleeps and timers are all that takes virtual time.
"""

from __future__ import annotations

from .current import tls
from .seconds import to_ns

__all__ = ["stall", "work"]


def work(seconds: float) -> None:
    """Use `seconds` of CPU time: this thread's own, time in which it does not run is not counted.

    Inside, the G can be preempted whenever its slice is over.

    Raises:
        TypeError: no number.
        ValueError: negative, or NaN.
        SimulationError: infinite, in a simulation.
    """
    ns = duration(seconds, "work")
    if ns:
        tls.m.work(ns)


def stall(seconds: float) -> None:
    """Block the calling thread for `seconds`, undeclared. Nothing can end it early.

    Raises:
        TypeError: no number.
        ValueError: negative, or NaN.
        SimulationError: infinite, in a simulation.
    """
    ns = duration(seconds, "stall")
    if ns:
        tls.m.stall(ns)


def duration(seconds: float, what: str) -> int:
    ns = to_ns(seconds)
    if ns < 0:
        raise ValueError(f"mpg.{what} takes a time that is not negative, not {seconds!r}")
    return ns
