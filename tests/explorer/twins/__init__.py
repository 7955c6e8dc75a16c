"""Broken twins: for each protocol the mistake that its order or its check is there to prevent.

A twin is one replacement in the source of a copy of the package. The model must find it; and when the source has
changed so that the replacement no longer applies, that is a fault too: the twin is to be written anew.
"""

from explorer.twins import ends, queues, recordings, sockets, turns, wakeups
from explorer.twins.twin import Twin

__all__ = ["TWINS", "Twin"]

TWINS = (*ends.TWINS, *queues.TWINS, *recordings.TWINS, *sockets.TWINS, *turns.TWINS, *wakeups.TWINS)
