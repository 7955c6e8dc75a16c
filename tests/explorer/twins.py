"""Broken twins: for each protocol the mistake that its order or its check is there to prevent.

A twin is one replacement in the source of a copy of the package. The model must find it; and when the source has
changed so that the replacement no longer applies, that is a fault too: the twin is to be written anew.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["TWINS", "Twin"]


class Twin(NamedTuple):
    """`old` in `file` becomes `new`; the model `model` must fail."""

    name: str
    model: str
    file: str
    old: str
    new: str


TWINS = (
    Twin(
        "no second look after the last spinner has stopped",
        "spinning_to_parked-host",
        "sched/park.py",
        "    if was_spinning and mp.sched.recheck:\n        recheck(mp)\n",
        "",
    ),
    Twin(
        "the second look comes before the P is given up",
        "spinning_to_parked-go",
        "sched/park.py",
        "    sched = mp.sched\n    with sched.lock:\n        if mp.attn or sched.stopping:\n            return None\n",
        "    sched = mp.sched\n    sched.recheck = False\n    for other in sched.allp:\n        if other is not pp and not "
        "other.runqempty():\n            return None\n    with sched.lock:\n        if mp.attn or sched.stopping:\n"
        "            return None\n",
    ),
    Twin(
        "the scheduler's lock is taken with an M's held",
        "ping_pong-host",
        "sched/mlife.py",
        "        mp.inbox.append(item)\n",
        "        mp.inbox.append(item)\n        with mp.sched.lock:\n            pass\n",
    ),
    Twin(
        "wait looks at the counter before it has the lock",
        "waitgroup-host",
        "sync/waitgroup.py",
        "        s.begin()\n        if not self._n:\n",
        "        n = self._n\n        s.begin()\n        if not n:\n",
    ),
    Twin(
        "a reader looks for a writer before it has the lock",
        "rwmutex-host",
        "sync/rwmutex.py",
        "        s.begin()\n        self._readers += 1\n        if not self._writer:\n",
        "        writer = self._writer\n        s.begin()\n        self._readers += 1\n        if not writer:\n",
    ),
    Twin(
        "nobody wakes for the timers of idle P's",
        "sleepers-host",
        "sched/park.py",
        "                until = cover_timers_locked(mp)\n",
        "                until = 0\n",
    ),
    Twin(
        "the end of the run rings no bell",
        "shutdown_against_spawn-host",
        "sched/finish.py",
        "        mp.ring_bell()\n",
        "",
    ),
    Twin(
        "whether a Mutex is free is asked before its lock is held",
        "mutex-host",
        "sync/mutex.py",
        "        mp = s.begin()\n        if not self._locked and not self._starving:\n",
        "        free = not self._locked and not self._starving\n        mp = s.begin()\n        if free:\n",
    ),
    Twin(
        "the head of a ring that spills is read and then taken off",
        "overflow_where_stacks_move-go",
        "sched/runq.py",
        "                gp: G = ring.popleft()\n                return gp\n",
        "                gp: G = ring[0]\n                ring.popleft()\n                return gp\n",
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
        "a thread that is no M does not look whether the G's M sleeps",
        "plain_thread_wakes-host",
        "sched/mlife.py",
        "        asleep, mp.asleep = mp.asleep, False\n    mp.sched.stuck = False\n",
        "        asleep = mp.sched is tls.m.sched and mp.asleep\n    mp.sched.stuck = False\n",
    ),
    Twin(
        "a deadline wakes a G that its descriptor has woken",
        "netpoll_against_deadline-host",
        "sched/timed.py",
        "        if out.waiting.cancel(out.gp):\n            out.claimed = True\n            ready(mp, out.gp)\n",
        "        out.waiting.cancel(out.gp)\n        out.claimed = True\n        ready(mp, out.gp)\n",
    ),
    Twin(
        "an M looks again for what it may not take",
        "helper_that_may_not_steal-host-gil",
        "sched/park.py",
        " and may_steal(sched, pp)",
        "",
    ),
    Twin(
        "an M that gives up does not look at the global queue under the lock",
        "global_queue_against_parking-go",
        "sched/park.py",
        "        if sched.globq:\n            pp.schedtick += 1\n            return get_global_batch_locked(mp, pp)\n",
        "        sched.recheck = False\n",
    ),
    Twin(
        "runnext is read and then cleared",
        "steal_against_local_get-host",
        "sched/runq.py",
        "            gp = pp.runnext.pop()\n            pp.nexttick += 1\n",
        "            gp = pp.runnext[0]\n            pp.runnext.clear()\n            pp.nexttick += 1\n",
    ),
    Twin(
        "the head of the ring is read and then taken off",
        "steal_against_overflow-host",
        "sched/runq.py",
        "                gp: G = ring.popleft()\n                return gp\n",
        "                gp: G = ring[0]\n                ring.popleft()\n                return gp\n",
    ),
    Twin(
        "a batch is taken although another M has emptied the global queue",
        "steal_against_overflow-host",
        "sched/runq.py",
        "    if not n:  # another M was quicker, and has just said so\n        return None\n",
        "",
    ),
    Twin(
        "a movable stack's park becomes visible before the stack is left",
        "ready_against_gopark-go",
        "sched/movable.py",
        "            return self.leave_for_g0(gp, lock)\n",
        "            lock.append(None)\n            return self.leave_for_g0(gp, None)\n",
    ),
    Twin(
        "a movable stack that yields is queued before it is left",
        "ready_against_gosched-go",
        "sched/movable.py",
        "        return self.leave_for_g0(gp, (GoschedCommit if reason is GOSCHED else GoyieldCommit)(self, gp))\n",
        "        GoschedCommit(self, gp).append(None)\n        return self.leave_for_g0(gp, None)\n",
    ),
    Twin(
        "a letter is left without a look at who sleeps",
        "ready_against_gopark-host",
        "sched/mlife.py",
        "        asleep, mp.asleep = mp.asleep, False\n    mp.sched.stuck = False\n",
        "        asleep = False\n    mp.sched.stuck = False\n",
    ),
    Twin(
        "an M sleeps without a look at its letters",
        "ping_pong-host",
        "sched/park.py",
        "        if mp.inbox or mp.nextp is not None or",
        "        if mp.nextp is not None or",
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
        "a select is completed by two others",
        "select_against_two_senders-go",
        "sched/waitq.py",
        "            try:\n                sg.done.pop()\n            except IndexError:",
        "            try:\n                sg.done[:1]\n            except IndexError:",
    ),
    Twin(
        "a select locks its channels one after another",
        "two_selects-go",
        "selectgo.py",
        "    return sorted({case.chan for _, case in live}, key=seq_of)\n",
        "    return [case.chan for _, case in live]\n",
    ),
    Twin(
        "a send to a select's only case here does not claim it",
        "select_against_two_senders-host",
        "chan.py",
        "            if sg.next is None and sg.done is None:\n                recvq.first",
        "            if sg.next is None:\n                recvq.first",
    ),
    Twin(
        "a receive from a select's only case here does not claim it",
        "select_against_two_receivers-host",
        "chan.py",
        "            if sg.next is None and sg.done is None:\n                sendq.first",
        "            if sg.next is None:\n                sendq.first",
    ),
    Twin(
        "close wakes a select that another case has completed",
        "select_against_close-host",
        "sched/waitq.py",
        "            except IndexError:  # another case of that select was claimed first\n                continue\n",
        "            except IndexError:  # another case of that select was claimed first\n                pass\n",
    ),
    Twin(
        "a select's time wakes it though it has been served",
        "select_timeout_against_send-host",
        "sched/timed.py",
        "        if out.waiting.cancel(out.gp):\n            out.claimed = True\n            ready(mp, out.gp)\n",
        "        out.waiting.cancel(out.gp)\n        out.claimed = True\n        ready(mp, out.gp)\n",
    ),
    Twin(
        "a timed wait's timer is armed before its stack has been left",
        "timed_wait_fires_at_once-go",
        "sched/movable.py",
        "        return ArmCommit(t, until, lock)\n",
        "        from .timers import add_timer\n\n        add_timer(self, t, until)\n        return lock\n",
    ),
    Twin(
        "stop does not look whether the timer has fired",
        "timer_stop_against_fire-host",
        "sched/timers.py",
        "            if not t.when:\n                return False\n            t.when = 0\n            t.entry[2] = None\n",
        "            if not t.when:\n                return True\n            t.when = 0\n            t.entry[2] = None\n",
    ),
    Twin(
        "a due timer stays in the heap while it runs",
        "timer_run_by_two-go",
        "sched/timers.py",
        "            when, _, t = heappop(heap)\n            t.when = 0\n            t.entry = None\n"
        "            ts.settle_locked()\n        ran = True\n",
        "            when, _, t = heap[0]\n        with ts.lock:\n            if heap and heap[0][2] is t:\n"
        "                heappop(heap)\n            t.when = 0\n            t.entry = None\n            ts.settle_locked()\n"
        "        ran = True\n",
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
        "        mp.inbox = [item for item in mp.inbox if item not in fresh]\n",
        "",
    ),
    Twin(
        "the end of a G that is unwound wakes who joins it",
        "joined_and_unwound-host",
        "sched/join.py",
        "            if unwound is None or (home is not None and home.sched is not unwound):\n",
        "            if True:\n",
    ),
    Twin(
        "a select sleeps until a time from which its timer has been reset",
        "reset_against_select-host",
        "selectgo.py",
        "        if timers and [timer.when for timer in timers] != whens:  # reset before we could be told\n",
        "        if False:\n",
    ),
    Twin(
        "a snapshot does not wait for who takes a P to write that down",
        "taken_against_snapshot-host",
        "trace/pen.py",
        "        self.stream.owes = self.now()\n",
        "        pass\n",
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
        "a wait is withdrawn although somebody has claimed it",
        "join_timeout_against_end-host",
        "sched/waitq.py",
        "            if self.q is None:\n                return False\n",
        "            if self.q is None:\n                return True\n",
    ),
    Twin(
        "M0 unwinds G's that another M still runs",
        "shutdown_against_a_g_that_has_parked-go",
        "sched/boot.py",
        "    if last:  #",
        "    if mp is sched.m0:  #",
    ),
    Twin(
        "a joiner looks at the status before it has said that it waits",
        "join_against_end-host",
        "sched/join.py",
        "    joiners.lock.acquire()\n    if gp.atomicstatus == GDEAD:\n        joiners.lock.release()\n        return\n",
        "    if gp.atomicstatus == GDEAD:\n        return\n    joiners.lock.acquire()\n",
    ),
    Twin(
        "a G that waits for I/O is woken by whoever comes",
        "netpoll_against_close-host",
        "sched/netpoll.py",
        "    try:\n        return wait.cell.pop()\n    except IndexError:\n        return None\n",
        "    return wait.cell[0] if wait.cell else None\n",
    ),
    Twin(
        "a G waits for I/O without a look at whether it was closed",
        "wait_against_close-host",
        "net/fd.py",
        "        if self._closed and claim_io(wait) is not None:\n",
        "        if False:\n",
    ),
    Twin(
        "a descriptor is closed while another M may use it",
        "netpoll_against_close-host",
        "net/fd.py",
        "        if not others:\n            self._sock.close()\n",
        "        self._sock.close()\n",
    ),
    Twin(
        "the deadline is read before the wait is published",
        "deadline_against_wait-host",
        "net/fd.py",
        "        self._begin(mp, gp, pd, wait)\n        try:\n            deadline = self._wdeadline if write else self._rdeadline\n",
        "        deadline = self._wdeadline if write else self._rdeadline\n        self._begin(mp, gp, pd, wait)\n        try:\n",
    ),
)
