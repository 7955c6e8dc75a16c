"""The scheduler's numbers and pure decisions (Go 1.27: proc.go, runtime2.go). No state, no world."""

from __future__ import annotations

from math import gcd

RING = 256  #: local queue capacity, ring plus the M's local-class G's (p.runq)
OVERFLOW = 128  #: the oldest so many leave a full local queue, with the one being added (runqputslow)
GLOBAL_BATCH = 128  #: at most so many come back at once (findRunnable, globrunqgetbatch)
FAIR_TICK = 61  #: every so many slices the global queue goes first (findRunnable)
STEAL_ROUNDS = 4  #: the last one takes runnext and runs timers (stealWork)
RUNNEXT_BACKOFF_NS = 3_000  #: before a running P's runnext is stolen (runqgrab)
SPIN_SHARE = 0.5  #: of the busy P's, so many M's may spin besides (findRunnable)
SLICE_NS = 10_000_000  #: forcePreemptNS
POLL_NS = 10_000_000  #: a busy P's poller and timers are served at least this often (sysmon)
SYSMON_MIN_NS = 20_000
SYSMON_MAX_NS = 10_000_000
SYSMON_IDLE_LOOPS = 50
DEEP_SLEEP_NS = 60_000_000_000
CPU_SAMPLE_NS = 2_000_000  #: between two looks at the CPU times of M's, while somebody records (ours)
CPU_SAMPLE_SLACK_NS = 100_000  #: a look that takes longer is not recorded (ours)
MAX_SPARES = 10_000  #: sched.maxmcount
MAIN = 1  #: main's goid
GOID_BATCH = 16  #: newproc1 takes ids in blocks
CLAIM_LOOKS = 10_000  #: how often an unwinding M looks for the letter of a wait that was claimed (ours)
CLAIM_NS = 10_000  #: and how long it sleeps in between
UNWIND_LIMIT = 100  #: a G that parks more often than this while it is unwound is abandoned (ours)
FREE_CARRIERS = 256  #: idle carriers an M keeps; each costs about 6 kB (ours)


def global_batch(size: int, procs: int) -> int:
    """How many G's one visit to the global queue takes (Go: globrunqgetbatch)."""
    return min(GLOBAL_BATCH, size, size // procs + 1)


def may_spin(nmspinning: int, procs: int, npidle: int, share: float = SPIN_SHARE) -> bool:
    """May one more M look for work to steal? At most half as many as P's are busy (Go: findRunnable)."""
    return nmspinning < share * (procs - npidle)


def coprimes(n: int) -> list[int]:
    """The strides of `steal_order`: numbers up to n without a common divisor (Go: randomOrder.reset)."""
    return [i for i in range(1, n + 1) if gcd(i, n) == 1]


def steal_order(r: int, strides: list[int], n: int) -> list[int]:
    """Every index below n once, from one 32-bit random number (Go: randomEnum)."""
    pos, step = r % n, strides[(r // n) % len(strides)]
    order = []
    for _ in range(n):
        order.append(pos)
        pos = (pos + step) % n
    return order


def sysmon_delay(idle: int, delay: int, longest: int = SYSMON_MAX_NS) -> int:
    """sysmon's next sleep, after `idle` passes that took no P (Go: sysmon)."""
    if idle == 0:
        return SYSMON_MIN_NS
    if idle > SYSMON_IDLE_LOOPS:
        return min(delay * 2, longest)
    return delay
