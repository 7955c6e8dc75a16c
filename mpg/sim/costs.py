"""What the scheduler's own steps cost in a simulation, in virtual nanoseconds.

A cost is charged to the M that takes the step, by overriding that step (`steps.py`). Presets:

* `zero`: scheduling is free. Theory is checked with it, and Go's exact slices come out.
* `go`: Go 1.27 on amd64 at about 3 GHz. A ping-pong hop of 0.2 us and the 20.26 ms slices were measured on
  real Go; the rest are the usual magnitudes of the system calls behind them (futex 5 us until the woken thread
  runs, clone 15 us, a timer 80 us late, which is Linux's slack of 50 us and the wake-up). An operation that does
  not wait stands at 20 ns: measured on Go 1.27.3, a lock or unlock takes 2 ns, a channel operation 11 ns, and
  a look at the clock 48 ns.
* `cpython`: mpg on CPython 3.11 to 3.13, as its benchmarks measure it: a switch of 0.7 us, a spawn of 0.7 us,
  a wake-up across threads of 60 us; an operation that does not wait takes 0.2 to 0.3 us (half of `buffered`).

Figures are for orientation: a simulation shows how a schedule depends on them, it does not predict a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["COSTS", "Costs"]


@dataclass(frozen=True, slots=True)
class Costs:
    """All in ns.

    Attributes:
        op: an operation of a G on a channel, a lock, a timer, whether or not it waits; looking at the clock.
        switch: leaving one G and running the next, on the same M.
        spawn: making a G and queueing it.
        exit: the end of a G.
        steal_scan: looking at one P for something to steal.
        steal: moving what was found.
        wakeup: the caller's part of waking another M (futex).
        futex_wake: from then until the woken M runs.
        thread_start: from the start of a new M until it runs.
        netpoll: coming back from a timed sleep in the poller.
        syscall_enter, syscall_exit: around a call in `mpg.blocking()` or, where calls are not moved, `to_thread`.
        usleep_overshoot: how much later than asked sysmon and a backing-off thief wake.
        switch_interval: a thread that wants the GIL waits so long before it asks for it (sys.getswitchinterval).
    """

    op: int = 0
    switch: int = 0
    spawn: int = 0
    exit: int = 0
    steal_scan: int = 0
    steal: int = 0
    wakeup: int = 0
    futex_wake: int = 0
    thread_start: int = 0
    netpoll: int = 0
    syscall_enter: int = 0
    syscall_exit: int = 0
    usleep_overshoot: int = 0
    switch_interval: int = 5_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"Costs.{field.name} is a number of ns, an int that is not negative: {value!r}"
                )


COSTS = {
    "zero": Costs(),
    "go": Costs(
        op=20,
        switch=200,
        spawn=250,
        exit=100,
        steal_scan=10,
        steal=200,
        wakeup=1_500,
        futex_wake=5_000,
        thread_start=15_000,
        netpoll=3_000,
        syscall_enter=50,
        syscall_exit=100,
        usleep_overshoot=80_000,
    ),
    "cpython": Costs(
        op=300,
        switch=700,
        spawn=700,
        exit=300,
        steal_scan=200,
        steal=1_000,
        wakeup=2_000,
        futex_wake=60_000,
        thread_start=80_000,
        netpoll=10_000,
        syscall_enter=300,
        syscall_exit=400,
        usleep_overshoot=80_000,
    ),
}
