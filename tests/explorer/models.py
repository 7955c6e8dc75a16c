"""Every protocol between M's, as a small program from a prepared state, to be run under all its schedules.

`python -m explorer.models NAME` explores one model; that is how a broken twin of the package is tested.
"""

from __future__ import annotations

import sys

from explorer import ends, queues, recordings, sockets, turns, wakeups
from explorer.modelling import MODELS, Model

__all__ = ["MODELS", "Model", "ends", "queues", "recordings", "sockets", "turns", "wakeups"]

if __name__ == "__main__":
    print(MODELS[sys.argv[1]].explore())
