"""Broken twins of the protocols in `explorer/recordings.py`."""

from explorer.twins.twin import Twin

__all__ = ["TWINS"]

TWINS = (
    Twin(
        "a snapshot does not wait for who takes a P to write that down",
        "taken_against_snapshot-host",
        "trace/pen.py",
        "        self.stream.owes = self.now()\n",
        "        pass\n",
    ),
    Twin(
        "a snapshot takes the rows first",
        "batch_against_snapshot-host",
        "trace/unfold.py",
        "    loose = stream.loose.copy()\n    return unfold(stream.rows.copy(), loose)\n",
        "    rows = stream.rows.copy()\n    return unfold(rows, stream.loose.copy())\n",
    ),
    Twin(
        "a batch is there before the record that tells of it",
        "batch_against_snapshot-host",
        "trace/foretell.py",
        "        self.put((ts, what, -1, n, told, -1))\n        self.loose += numbers\n",
        "        self.loose += numbers\n        self.put((ts, what, -1, n, told, -1))\n",
    ),
    Twin(
        "what comes after stamps does not tell of them",
        "batch_against_snapshot-host",
        "trace/foretell.py",
        "        if told != self.told:\n",
        "        if False:\n",
    ),
)
