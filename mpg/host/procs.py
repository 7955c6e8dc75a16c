"""The default number of P's: the CPUs this process may use (Go: defaultGOMAXPROCS, adjustCgroupGOMAXPROCS)."""

from __future__ import annotations

import os
from math import ceil
from pathlib import Path

from ..arguments import MAX_PROCS

__all__ = ["cgroup_cpus", "default_procs"]


def default_procs() -> int:
    """$GOMAXPROCS if it is a positive integer (65,536 at most); else the affinity mask, within the cgroup quota."""
    env = os.environ.get("GOMAXPROCS", "")
    if env.isdigit() and int(env) > 0:
        return min(int(env), MAX_PROCS)
    try:
        n = len(os.sched_getaffinity(0))
    except AttributeError:
        n = os.cpu_count() or 1
    quota = cgroup_cpus()
    return n if quota is None else min(n, max(2, ceil(quota)))


def cgroup_cpus(proc: str = "/proc/self/cgroup", root: str = "/sys/fs/cgroup") -> float | None:
    """CPU quota of the leaf cgroup, version 2 or 1, in CPUs; None if there is none."""
    try:
        lines = Path(proc).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        path = path.lstrip("/")
        try:
            if not controllers:
                quota, period = (Path(root) / path / "cpu.max").read_text().split()
            elif "cpu" in controllers.split(","):
                base = Path(root) / "cpu" / path
                quota = (base / "cpu.cfs_quota_us").read_text().strip()
                period = (base / "cpu.cfs_period_us").read_text().strip()
            else:
                continue
        except (OSError, ValueError):
            continue
        if quota not in ("max", "-1"):
            return int(quota) / int(period)
    return None
