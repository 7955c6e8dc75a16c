"""Sched: what all M's of a run share (Go: schedt). The path of a switch looks at none of it (see `structs.py`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from .policy import FAIR_TICK, GOID_BATCH, SLICE_NS, SPIN_SHARE
from .structs import P

if TYPE_CHECKING:
    from ..port import OwnedLock, Port
    from .g import G
    from .structs import M

__all__ = ["Sched"]


class Sched:
    """One run: what all its M's share (Go: schedt)."""

    def __init__(self, port: Port, procs: int, *, run_id: int) -> None:
        self.port = port
        self.caps = port.caps
        self.run_id = run_id
        self.fair_tick = FAIR_TICK
        self.slice_ns = SLICE_NS
        self.spin_share = SPIN_SHARE
        self.recheck = True  # look again after dropping a P, if we were spinning
        self.new_rec: Callable[[M], Any] | None = None  # who records this run, if anybody does
        self.lock: OwnedLock = port.new_owned_lock()
        # Guarded by lock; single ints and flags are also read without it, as hints.
        self.globq: deque[G] = deque()
        self.gomaxprocs = procs
        self.allp: list[P] = []
        self.allm: list[M] = []
        self.midle: list[M] = []  # LIFO
        self.pidle: list[P] = []  # LIFO
        self.pwait: deque[M] = deque()  # M's that have started G's and no P, FIFO
        self.npidle = 0
        self.nmspinning = 0
        self.needspinning = False
        self.wake_hint = False
        self.nrelief = 0
        self.goidgen = count(1, GOID_BATCH)  # the first ids of blocks
        self.nsyscall = 0  # calls that spare M's run for G's
        self.mnext = 0
        self.lastpoll = 1  # with a shared poller: 0 while some M is blocked in it
        self.poll_until = 0
        self.pollm: M | None = None
        self.strides: list[int] = []  # policy.coprimes(len(allp))
        # The end of the run; guarded by lock.
        self.stopping = False
        self.pending: dict[G, BaseException] = {}  # what G's are to raise at their next operation
        self.unwinds: dict[G, int] = {}  # how often each G has been asked to unwind; a G's own M writes
        self.nended = 0  # M's that have come to their end
        self.hard = False
        self.struck: BaseException | None = None  # what a second signal raises, wherever it struck
        self.main: G | None = None
        self.m0: M | None = None
        self.failure: BaseException | None = None
        self.failed_g: G | None = None
        self.failed_late: list[G] = []  # those that failed when the run was ending already
        # sysmon's.
        self.sysmon: M | None = None
        self.sysmonwait = False
        self.seen_waiter: M | None = None  # the head of pwait
        self.seen_waiter_when = 0
        self.helped: list[P] = []  # those with helpers or a relief P
        self.detect_deadlock = True
        self.never = 1 << 63  # ns: whoever waits until then waits for nothing, for `checkdead`
        self.stuck = False  # at the last look nothing could run without help from outside
        self.plain_used = False
        self.stall_report_ns = 100_000_000
        self.schedtrace_ns = 0
        self.started = 0
        self.schedtrace: Callable[[int], None] = print
        self.m_main: Callable[[M], None]  # what a new M executes; boot sets it
        self.new_m_object: Any = None  # the classes of M's and P's
        self.new_p: type[P] = P
        self.on_help: list[Callable[[], G | None]] = []  # what a helper of a stuck M should run besides
        self.nhelpers = 0  # G's that came from on_help
        self.on_term: list[Callable[[], None]] = []  # what SIGTERM asks to come to an end
        self.ended: Callable[[G], None] | None = None  # called at the end of main or of a G that failed
        self.stranded_events = 0
        self.handoffs = 0
        self.gs: dict[G, None] = {}  # where stacks move: every G from its first park on
