"""`Recorder`: keeps what the M's of one run wrote, and makes a `Trace` of it.

The pens themselves are in `pen.py`, what a full recorder drops is in `flight.py`, the order between M's in `merge.py`.

Rejected: writing to the file at once (a write of the kernel in the middle of a switch), and a recorder for several
runs (G's, P's and M's are numbered anew in each).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from ..current import host_lock
from .events import STRINGS
from .pen import Pen
from .stream import TEXT, WIDTH, Chunk, Stream

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Recorder"]

CHUNK: Final = 4096  # records; more of them take longer, because their numbers have left the cache


class Recorder:
    """Records one run: pass it as `trace=` to `mpg.run` or `mpg.simulate`, then take `.trace`.

    Args:
        limit: about how many records to keep (a switch is one record and two events). Beyond that the oldest are
            dropped, and counted in the trace's metadata, "dropped"; what remains is complete in itself.
        sites: record in which file and line G's are created and block. (Costs a look at the stack for each; and
            the digest of a simulation then depends on where its source lies.)

    A recorder serves one run.
    """

    def __init__(self, limit: int = 2_000_000, *, sites: bool = False) -> None:
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1000:
            raise ValueError(f"limit is a number of events, at least 1000, not {limit!r}")
        self.limit = limit
        self.sites = sites
        self.chunk = WIDTH * min(CHUNK, limit // 32)
        self.streams: list[Stream] = []
        self.kept = 0  # records in chunks
        self.base: Any = None  # a `flight.Base`, once something has been dropped
        self.index = dict(TEXT)  # of strings; without a lock, for a `__del__` may need one more
        self.numbers = count(len(STRINGS))
        self.names: dict[Any, int] = {}  # by code object
        self.places: dict[Any, int] = {}  # site strings, by code object and instruction
        self.tasks = count(1)
        self.tasked: Any = None  # the context variable that holds a G's task, once there is a task
        self.objects: dict[int, int] = {}  # numbers of channels and the like, in the order of the trace
        self.metadata: dict[str, Any] = {}
        self.threads: dict[int, int] = {}  # of M's, as the system numbers them
        self.now: Callable[[], int] = int  # the clock of the M's, once there is one
        self.shared = False  # a simulation: all M's write one stream
        self.lock = host_lock()  # of chunks and strings; in a simulation nobody contends for it
        self.made: Trace | None = None
        self.over = False

    # While it records.

    def begin(self, sched: Any, metadata: dict[str, Any], *, shared: bool) -> None:
        """Have every M of `sched` write here. Before its first M is made."""
        if self.metadata:
            raise RuntimeError("a Recorder serves one run: make another")
        self.shared = shared
        self.metadata = {
            **metadata,
            "python": sys.version.split()[0],
            "platform": sys.platform,
            "pid": os.getpid(),
            "switch_interval": sys.getswitchinterval(),
            "cpus": usable_cpus(),
        }
        if shared:  # the same on every machine
            for key in ("python", "platform", "pid", "switch_interval", "cpus"):
                del self.metadata[key]
        sched.new_rec = self.new_pen

    def new_pen(self, mp: Any) -> Pen:
        """What `mp` writes with."""
        return self.pen(mp.id, mp.now)

    def pen(self, mid: int, now: Callable[[], int]) -> Pen:
        """What the M of this number writes with."""
        with self.lock:
            if not self.shared or not self.streams:
                self.streams.append(Stream())
                self.now = now
            stream = self.streams[-1]
        return Pen(self, mid, now, stream)

    def name_of(self, gp: Any, code: Any) -> int:
        """The string index of a G's name."""
        index = self.string(gp.name)
        if code is not None and gp._name is None:
            self.names[code] = index
        return index

    def string(self, text: str) -> int:
        """The index of a text in the string table."""
        index = self.index.get(text)
        if index is None:
            index = self.index.setdefault(text, next(self.numbers))
        return index

    def strings(self) -> tuple[str, ...]:
        """The string table. A number that two threads competed for stands for nothing."""
        texts = dict(enumerate(STRINGS))
        texts.update((index, text) for text, index in list(self.index.items()) if index not in texts)
        return tuple(texts.get(index, "") for index in range(max(texts) + 1))

    def place(self, code: Any, lasti: int) -> int:
        """The string index of "file:line"."""
        index = self.places.get((code, lasti))
        if index is None:
            line = code.co_firstlineno
            for at, (first, *_) in enumerate(code.co_positions()):
                if 2 * at == lasti:
                    line = first or line
                    break
            index = self.places[code, lasti] = self.string(f"{code.co_filename}:{line}")
        return index

    def roll(self, stream: Stream) -> None:
        """A chunk is full: pack it, and drop what is too much."""
        # A `__del__` may write in the middle of this: that stays in the list. Or it comes just before, and does this.
        if stream.rolls or not stream.rows:
            return
        stream.rolls = True
        try:
            rows, loose = stream.rows.copy(), stream.loose.copy()
            chunk = Chunk(rows, loose, stream.empty)
            stream.empty = 0
            with self.lock:
                stream.chunks.append(chunk)
                self.kept += chunk.n
                del stream.rows[: len(rows)], stream.loose[: len(loose)]
                if self.kept > self.limit:
                    from .flight import drop_oldest

                    drop_oldest(self)
        finally:
            stream.rolls = False

    def end(self) -> None:
        """The run is over: nobody writes any more."""
        self.over = True

    def attach(self, exc: BaseException) -> None:
        """Leave the trace with an exception that ends the run."""
        try:
            exc.trace = self.trace  # type: ignore[attr-defined]
        except AttributeError:  # a class with slots
            pass

    # Afterwards.

    def __reduce__(self) -> tuple[Any, ...]:
        """With its trace, so that what a simulation returns can be sent to another process."""
        return recorded, (self.limit, self.sites, self.trace if self.metadata else None)

    @property
    def trace(self) -> Trace:
        """What has been recorded; of a run that is over always the same object."""
        if self.made is not None:
            return self.made
        trace = self.snapshot()
        if self.over:
            self.made = trace
        return trace

    def snapshot(self) -> Trace:
        """What has been recorded so far. From any thread; the run goes on meanwhile."""
        if not self.metadata:
            raise RuntimeError(
                "this Recorder has not been used: pass it as trace= to mpg.run or mpg.simulate"
            )
        from .flight import read
        from .trace import Trace

        columns, dropped = read(self)
        metadata = {**self.metadata, "dropped": dropped}
        if self.threads:
            metadata["threads"] = {str(m): thread for m, thread in sorted(self.threads.copy().items())}
        if not self.over:
            metadata["unfinished"] = True
        return Trace(*columns, strings=self.strings(), metadata=metadata)


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def recorded(limit: int, sites: bool, trace: Trace | None) -> Recorder:
    """A recorder that comes from another process: its run, if it had one, is over."""
    recorder = Recorder(limit, sites=sites)
    if trace is not None:
        recorder.metadata = dict(trace.metadata)
        recorder.made = trace
        recorder.end()
    return recorder
