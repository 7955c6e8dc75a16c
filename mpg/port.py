"""The contract between the scheduler and a world, and the record of what a world can do.

The scheduler in `mpg/sched` is written once against `Port`. A world supplies the clock, the threads, the
stacks, the locks and the classes of the cells that two M's may touch. On the host those cells are the
built-ins themselves (deque, list, `_thread.lock`), so the seam costs the hot path nothing.

Rejected: a port object that the hot path calls for every queue operation (50-150 ns a call), and a simulator
with queues of its own, which would drift from the runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .sched.netpoll import PollDesc
    from .sched.schedt import Sched
    from .sched.structs import M

__all__ = ["Capabilities", "Lock", "OwnedLock", "Port", "Rng", "Stack", "TokenLock"]


class Lock(Protocol):
    """A mutual exclusion that is not reentrant. Held for a few hundred nanoseconds, never across a park."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(self, kind: Any, exc: Any, tb: Any, /) -> None: ...


class OwnedLock(Lock, Protocol):
    """A lock of the scheduler's. What a signal handler or `__del__` may do asks first whether its own thread has it.

    It would not wait if it had (`threading.RLock`), and go on with half of a change made: so it must ask.
    """

    def _is_owned(self) -> bool: ...


class TokenLock(Lock, Protocol):
    """A lock of a primitive. `pop()` takes it too, or raises IndexError if it is taken; `append(None)` gives it back.

    That is how a one-slot list works, which on the host it is (`current.TokenLock`).
    """

    def pop(self) -> None: ...
    def append(self, token: None, /) -> None: ...


class Stack(Protocol):
    """A stack that a G runs on: in every world so far a greenlet."""

    gr_context: Any
    parent: Any  #: where it continues when it ends
    mpg_m: M  #: where it is, or was last

    def switch(self, *args: Any) -> Any: ...
    def throw(self, *args: Any) -> Any: ...


class Rng(Protocol):
    """The random numbers of one M, or of a whole simulation."""

    def getrandbits(self, k: int, /) -> int: ...
    def random(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a world can do; the scheduler asks this record, never which world it is in.

    Attributes:
        stacks_move: a started G may be resumed by any M. If not, it is locked to the M that started it.
        eager_wakep: new work wakes another M at once (Go). If not, sysmon does it when a P makes no headway.
        poller_per_m: every M sleeps in a poller of its own. If not, one M at a time blocks in a shared one.
        parallel: several M's run Python at the same time.
        offload: `to_thread` moves the call to a spare M. If not, the G blocks its M in place, as in Go.
        helps_stalled: sysmon helps what waits behind an M that is stuck in an undeclared call. Go has no need of
            it: there whatever is ready can be stolen.
        sysmon_follows: sysmon leaves its deep sleep when an M gets a P. If not, at syscalls only (Go).
        steal_one: a thief that helps a stuck P takes one fresh G at a time instead of half.
        deep_sleep_after_ns: how long all P's must have been idle before sysmon sleeps deeply (Go: 0).
        sysmon_longest_ns: sysmon's longest sleep while P's are busy. Where it must then wait for the GIL, usually
            5 ms more, Go's 10 ms make slices of 16 to 31 ms; 5 ms make them 10 to 21 ms, near Go's 10 to 20 ms.
    """

    stacks_move: bool
    eager_wakep: bool
    poller_per_m: bool
    parallel: bool
    offload: bool
    helps_stalled: bool
    sysmon_follows: bool
    steal_one: bool = False
    deep_sleep_after_ns: int = 0
    sysmon_longest_ns: int = 10_000_000


GO = Capabilities(
    stacks_move=True,
    eager_wakep=True,
    poller_per_m=False,
    parallel=True,
    offload=False,
    helps_stalled=False,
    sysmon_follows=False,
)
HOST = Capabilities(
    stacks_move=False,
    eager_wakep=True,
    poller_per_m=True,
    parallel=True,
    offload=True,
    helps_stalled=True,
    sysmon_follows=True,
    deep_sleep_after_ns=1_000_000_000,
)
HOST_GIL = Capabilities(
    stacks_move=False,
    eager_wakep=False,
    poller_per_m=True,
    parallel=False,
    offload=True,
    helps_stalled=True,
    sysmon_follows=True,
    steal_one=True,
    deep_sleep_after_ns=1_000_000_000,
    sysmon_longest_ns=5_000_000,
)


class Port(Protocol):
    """A dozen verbs. Times are integer nanoseconds on the port's own clock."""

    world: int
    caps: Capabilities
    StackExit: type[BaseException]  # thrown into a stack, it ends it quietly

    def now(self) -> int:
        """The current time; never goes back."""

    def new_lock(self) -> Lock:
        """An unlocked lock."""

    def new_owned_lock(self) -> OwnedLock:
        """The same for an M or a Sched."""

    def new_token_lock(self) -> TokenLock:
        """The same for a channel or another primitive."""

    def new_ring(self) -> Any:
        """An empty double-ended queue whose operations are atomic between M's."""

    def new_slot(self) -> Any:
        """An empty one-slot list: whoever gets its `pop()` to return owns what was in it."""

    def new_rng(self) -> Rng:
        """Random numbers for one M."""

    def new_stack(self, mp: M, run: Callable[..., None]) -> Stack:
        """A stack owned by `mp`. Its first `switch(stack, mp)` must come from `mp`'s g0."""

    def start_m(self, mp: M, run: Callable[[M], None]) -> None:
        """Start an M that executes `run(mp)`. Raises RuntimeError when the system refuses a thread."""

    def sleep(self, mp: M, until: int) -> None:
        """Put `mp`, which is the caller, to sleep until `wakeup`, `until` (0: for ever), or its poller stirs.

        A wake-up that came first is remembered. May return early for no reason.
        """

    def wakeup(self, mp: M) -> None:
        """Make the current or the next `sleep` of `mp` return. Any thread may call it, and a signal handler."""

    def usleep(self, mp: M, ns: int) -> None:
        """Block `mp`, which is the caller, for `ns`; not wakeable."""

    def arm(self, mp: M, pd: PollDesc, write: bool) -> None:
        """Have the poller of `mp`, which is the caller, watch a descriptor. Raises OSError."""

    def netpoll(self, mp: M) -> bool:
        """Make the G's ready whose I/O is. Does not block. True if there were any."""

    def blocking_call(self, fn: Callable[..., Any], cost: float | None) -> Callable[..., Any]:
        """What `to_thread(fn, cost=...)` is to call. Raises SimulationError where `fn` has no meaning."""

    def work(self, mp: M, ns: int) -> None:
        """Burn `ns` of CPU time in the current G, yielding when the doorbell asks for it."""

    def stall(self, mp: M, ns: int) -> None:
        """Block the thread of `mp`, which is the caller, without telling the scheduler."""

    def offload(self, call: Callable[[Any], None]) -> None:
        """Run `call(spare)` on a spare M, which has no P; FIFO once all spare M's are busy.

        `spare.pen` is what the recorder has for that M; None at first.
        """

    def watch_term(self, sched: Sched, on: bool) -> None:
        """Route SIGTERM to `sched.on_term`, or stop doing so."""

    def foreign_threads(self) -> bool:
        """True if a thread that is not mpg's has been started since the run began and is alive."""

    def cpu_time(self, mp: M) -> int:
        """The CPU time that the thread of `mp` has used, in ns; -1 where that cannot be told. From any M."""

    def others_alive(self, idents: set[int]) -> bool:
        """True if one of these threads, or any that keeps the process up, is alive and none of this run's."""

    def close(self, mp: M) -> None:
        """`mp` has ended: free what the port keeps for it."""

    def where(self, mp: M) -> str:
        """The Python stack that `mp` executes at this moment, as text; empty if unknown."""
