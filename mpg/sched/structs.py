"""M and P: the fields, grouped by who may touch them (Go: runtime2.go). What all share is in `schedt.py`.

The path of a local switch, spawn or ready touches only its own M, P and G. Whatever else it must know is
written *into* its M or P by whoever changes it:

* `M.attn`, the doorbell: something wants the attention of this M (its inbox, preemption, the end of the run).
  Every operation reads it; `attend` in `doorbell.py` clears it first and looks at the causes afterwards.
* `P.wake_hint`: a P is idle, nobody is spinning and this world wakes eagerly, so new work calls `wakep`.
* `P.global_hint`: the global queue is not empty. `P.procs`: GOMAXPROCS.

G's in local queues. A fresh G may be stolen, so it is in the P's `ring` or `runnext`, which are shared cells.
A started G on pinned stacks is locked to its M (`G.home`), so it is in a plain deque of that M: `lq` for what
Go would have in the ring, `gq` for what Go would have in the global queue, `next` for runnext. Tickets, taken
from the P at each enqueue, merge ring with lq and global queue with gq, so that with one P the order is Go's.

Rejected: one deque of both kinds which thieves scan (not atomic), and a sched object that the hot path looks
into (two M's then scale 1.05x instead of 1.8x on a free-threaded build).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..status import PIDLE
from .policy import RING

if TYPE_CHECKING:
    from ..port import OwnedLock
    from .g import G
    from .schedt import Sched
    from .timers import Timers

__all__ = ["M", "P"]


class M:
    """An OS thread of the scheduler, or a virtual one. `pinned.py` and `movable.py` add its behaviour."""

    __slots__ = (
        "abandoned",
        "asleep",
        "attn",
        "block",
        "clock",
        "commit",
        "curg",
        "ended",
        "ends",
        "exited",
        "free",
        "g0",
        "goid",
        "goid_end",
        "gq",
        "grant",
        "gs",
        "id",
        "idle",
        "inbox",
        "insyscall",
        "iowait",
        "lock",
        "lockedg",
        "locks",
        "lq",
        "next",
        "nextg",
        "nextp",
        "note",
        "now",
        "oldp",
        "p",
        "pendings",
        "poll_due",
        "polled",
        "poller",
        "rec",
        "rng",
        "run_id",
        "sched",
        "sigint",
        "sigterm",
        "spawns",
        "spinning",
        "strike",
        "thread",
        "ticket",
        "turns",
        "wants_p",
        "world",
    )

    def __init__(self, sched: Sched, mid: int) -> None:
        port = sched.port
        # Set at birth.
        self.sched = sched
        self.id = mid
        self.world = port.world
        self.run_id = sched.run_id
        self.now = port.now
        self.clock = port.now  # the same, when the program asks
        self.rng = port.new_rng()
        self.rec: Any = (
            None if sched.new_rec is None else sched.new_rec(self)
        )  # writes events, if anybody does
        # Only this M writes them.
        self.g0: Any = None
        self.curg: G | None = None
        self.nextg: G | None = None  # for g0: run this one next
        self.commit: Any = None  # for g0, on moving stacks: its append(None) makes the last park visible
        self.next: G | None = None
        self.lq: deque[G] = deque()
        self.gq: deque[G] = deque()
        self.ticket = 1  # 0 is for a G that needs none: see `runq.py`
        self.free: list[Any] = []  # idle carriers
        self.gs: dict[G, None] = {}  # its started G's, from their first park on
        self.goid = 0
        self.goid_end = 0
        self.block = (0, 0, 0)  # of ids: how many it took of earlier ones, the first of this, and its end
        self.ended = 0  # G's that have ended here
        self.iowait = 0  # G's of this M in IO wait
        self.insyscall = False
        self.oldp: P | None = None  # what it held when it entered `blocking`
        self.lockedg: G | None = None
        self.locks = 0  # how often it has been locked
        self.p: P | None = None
        self.spinning = False
        self.grant = (
            0  # not 0: its G's take turns, of what kind (see `turns.py`); of yields, how many end up local
        )
        self.turns = 0  # so many yields are left,
        self.ends = 0  # so many ends,
        self.spawns = 0  # so many spawns
        self.polled = 0  # when its poller was last asked
        self.poll_due = False  # sysmon: ask it again at the next scheduling point
        self.abandoned: list[G] = []
        self.pendings: list[G] = []  # its G's that have an exception coming at their next operation
        # Guarded by `lock`, except that `attn` is also read without it.
        self.lock: OwnedLock = port.new_owned_lock()
        self.attn = False
        self.inbox: list[Any] = []
        self.asleep = False
        # Guarded by sched.lock.
        self.nextp: P | None = None
        self.idle = False
        self.wants_p = False
        # The port's own.
        self.poller: Any = None
        self.note: Any = None
        self.thread: Any = None
        self.exited = False
        self.sigint = False
        self.sigterm = False
        self.strike: BaseException | None = None  # a second signal came in the middle of an operation

    if TYPE_CHECKING:  # the steps of the loop that a world may override: see `stacks.py`
        fifo: bool
        takes_turns: bool

        def execute(self) -> None: ...
        def newproc(self, gp: G) -> None: ...
        def steal(self, pp: P) -> G | None: ...
        def get_local(self, pp: P) -> G | None: ...
        def ring_bell(self) -> None: ...
        def start_fresh(self) -> None: ...
        def gosched(self, gp: G) -> None: ...

    @property
    def gcount(self) -> int:
        """How many more G's were made here than have ended here; each took an id (Go: the sum over all is gcount)."""
        while True:
            before, first, end = self.block
            goid = self.goid
            if first <= goid <= end:  # else this M goes on to another block just now
                return before + goid - first - self.ended

    def __repr__(self) -> str:
        return f"<M {self.id}>"


class P:
    """The right to run G's, and a queue of fresh ones."""

    __slots__ = (
        "bare",
        "fair_at",
        "fair_tick",
        "global_hint",
        "helpers",
        "id",
        "last",
        "leave",
        "m",
        "nexttick",
        "preempt",
        "procs",
        "relief",
        "relief_for",
        "reported",
        "ring",
        "rung_at",
        "runnext",
        "schedtick",
        "seen_moves",
        "seen_syscalltick",
        "seen_syscallwhen",
        "seen_tick",
        "seen_when",
        "stalled_g",
        "status",
        "stuck_since",
        "syscalltick",
        "ticket",
        "timers",
        "told",
        "wake_hint",
        "when",
    )

    def __init__(self, sched: Sched, pid: int) -> None:
        from .timers import Timers

        port = sched.port
        self.id = pid
        # Shared cells.
        self.ring: Any = port.new_ring()
        self.runnext: Any = port.new_slot()
        # Only the M that holds this P writes them; sysmon reads.
        self.schedtick = 0  # executes that began a slice, and those that its M may begin as turns
        self.nexttick = 0  # executes that inherited one
        self.syscalltick = 0
        self.ticket = 1  # 0 is for a G that needs none: see `runq.py`
        self.last: M | None = None  # the M that has held it
        self.bare = RING  # so many may be in the ring without tickets; none once another M has held it
        self.fair_tick = sched.fair_tick
        self.fair_at = 0  # no slice before this one is a multiple of that; 0: whoever picks is to look
        # Written by others, read on the hot path.
        self.preempt = False
        self.wake_hint = sched.wake_hint
        self.global_hint = bool(sched.globq)
        self.procs = sched.gomaxprocs
        # Guarded by sched.lock, changed by the M that holds it (mlife.acquirep, releasep).
        self.status = PIDLE
        self.m: M | None = None
        self.relief_for: P | None = None
        self.leave = False  # its M is to give it up at the next scheduling point
        # Guarded by timers.lock; `when` is also read without it: the time of the first timer, or 0.
        self.when = 0
        self.timers: Timers = Timers(self, port.new_lock())
        # Only sysmon touches them.
        self.seen_tick = -1
        self.seen_when = port.now()
        self.seen_syscalltick = -1
        self.seen_syscallwhen = 0
        self.seen_moves = -1
        self.stuck_since = 0
        self.rung_at = -1  # where it stood when a helper was first considered
        self.reported = False  # the log has been told of this stall, and the trace
        self.told = False
        self.stalled_g: G | None = None
        self.helpers: list[G] = []  # what on_help started because this P is stuck
        self.relief: P | None = None

    @property
    def slices(self) -> int:
        """Executes that began a slice so far."""
        mp = self.m
        return self.schedtick - (0 if mp is None else mp.turns + mp.ends)

    def runqempty(self) -> bool:
        """No fresh G here (Go: runqempty)."""
        return not self.ring and not self.runnext

    def __repr__(self) -> str:
        return f"<P {self.id}>"
