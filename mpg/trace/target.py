"""What `trace=` of `mpg.run` and `mpg.simulate` may be, and saving into a file that was promised."""

from __future__ import annotations

import os
from typing import Any

from .record import Recorder

__all__ = ["recorder_for", "save"]


def recorder_for(trace: Any, *, kept: bool) -> tuple[Recorder | None, str | os.PathLike[str] | None]:
    """The recorder that `trace` asks for, if any, and the file to save its trace in, if any.

    Args:
        kept: the caller gives the recorder back, so True has a meaning.

    Raises:
        TypeError: it is no path, no Recorder, and no bool either.
        OSError: the file cannot be written. Now, and not when there is something to lose.
    """
    if trace is None or trace is False:
        return None, None
    if trace is True and kept:
        return Recorder(), None
    if isinstance(trace, Recorder):
        return trace, None
    if isinstance(trace, (str, os.PathLike)):
        with open(trace, "ab"):
            pass
        return Recorder(), trace
    raise TypeError(f"trace takes a path or a mpg.trace.Recorder, not {type(trace).__name__}")


def save(recorder: Recorder, path: str | os.PathLike[str] | None) -> OSError | None:
    """Save what was recorded, if there is a path; the error if that fails."""
    if path is None:
        return None
    try:
        recorder.trace.save(path)
    except OSError as exc:
        return exc
    return None
