"""Traces: what happened to every G, P and M, as data.

* `Recorder`: records a run or a simulation, as its `trace=`;
* `region`, `task`, `log`: what the program itself writes into its trace;
* `events`: the table of events, for whoever writes or reads them;
* `Trace`: seven columns, a string table and metadata; load, save, filter, digest;
* `text`: one event per line, for tests and for people;
* `validate`: the rules that every trace must keep;
* `derive`: spans, waits, queue lengths, steals, latencies.

The scheduler imports `mpg.trace.events`, so importing this package must not load numpy: `Trace` and `derive` are
fetched when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .events import EVENTS, InvalidTrace
from .record import Recorder
from .regions import log, region, task

if TYPE_CHECKING:
    from . import derive
    from .trace import Trace, load

__all__ = ["EVENTS", "InvalidTrace", "Recorder", "Trace", "derive", "load", "log", "region", "task"]


def __getattr__(name: str) -> Any:
    if name == "derive":
        from importlib import import_module

        return import_module("mpg.trace.derive")
    if name in ("Trace", "load"):
        from . import trace

        return getattr(trace, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
