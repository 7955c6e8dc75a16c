"""Whether four P's keep up with one, also after a handler has held its thread.

Under the GIL more P's cannot be faster; they should not cost much either. Nor should they once a handler has held
its thread for 100 ms, so that its P was taken away and a second thread came in: the threads must not go on passing
the GIL between them. The load goes on throughout; what is counted starts when the stalled handler has answered.
`python -m benchmarks.stall [SECONDS]` prints the figures of one repetition.
"""

from __future__ import annotations

import json
import sys
import tempfile

from . import golang
from .echo import Server
from .golang import Go

WARM = 0.5


def rate(kind: str, go: Go, seconds: float, *flags: str) -> float:
    """Requests per second over a window of so many seconds, on a server of its own."""
    with Server(kind, go) as server:
        result = server.load(f"--seconds={seconds}", f"--warm={WARM}", *flags)
    return result["requests"] / result["seconds"]


def measure(kind: str, go: Go, seconds: float) -> dict[str, float]:
    """Throughput; and "after", that after a stall.

    One P is what the others are held against, so its "after" is its undisturbed throughput.
    """
    plain = rate(kind, go, seconds)
    return {"rate": plain, "after": plain if kind == "mpg" else rate(kind, go, seconds, "--stall")}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    with tempfile.TemporaryDirectory() as directory:
        go = golang.build(directory)
        for kind in ("mpg", "mpg4"):
            print(json.dumps({"procs": int(kind[3:] or 1)} | measure(kind, go, seconds)), flush=True)


if __name__ == "__main__":
    main()
