"""Broken twins of the protocols in `explorer/ends.py`."""

from explorer.twins.twin import Twin

__all__ = ["TWINS"]

TWINS = (
    Twin(
        "the end of the run rings no bell",
        "shutdown_against_spawn-host",
        "sched/finish.py",
        "        mp.ring_bell()\n",
        "",
    ),
    Twin(
        "M0 unwinds a G that another M has just made ready",
        "unwinding_against_ready-go",
        "sched/boot.py",
        "    if last:  #",
        "    if mp is sched.m0:  #",
    ),
    Twin(
        "a call that has claimed its G writes no letter while the run ends",
        "spare_m_against_the_end-host",
        "sched/syscall.py",
        "        if not claimed:\n            post(self.mp, self.arrive)",
        "        if not claimed and not self.mp.sched.stopping:\n            post(self.mp, self.arrive)",
    ),
    Twin(
        "the end of the run unwinds a G that has been given something",
        "unwinding_against_ready-host",
        "sched/finish.py",
        "    if was_claimed(mp, gp):",
        "    if was_claimed(mp, gp) and False:",
    ),
    Twin(
        "an M looks again for what it may not take",
        "helper_that_may_not_steal-host-gil",
        "sched/park.py",
        " and may_steal(sched, pp)",
        "",
    ),
    Twin(
        "an M sleeps without a look at the P that was promised to it",
        "preempt_against_park-host",
        "sched/park.py",
        "        if mp.inbox or mp.nextp is not None or mp.sched.stopping or mp.sigint or mp.sigterm:\n            return\n"
        "        mp.asleep = True\n",
        "        if mp.inbox or mp.sched.stopping or mp.sigint or mp.sigterm:\n            return\n"
        "    with mp.lock:\n        mp.asleep = True\n",
    ),
    Twin(
        "a P is taken from a call that has returned",
        "blocking_against_retake-host",
        "sched/mlife.py",
        "        mine = mp.insyscall and mp.p is pp\n",
        "        mine = mp.p is pp\n",
    ),
    Twin(
        "a call returns without a look at whether it still has its P",
        "blocking_against_retake-go",
        "sched/syscall.py",
        "    with mp.lock:\n        mp.insyscall = False\n        gp.atomicstatus = GRUNNING\n        pp = mp.p\n",
        "    pp = mp.p\n    with mp.lock:\n        mp.insyscall = False\n        gp.atomicstatus = GRUNNING\n",
    ),
    Twin(
        "nobody is found for the P of a call although nobody spins",
        "handoff_against_new_work-go",
        "sched/mlife.py",
        "            spin = True\n        else:\n            spin = False\n",
        "            spin = True\n        if True:\n            sched.nmspinning -= spin if (spin := not sched.npidle) else 0\n"
        "            spin = False\n",
    ),
    Twin(
        "an M queues for a P without a look at the idle ones",
        "queue_for_a_p_against_idle-host",
        "sched/park.py",
        "            pp = pidleget_locked(sched)\n            if pp is None and not mp.wants_p:\n",
        "            if pp is None and not mp.wants_p:\n",
    ),
    Twin(
        "a P goes idle although an M waits for one",
        "queue_for_a_p_against_idle-host",
        "sched/idle.py",
        "    if sched.pwait:\n",
        "    if False:\n",
    ),
    Twin(
        "a P is retired, and the M that had it spins on",
        "retired_while_it_spins-host",
        "sched/doorbell.py",
        "            leave_p(mp, pp)\n",
        "            spins, mp.spinning = mp.spinning, False\n            leave_p(mp, pp)\n            mp.spinning = spins\n",
    ),
    Twin(
        "a relief P is over, and the M that had it spins on",
        "relief_over_while_it_spins-host-gil",
        "sched/doorbell.py",
        "            leave_p(mp, pp)\n",
        "            spins, mp.spinning = mp.spinning, False\n            leave_p(mp, pp)\n            mp.spinning = spins\n",
    ),
    Twin(
        "an M that a G has locked is woken to steal",
        "work_beside_a_locked_m-host",
        "sched/idle.py",
        "        if mp.lockedg is None:\n",
        "        if True:\n",
    ),
    Twin(
        "what sysmon takes out of an inbox stays there too",
        "placed_against_unplaced-host",
        "sched/place.py",
        "            mp.inbox.remove(item)\n",
        "            pass\n",
    ),
    Twin(
        "the end of a G that is unwound wakes who joins it",
        "joined_and_unwound-host",
        "sched/join.py",
        "            if unwound is None or (home is not None and home.sched is not unwound):\n",
        "            if True:\n",
    ),
    Twin(
        "a relief P is not told that it is over",
        "relief_against_return-host",
        "sched/idle.py",
        "    if pp.relief_for is not None or pp.id >= sched.gomaxprocs:\n",
        "    if pp.id > sched.gomaxprocs:\n",
    ),
    Twin(
        "a call on a spare M is claimed twice",
        "spare_m_against_interrupt-host",
        "sched/syscall.py",
        "        if not claimed:\n            post(self.mp, self.arrive)\n",
        "        post(self.mp, self.arrive)\n",
    ),
    Twin(
        "the spare M's call has ended before its letter is written",
        "spare_m_against_wait-host",
        "sched/syscall.py",
        "        if not claimed:\n            post(self.mp, self.arrive)\n        sched = self.mp.sched\n"
        "        with sched.lock:\n            sched.nsyscall -= 1\n",
        "        sched = self.mp.sched\n        with sched.lock:\n            sched.nsyscall -= 1\n"
        "        if not claimed:\n            post(self.mp, self.arrive)\n",
    ),
    Twin(
        "an M that starts does not learn that the run is over",
        "shutdown_against_handoff-host",
        "sched/mlife.py",
        "    mp.attn = sched.stopping\n    sched.allm",
        "    sched.allm",
    ),
    Twin(
        "M0 unwinds G's that another M still runs",
        "shutdown_against_a_g_that_has_parked-go",
        "sched/boot.py",
        "    if last:  #",
        "    if mp is sched.m0:  #",
    ),
)
