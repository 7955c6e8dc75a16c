"""Broken twins of the protocols in `explorer/wakeups.py`."""

from explorer.twins.twin import Twin

__all__ = ["TWINS"]

TWINS = (
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
        "whether a Mutex is free is asked before its lock is held",
        "mutex-host",
        "sync/mutex.py",
        "        mp = s.begin()\n        if not self._locked and not self._starving:\n",
        "        free = not self._locked and not self._starving\n        mp = s.begin()\n        if free:\n",
    ),
    Twin(
        "a thread that is no M does not look whether the G's M sleeps",
        "plain_thread_wakes-host",
        "sched/mlife.py",
        "        asleep, mp.asleep = mp.asleep, False\n    mp.sched.stuck = False\n",
        "        asleep = mp.sched is tls.m.sched and mp.asleep\n    mp.sched.stuck = False\n",
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
        "a select sleeps until a time from which its timer has been reset",
        "reset_against_select-host",
        "selectgo.py",
        "        if timers and [timer.when for timer in timers] != whens:  # reset before we could be told\n",
        "        if False:\n",
    ),
    Twin(
        "a wait is withdrawn although somebody has claimed it",
        "join_timeout_against_end-host",
        "sched/waitq.py",
        "            if self.q is None:\n                return False\n",
        "            if self.q is None:\n                return True\n",
    ),
    Twin(
        "a joiner looks at the status before it has said that it waits",
        "join_against_end-host",
        "sched/join.py",
        "    joiners.lock.acquire()\n    if gp.atomicstatus == GDEAD:\n        joiners.lock.release()\n        return\n",
        "    if gp.atomicstatus == GDEAD:\n        return\n    joiners.lock.acquire()\n",
    ),
)
