"""The explorer: every interleaving of few preemptions, on the real scheduler code.

* `explore(main)`: run a program under all its schedules;
* `window`, `pause`, `point`, `thread`: what a program under exploration may say;
* `ScheduleError`: the schedule that failed, as small ints, to be replayed.
"""

from .explore import Explored, ScheduleError, explore
from .invariants import InvariantError
from .program import pause, point, thread, window

__all__ = ["Explored", "InvariantError", "ScheduleError", "explore", "pause", "point", "thread", "window"]
