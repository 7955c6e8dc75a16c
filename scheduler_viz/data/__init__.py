"""The numbers behind the figures: each function is named like its figure and returns what it draws.

`f(trace, *, t0=None, t1=None, ...)` gives a numpy structured array, times in seconds from the trace's start. Nothing
here imports matplotlib.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .latency import handoff_anatomy, latency_histogram
    from .queues import counters, runqueue_heatmap
    from .shares import idle_while_overloaded, utilization
    from .steals import steal_matrix, steal_rate
    from .timelines import g_timeline, linked, m_timeline, p_timeline

__all__ = [
    "counters",
    "g_timeline",
    "handoff_anatomy",
    "idle_while_overloaded",
    "latency_histogram",
    "linked",
    "m_timeline",
    "p_timeline",
    "runqueue_heatmap",
    "steal_matrix",
    "steal_rate",
    "utilization",
]

HOMES: Final = {
    "p_timeline": "timelines",
    "m_timeline": "timelines",
    "g_timeline": "timelines",
    "linked": "timelines",
    "steal_matrix": "steals",
    "steal_rate": "steals",
    "runqueue_heatmap": "queues",
    "counters": "queues",
    "latency_histogram": "latency",
    "handoff_anatomy": "latency",
    "utilization": "shares",
    "idle_while_overloaded": "shares",
}


def __getattr__(name: str) -> Any:
    if name in HOMES:
        from importlib import import_module

        return getattr(import_module(f"scheduler_viz.data.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
