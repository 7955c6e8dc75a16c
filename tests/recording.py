"""Record a program in any world."""

from __future__ import annotations

from typing import Any

import mpg
from mpg.trace import Recorder, Trace

KINDS = ("go", "host", "host-gil", "run")


def record(kind: str, main: Any, rec: Recorder, procs: int = 3) -> Trace:
    if kind == "run":
        mpg.run(main, procs=procs, trace=rec)
    else:
        mpg.simulate(main, procs=procs, seed=5, like=kind, trace=rec)
    rec.trace.validate()
    return rec.trace
