"""WaitGroup: start some G's and wait until all have finished.

    python examples/wait_group.py

Each G writes to a place of its own, so the results need no lock, and `wait` makes sure that all are there.
"""

import hashlib
import sys
from pathlib import Path

import mpg


def checksum(path, sums):
    # Reading a file blocks its thread. to_thread moves the call to a spare one; the other G's go on.
    data = mpg.to_thread(path.read_bytes)
    sums[path.name] = hashlib.sha256(data).hexdigest()[:16]


def main(folder):
    sums = {}
    group = mpg.sync.WaitGroup()
    for path in folder.glob("*.py"):
        group.go(checksum, path, sums)
    group.wait()
    for name, digest in sorted(sums.items()):
        print(digest, name)


if __name__ == "__main__":
    mpg.run(main, Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
