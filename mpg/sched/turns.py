"""Turns: what an M does many times in a row it may do with no look at every queue each time.

Whoever grants an M turns has seen that nothing else asks for a look. There are three kinds, and an M has one at a time:

* *Yields* (`M.turns`, taken by `mpg.gosched`). Nothing is queued but started G's of this M, no timer is set and this
  is the only P. Then up to the next 61st slice only two things can happen when a G yields: it goes to the tail of `gq`
  and the head of `lq` runs, or `lq` is empty and `gq` takes its place. That is one queue, `lq` before `gq`, to whose
  tail they go. So one of them is made, `gq`. The tickets of those who take turns stay lower than any that come
  later. A switch takes a quarter less.
* *Ends* (`M.ends`, taken by `stacks.carrier`). Only the ring holds G's, and no timer is set: up to the next 61st slice
  whoever ends is followed by the head of the ring.
* *Spawns* (`M.spawns`, taken by `newproc`). Each new G is runnext and sends the one before to the tail of the ring. So
  all of them go to the ring, whose tail is runnext unless `M.next` is set; that sends it where it already is. This is
  the only P, and its G's need no tickets. Up to a full ring. With both, starting and ending a G take 8 % less.

Turns end when they are used up, and with whatever else a scheduling point would notice, `M.next` excepted, which all
three look at: the doorbell, a timer, a system call, the way to g0, anything else that is queued, any call of `pick`.
Then the queues are what they would be. An M on its g0 has no turns. What other M's put into the global queue may be
overlooked until the next 61st slice, which is there for that, and comes after those who took turns then.

`P.schedtick` counts yields and ends when they are granted, so it has reached `fair_at`, and all who take none of them
ask `pick`; with spawns `fair_at` is 0 to the same effect. `P.slices` counts those that have been taken.

Between two calls nothing comes in between: signal handlers run after calls only. Hence the order of the lines.

Rejected: yields with several P's. A G that finds its local queue empty then takes a share of the global side only (Go:
globrunqgetbatch), so each round would need `pick`. Spawns with several: thieves would take runnext at once.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from .policy import GLOBAL_BATCH, RING

if TYPE_CHECKING:
    from .structs import M, P

__all__ = ["ENDS", "OFTEN", "SPAWNS", "begin_ends", "begin_spawns", "begin_turns", "end_turns"]

ENDS: Final = -1  #: `M.grant` while its G's end one after the other
SPAWNS: Final = -2  #: while they start others
OFTEN: Final = (
    8  #: those two are granted at each so many: who does it once, or each time once, pays for no grant
)

stack_of = attrgetter("stack")


def begin_turns(mp: M, pp: P) -> None:
    """Grant yields, up to the slice that looks at the global side first, if all that is queued may take them."""
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
        mp.grant = (local - turns) % period + period
        mp.turns = turns
        if pp.when or pp.ring or pp.runnext:  # by a signal handler, meanwhile
            end_turns(mp)


def begin_ends(mp: M, pp: P) -> None:
    """Grant ends, up to the slice that looks at the global side first, if only the ring holds G's."""
    if (
        mp.takes_turns
        and not mp.grant
        and pp.schedtick < pp.fair_at
        and not (pp.when or pp.runnext or mp.lq)
        and mp.next is None
    ):
        mp.grant = ENDS
        mp.ends = pp.fair_at - pp.schedtick
        pp.schedtick = pp.fair_at


def begin_spawns(mp: M, pp: P) -> bool:
    """Grant spawns, if the G that is being made may be the first to go to the tail of the ring. Says if it may."""
    room = RING - len(pp.ring)
    if (
        mp.takes_turns
        and not mp.grant
        and mp.curg is not None
        and mp.rec is None
        and not mp.insyscall
        and pp.procs == 1
        and not (pp.runnext or pp.wake_hint or mp.lq)
        and mp.next is None
    ):
        mp.grant = SPAWNS
        mp.spawns = room
        pp.fair_at = 0
        return True
    return False


def end_turns(mp: M) -> None:
    """Take back what has not been used, and have the queues as they would be.

    Of n queued G's that yield one fewer is local after each turn, and all n are after the turn that found none.
    """
    pp = mp.p
    assert pp is not None
    if mp.grant > 0:
        lq, gq = mp.lq, mp.gq
        period = len(gq) + 1
        turns, mp.turns = mp.turns, 0  # from here on no call, so no signal handler that would end them again
        pp.schedtick -= turns
        local = (mp.grant + turns) % period
        mp.grant = 0
        for _ in range(local):
            lq.append(gq.popleft())
    elif mp.grant == ENDS:
        pp.schedtick -= mp.ends
        mp.grant = mp.ends = 0
    else:
        mp.grant = mp.spawns = 0
        try:
            gp = pp.ring.pop()
        except IndexError:  # a thief was quicker
            return
        if mp.next is None and not pp.runnext:  # else a signal handler has come in between
            pp.runnext.append(gp)
        else:
            pp.ring.append(gp)
