"""sleep, after, Timer, Ticker, after_func, with the semantics of Go 1.23 and later (Go: time/sleep.go, tick.go).

A timer *channel* needs no runtime timer of its own: it is a time (`when`) which is settled whenever somebody
looks at the channel, and whoever blocks on it sleeps no longer than until then. So a timer that nobody waits
for costs nothing, and `stop` and `reset` leave no stale value behind. Its `len` and `cap` are 0, as in Go.

`sleep` and `after_func` use runtime timers (sched/timers.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from .chan import Chan
from .current import new_lock, tls
from .errors import ChanClosed
from .sched.doorbell import checkpoint
from .sched.g import new_g
from .sched.ready import new_goid, ready
from .sched.timers import RTimer, add_timer, stop_timer
from .seconds import to_ns
from .selectgo import recv_case, select
from .status import SLEEP

__all__ = ["FuncTimer", "Ticker", "Timer", "after", "after_func", "now", "sleep"]


def now() -> float:
    """Seconds on the clock of this world; never goes back. In a simulation the virtual time."""
    return tls.m.clock() / 1e9  # type: ignore[no-any-return]


class SleepTimer(RTimer):
    """The timer of one `sleep`, armed when its G has parked."""

    __slots__ = ("c", "until")

    def __init__(self, gp: Any, until: int) -> None:
        super().__init__(wake_sleeper, gp)
        self.until = until
        self.c = None

    def append(self, token: None) -> None:
        mp = tls.m
        if mp.p is not None:
            add_timer(mp, self, self.until)
        else:  # the run is ending, and `unwind` resumes its G
            self.until = 0

    def cancel(self, gp: Any) -> bool:
        return not self.until or super().cancel(gp)


def wake_sleeper(mp: Any, gp: Any, when: int) -> None:
    ready(mp, gp)


def sleep(seconds: float) -> None:
    """Suspend the current G, or ordinary thread, for at least `seconds`; at once if not positive.

    Raises:
        TypeError: no number.
        ValueError: NaN.
        RuntimeError: inside `mpg.blocking()`.
    """
    ns = to_ns(seconds)
    mp = tls.m
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    if ns <= 0:
        return
    gp = mp.curg
    if gp is None:
        mp.sleep(ns)
        return
    t = gp.waiting = SleepTimer(gp, mp.now() + ns)
    mp.gopark(gp, t, SLEEP)


class TimerState:
    """What `Chan.timer` is. All fields are guarded by the channel's lock."""

    __slots__ = ("ch", "period", "when")

    def __init__(self, ch: Chan[float]) -> None:
        self.ch = ch
        self.when = 0
        self.period = 0

    def settle(self, now: int) -> int:
        """Deliver what is due. Returns the time of the next tick, 0 for none."""
        ch = self.ch
        with ch.lock:
            if self.when and now >= self.when:
                if not ch.buf:
                    ch.buf.append(self.when / 1e9)
                if self.period:  # skip missed ticks, keep the phase
                    self.when += self.period * (1 + (now - self.when) // self.period)
                else:
                    self.when = 0
            return self.when

    def set(self, when: int, period: int) -> bool:
        """Stop (when=0) or restart. True if it was running or its value had not been received."""
        ch = self.ch
        with ch.lock:
            active = self.when != 0 or bool(ch.buf)
            ch.buf.clear()
            self.when = when
            self.period = period
            waiters = []
            while (sg := ch.recvq.dequeue()) is not None:
                sg.success = False
                waiters.append(sg)
        for sg in waiters:  # they plan again
            ready(tls.m, sg.g)
        return active


class TimerChan(Chan[float]):
    """The channel of a Timer or Ticker. It looks unbuffered, and holds what has come due and was not received."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.buf = deque()
        self.timer = TimerState(self)

    def recv(self) -> float:
        """Receive the time for which the timer fires next, waiting for it."""
        found = select(recv_case(self))
        if not found.ok:
            raise ChanClosed("receive from a closed channel")
        return found.value  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return 0


class _ChanTimer:
    def __init__(self) -> None:
        self.chan: Chan[float] = TimerChan()
        self._state: TimerState = self.chan.timer

    def stop(self) -> bool:
        """Keep it from firing. True if it was running, or had fired and not been received from."""
        return self._state.set(0, 0)


class Timer(_ChanTimer):
    """Delivers one value on `chan` after `seconds`: the time it fired for, on the clock of `mpg.now()`.

    Raises:
        TypeError: no number.
        ValueError: NaN.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._state.when = max(1, tls.m.now() + to_ns(seconds))

    def reset(self, seconds: float) -> bool:
        """Start again from now. Returns what `stop` would have.

        Raises:
            TypeError: no number.
            ValueError: NaN.
        """
        return self._state.set(max(1, tls.m.now() + to_ns(seconds)), 0)


class Ticker(_ChanTimer):
    """Delivers a value on `chan` every `seconds`. Ticks that nobody takes are dropped; the phase is kept.

    Raises:
        TypeError: no number.
        ValueError: NaN, or "non-positive interval for NewTicker".
    """

    def __init__(self, seconds: float) -> None:
        period = to_ns(seconds)
        if period <= 0:
            raise ValueError("non-positive interval for NewTicker")
        super().__init__()
        self._state.period = period
        self._state.when = tls.m.now() + period

    def reset(self, seconds: float) -> None:
        """Change the period and start again from now.

        Raises:
            TypeError: no number.
            ValueError: NaN, or "non-positive interval for Ticker.Reset".
        """
        period = to_ns(seconds)
        if period <= 0:
            raise ValueError("non-positive interval for Ticker.Reset")
        self._state.set(tls.m.now() + period, period)


def after(seconds: float) -> Chan[float]:
    """A channel that delivers one value after `seconds`.

    Raises:
        TypeError: no number.
        ValueError: NaN.
    """
    return Timer(seconds).chan


class FuncTimer:
    """Runs a function in a G of its own; made by `after_func`."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._fn = fn
        self._args = args
        self._context = copy_context()
        self._timer = RTimer(start_func, self)
        self._lock = new_lock()  # of two resets at once

    def stop(self) -> bool:
        """True if that kept the function from starting. Does not wait for one that has started."""
        return stop_timer(self._timer)

    def reset(self, seconds: float) -> bool:
        """Start again from now. True if it had been running.

        Raises:
            TypeError: no number.
            ValueError: NaN.
            RuntimeError: outside a run, or inside `mpg.blocking()`.
        """
        ns = max(0, to_ns(seconds))
        mp = current_m("FuncTimer.reset")
        with self._lock:
            active = stop_timer(self._timer)
            self._timer = RTimer(start_func, self)
            self._arm(mp, ns)
        return active

    def _arm(self, mp: Any, ns: int) -> None:
        if mp.p is not None:  # else the run is ending, and nothing will start any more
            add_timer(mp, self._timer, mp.now() + ns)


def start_func(mp: Any, timer: FuncTimer, when: int) -> None:
    site = getattr(timer._fn, "__code__", None)
    mp.newproc(new_g(new_goid(mp), timer._fn, timer._args, timer._context.copy(), site))


def current_m(what: str) -> Any:
    """The M of the current G."""
    mp = tls.m
    if mp.curg is None:
        raise RuntimeError(f"mpg.{what} needs a run: call it inside mpg.run(main)")
    if mp.attn:
        checkpoint(mp)
        mp = tls.m
    return mp


def after_func(seconds: float, fn: Callable[..., Any], *args: Any) -> FuncTimer:
    """Call `fn(*args)` in a G of its own after `seconds`.

    Raises:
        TypeError: `fn` cannot be called, or `seconds` is no number.
        ValueError: NaN.
        RuntimeError: outside a run, or inside `mpg.blocking()`.
    """
    if not callable(fn):
        raise TypeError(f"after_func needs a function, not {type(fn).__name__}")
    ns = max(0, to_ns(seconds))
    mp = current_m("after_func")
    timer = FuncTimer(fn, args)
    timer._arm(mp, ns)
    return timer
