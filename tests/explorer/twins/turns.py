"""Broken twins of the protocols in `explorer/turns.py`."""

from explorer.twins.twin import Twin

__all__ = ["TWINS"]

TWINS = (
    Twin(
        "a G that takes turns does not look at the doorbell",
        "letter_against_turns-host",
        "goroutine.py",
        "    if mp.attn:\n        checkpoint(mp)\n        mp = tls.m\n    gp = mp.curg\n    turns = mp.turns\n",
        "    gp = mp.curg\n    turns = mp.turns\n",
    ),
    Twin(
        "an M in a call keeps its turns",
        "call_against_turns-host",
        "sched/syscall.py",
        "    if mp.grant:\n        end_turns(mp)\n",
        "",
    ),
    Twin(
        "turns go on past the slice that looks at the global queue first",
        "global_queue_against_turns-host",
        "sched/turns.py",
        "        mp.turns = turns\n",
        "        mp.turns = turns + 100\n",
    ),
    Twin(
        "nobody tells the heir of a P with timers",
        "moved_timers_against_turns-host",
        "sched/idle.py",
        "        heir.m.ring_bell()\n",
        "        pass\n",
    ),
    Twin(
        "nobody looks at the doorbell between two fresh G's",
        "letter_against_ends-host",
        "sched/stacks.py",
        "if not mp.attn and gp.listed is None and",
        "if gp.listed is None and",
    ),
    Twin(
        "who ends spawns does not reckon with a thief",
        "thief_against_spawns-host",
        "sched/turns.py",
        "        try:\n            gp = pp.ring.pop()\n        except IndexError:  # a thief was quicker\n            return\n",
        "        if not pp.ring:\n            return\n        gp = pp.ring.pop()\n",
    ),
)
