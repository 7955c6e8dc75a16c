"""Policy: the scheduler's decisions that are worth studying. The defaults are Go's.

None of this exists on the host: a knob is a number that the scheduler reads from its `Sched` or P, or a step
or a cell that `steps.py` overrides.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

__all__ = ["Policy"]

CHOICES = {"steal": ("half", "one"), "victims": ("scan", "one"), "local": ("fifo", "lifo")}
OFF = 1 << 62


@dataclass(frozen=True, slots=True)
class Policy:
    """How to schedule.

    Attributes:
        steal: take half of the victim's G's (Go: runqgrab), or one.
        victims: "scan" looks at every P in random order, four times (Go: stealWork); "one" looks at a single random
            P, once, when a P has become empty.
        retry_rate: with "one": further attempts of an idle P per virtual second, at exponential intervals.
        local: "fifo" (Go) or "lifo": which of its own G's a P runs next. Thieves take the oldest either way.
        runnext: the G made ready last runs next (Go). Without it, it queues at the tail.
        spinning: M's may spin for work up to this share of the busy P's (Go: a half).
        global_tick: how often the global queue goes first, in slices (Go: 61).
        phase: where P 0's count of slices stands when main begins.
        slice: seconds after which a G is preempted (Go: 0.01); None: never.
        wake_on_ready: new work wakes an idle P at once (Go: wakep). None: what the world does.
        recheck: an M that gives up its P looks once more (Go).
        sysmon: there is a sysmon (Go).
    """

    steal: str = "half"
    victims: str = "scan"
    retry_rate: float = 0.0
    local: str = "fifo"
    runnext: bool = True
    spinning: float = 0.5
    global_tick: int = 61
    phase: int = 1
    slice: float | None = 0.01
    wake_on_ready: bool | None = None
    recheck: bool = True
    sysmon: bool = True

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"Policy.{name} is one of {', '.join(choices)}, not {getattr(self, name)!r}")
        check("retry_rate", self.retry_rate, 0, None)
        check("spinning", self.spinning, 0, 1)
        check("global_tick", self.global_tick, 1, None)
        check("phase", self.phase, 0, None)
        if self.slice is not None and not (is_number(self.slice) and 1e-9 <= self.slice < OFF / 1e9):
            raise ValueError(f"Policy.slice is a time in seconds, at least 1e-9, or None: not {self.slice!r}")
        if self.retry_rate and self.victims != "one":
            raise ValueError("Policy.retry_rate needs victims='one': a scan misses nothing")

    @classmethod
    def mitzenmacher(cls, retry_rate: float = 0.0) -> Policy:
        """The model of Mitzenmacher, Analyses of Load Stealing Models (SPAA 1998): a processor that becomes
        empty tries one random victim and takes one task, if that has one waiting. Everything else is off."""
        return cls(
            steal="one",
            victims="one",
            retry_rate=retry_rate,
            runnext=False,
            slice=None,
            wake_on_ready=False,
            recheck=False,
            sysmon=False,
        )


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < inf


def check(name: str, value: Any, least: float, most: float | None) -> None:
    if not is_number(value) or value < least:
        raise ValueError(f"Policy.{name} is a number of at least {least}, not {value!r}")
    if most is not None and value > most:
        raise ValueError(f"Policy.{name} is at most {most}, not {value!r}")
