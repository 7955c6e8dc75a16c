"""Figures of what a scheduler did: timelines of P's, M's and G's, steals, queues, latencies.

Every figure is a function `f(trace, *, t0=None, t1=None, ax=None, ...) -> Axes`: t0 and t1 are seconds from the trace's
start, `ax` is where to draw. The same name in `scheduler_viz.data` gives the numbers that it draws, as a structured
array.

    import mpg, scheduler_viz as viz

    ax = viz.p_timeline(mpg.simulate(main, procs=4, seed=1).trace)
    ax.figure.savefig("p.png")

| figure | answers |
|---|---|
| `p_timeline` | what ran on which P, and why did it stop |
| `m_timeline` | where do threads come from, which P's pass between them |
| `g_timeline` | who waited longest, and for what |
| `linked` | where did one G go |
| `steal_matrix`, `steal_rate` | who steals from whom, and when |
| `runqueue_heatmap`, `counters` | where work piles up |
| `latency_histogram`, `handoff_anatomy` | how long from runnable to running, from call to hand-off |
| `utilization`, `idle_while_overloaded` | what P's did with their time, and what was lost |

`import scheduler_viz` alone loads no matplotlib. The four whose module has the name of the figure are imported at once,
so that the name is always the function; the others when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from . import data
from .base import NotRecorded
from .g_timeline import g_timeline
from .linked import linked
from .m_timeline import m_timeline
from .p_timeline import p_timeline

if TYPE_CHECKING:
    from .latency import handoff_anatomy, latency_histogram
    from .queues import counters, runqueue_heatmap
    from .shares import idle_while_overloaded, utilization
    from .steals import steal_matrix, steal_rate

__all__ = [
    "NotRecorded",
    "counters",
    "data",
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

#: Figures that are imported later: their modules.
HOMES: Final = {
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

        return getattr(import_module(f"scheduler_viz.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
