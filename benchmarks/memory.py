"""What G's take up, in a process of its own: `python -m benchmarks.memory parked|million N`.

parked: {"rss": bytes of resident memory per G} with N G's waiting in `recv_ok` on one channel. million: N short G's
started in a row by one that lets them run only when the scheduler preempts it or at the end: {"cpu": seconds,
"growth": how many MB the peak of resident memory lies above where it was before}. Reads /proc, so Linux only.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time

import mpg


def rss() -> int:
    """Resident memory now, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """The most resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def parked(n: int) -> dict[str, float]:
    chan = mpg.Chan()
    gc.collect()
    before = rss()
    gs = [mpg.go(chan.recv_ok) for _ in range(n)]
    while any(g.status != "waiting" for g in gs):
        mpg.gosched()
    after = rss()
    chan.close()
    for g in gs:
        g.join()
    return {"rss": (after - before) / n}


def million(n: int) -> dict[str, float]:
    count = 0

    def short() -> None:
        nonlocal count
        count += 1

    gc.collect()
    before, start = rss(), time.process_time()
    for _ in range(n):
        mpg.go(short)
    while count < n:
        mpg.gosched()
    took = time.process_time() - start
    return {"cpu": took, "growth": max(0, peak() - before) / 1e6}


def main() -> None:
    bench = {"parked": parked, "million": million}[sys.argv[1]]
    print(json.dumps(mpg.run(bench, int(sys.argv[2]), procs=1)))


if __name__ == "__main__":
    main()
