"""Turns: started G's that do nothing but yield to each other need not ask `pick` who is next.

When a P has begun its slice after a 61st, `pick` looks whether nothing is queued but started G's of this M, no timer is
set and this is the only P. Then up to the next 61st slice only two things can happen when a G yields: it goes to the
tail of `gq` and the head of `lq` runs, or `lq` is empty and `gq` takes its place. That is one queue, `lq` before `gq`,
in which whoever yields goes to the tail. So `pick` makes one of them, `gq`, and grants the M so many *turns*, and
`mpg.gosched` does just that while there are some: a switch takes a quarter less. The tickets of those who take turns
stay lower than any that come later.

Turns end when they are used up, and with whatever else a scheduling point would notice, `M.next` excepted, which
`gosched` looks at: a fresh G, a timer, the doorbell, a system call, the way to g0, anything that is queued, any call of
`pick`. Then the two queues are what they would be. An M on its g0 has no turns. What other M's put into the global
queue may be overlooked until the next 61st slice, which is there for that, and comes after those who took turns then.

`P.schedtick` counts turns when they are granted, so it has reached `fair_at` and all but `gosched` ask `pick`.
`P.slices` counts those that have been taken.

Rejected: turns with several P's. A G that finds its local queue empty then takes a share of the global side only (Go:
globrunqgetbatch), so each round would need `pick`.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING

from .policy import GLOBAL_BATCH

if TYPE_CHECKING:
    from .structs import M, P

__all__ = ["begin_turns", "end_turns"]

stack_of = attrgetter("stack")


def begin_turns(mp: M, pp: P) -> None:
    """Grant turns, up to the slice that looks at the global side first, if all that is queued may take them."""
    if (
        mp.takes_turns
        and mp.curg is not None
        and pp.procs == 1
        and not (pp.when or pp.ring or pp.runnext or pp.global_hint)
        and mp.next is None
        and pp.schedtick < pp.fair_at
        and 0 < len(mp.lq) + len(mp.gq) < GLOBAL_BATCH
        and None not in map(stack_of, chain(mp.lq, mp.gq))  # else it was placed here and has not begun
    ):
        local = len(mp.lq)
        mp.lq.extend(mp.gq)
        mp.gq.clear()
        mp.lq, mp.gq = mp.gq, mp.lq
        turns = pp.fair_at - pp.schedtick
        pp.schedtick = pp.fair_at
        period = len(mp.gq) + 1
        mp.rotation = (local - turns) % period + period
        mp.turns = turns
        if pp.when or pp.ring or pp.runnext:  # by a signal handler, meanwhile
            end_turns(mp)


def end_turns(mp: M) -> None:
    """Take back what has not been used, and tell the local queue from the global one again.

    Of n queued G's one fewer is local after each turn, and all n are after the turn that found none.
    """
    pp = mp.p
    assert pp is not None
    lq, gq = mp.lq, mp.gq
    period = len(gq) + 1
    turns, mp.turns = mp.turns, 0  # from here on no call, so no signal handler that would end them again
    pp.schedtick -= turns
    local = (mp.rotation + turns) % period
    mp.rotation = 0
    for _ in range(local):
        lq.append(gq.popleft())
