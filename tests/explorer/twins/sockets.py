"""Broken twins of the protocols in `explorer/sockets.py`."""

from explorer.twins.twin import Twin

__all__ = ["TWINS"]

TWINS = (
    Twin(
        "a deadline wakes a G that its descriptor has woken",
        "netpoll_against_deadline-host",
        "sched/timed.py",
        "        if out.waiting.cancel(out.gp):\n            out.claimed = True\n            ready(mp, out.gp)\n",
        "        out.waiting.cancel(out.gp)\n        out.claimed = True\n        ready(mp, out.gp)\n",
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
