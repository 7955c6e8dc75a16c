"""Every exception of mpg, grouped by who is at fault.

* the program: `PanicError` and its kinds carry Go's panic and fatal texts word for word;
* the program as a whole: `DeadlockError`;
* the ordinary course of things: `ChanClosed`, `ClosedError`;
* mpg itself: `RuntimeBug`, what Go calls a throw.

`Unwind` and `Goexit` are not errors. They derive from BaseException so that an `except Exception` in user
code cannot swallow the end of a run, as asyncio.CancelledError and GreenletExit do.
"""

from __future__ import annotations

__all__ = [
    "ChanClosed",
    "ClosedError",
    "DeadlockError",
    "Goexit",
    "MpgError",
    "PanicError",
    "RuntimeBug",
    "SimulationError",
    "SyncPanic",
    "Unwind",
    "ChanPanic",
]


class MpgError(Exception):
    """Base of the errors that mpg defines."""


class PanicError(MpgError):
    """The program broke a rule for which Go panics. The text is Go's."""


class ChanPanic(PanicError):
    """A channel was misused: "send on closed channel", "close of closed channel"."""


class SyncPanic(PanicError):
    """A primitive of `mpg.sync` was misused, such as "sync: negative WaitGroup counter"."""


class ChanClosed(MpgError):
    """`Chan.recv` found the channel closed and drained. `recv_ok` says the same without raising."""


class ClosedError(MpgError, OSError):
    """A connection or listener was used after it was closed, or closed while a G waited on it."""


class DeadlockError(MpgError):
    """Nothing can ever run again. The text begins with Go's words and tables the parked G's.

    Attributes:
        goroutines: one line per parked G: id, name, wait reason, since when, where, where created.
    """

    def __init__(self, text: str, goroutines: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((text, *goroutines)) if goroutines else text)
        self.goroutines = goroutines


class SimulationError(MpgError):
    """Something was asked of a simulation that virtual time has no meaning for."""


class RuntimeBug(MpgError):
    """mpg broke one of its own invariants. Please report it; the message carries the state."""


class Unwind(BaseException):
    """Raised inside the G's that are still alive when a run ends, so that their `finally` blocks run."""


class Goexit(BaseException):
    """Carries `mpg.goexit()` up to the end of its G, running `finally` blocks on the way."""
