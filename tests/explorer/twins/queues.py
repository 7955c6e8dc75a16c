"""Broken twins of the protocols in `explorer/queues.py`."""

from explorer.twins.twin import Twin

__all__ = ["TWINS"]

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
        "the head of a ring that spills is read and then taken off",
        "overflow_where_stacks_move-go",
        "sched/runq.py",
        "            out.append(pp.ring.popleft())\n",
        "            out.append(pp.ring[0])\n            pp.ring.popleft()\n",
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
        "steal_against_local_get-go",
        "sched/runq.py",
        "                gp: G = ring.popleft()\n                return gp\n",
        "                gp: G = ring[0]\n                ring.popleft()\n                return gp\n",
    ),
    Twin(
        "a batch is taken although another M has emptied the global queue",
        "steal_against_overflow-host",
        "sched/runq.py",
        "        (ring if gp.home is None else lq).append(gp)\n    return taken[0] if taken else None\n",
        "        (ring if gp.home is None else lq).append(gp)\n    return taken[0]\n",
    ),
)
