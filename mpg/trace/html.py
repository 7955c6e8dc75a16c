"""A trace as one HTML file that opens from disk: a timeline of P's, M's and a chosen G. No network, no other file.

What the file holds: a header (JSON: texts, metadata, how each column is packed) and one block of data, deflated and in
base64, which the page unpacks with DecompressionStream. Everything else is worked out there.

* Events, without recorded queue lengths, which nothing here draws.
* The lanes of P's and M's as tiles: the row at which one begins, and its class. A tile lasts until the next one of its
  lane, so lanes have no gaps; where a P or M is gone a tile says so. The rules of states stay in `lanes.py` alone.
* For each event the class in which it leaves its G: the page sorts them by G and has every G's story.
* A column of integers is stored as its smallest value, and how much each exceeds it: all lowest bytes first, then the
  next ones, as many as the largest needs. Deflate finds far more to save there than in whole integers.

A million events make a file of up to 7 MB, in some 5 seconds. The page itself is `timeline.html`, its scripts are in
`timeline/`.

Rejected: tiles of G's as columns (as many as events, for what one sort gives); JSON for the events (several times as
much, and seconds to read); a picture at every zoom made beforehand (the page adds up at most 64 tiles for a pixel).
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from .. import status as st
from . import events as ev
from .derive import spans_g, spans_m, spans_p
from .events import KINDS
from .lanes import GONE, HELD, IDLE, RUNNING, SPINNING, SYSCALL, Ints, Rows, pick, text
from .marks import changeovers, clock, dropped, functions, until

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["html_repr", "to_html"]

SCRIPTS: Final = ("lanes.js", "paint.js", "marks.js", "story.js", "moves.js")
LARGEST_REPR: Final = 50_000  # events in a notebook's output
HEIGHT: Final = 460  # px of such an output

# Classes, as in timeline/lanes.js. A running G's is RUNS and the hue of its function.
C_IDLE, C_HELD, C_GONE, C_CALL, C_SPINS, C_RUNNABLE, C_BLOCKED, C_NETPOLL, C_RUNS = range(9)
HUES: Final = 6
PLACES: Final = {IDLE: C_IDLE, HELD: C_HELD, SYSCALL: C_CALL, SPINNING: C_SPINS, GONE: C_GONE}
GS: Final = {st.GIDLE: C_GONE, st.GRUNNABLE: C_RUNNABLE, st.GSYSCALL: C_CALL, st.GWAITING: C_BLOCKED}
UNCHANGED: Final = 255

# Whose `a` is the G that changes.
ABOUT_A: Final = [event.code for event in KINDS.values() if event.g is not None and event.g.who == "a"]


def to_html(trace: Trace, path: str | PathLike[str]) -> None:
    """Write the timeline as one file for a browser of 2023 or later."""
    Path(path).write_text(page(trace), encoding="utf-8")


def html_repr(trace: Trace) -> str | None:
    """What a notebook shows of a trace: the timeline, a hint if it is too large for that, None if there is nothing."""
    if not len(trace):
        return None
    if len(trace) > LARGEST_REPR:
        return (
            f"<p>{html.escape(repr(trace))}: more than {LARGEST_REPR} events are not drawn here. "
            "<code>trace.to_html('trace.html')</code> writes a page that shows them.</p>"
        )
    return (
        f'<iframe sandbox="allow-scripts" style="width: 100%; height: {HEIGHT}px; border: 0" '
        f'title="timeline of a trace" srcdoc="{html.escape(page(trace))}"></iframe>'
    )


def page(trace: Trace) -> str:
    """The whole page."""
    columns = pack(trace)
    data, layout = bytearray(), []
    for name, values in columns.items():
        low, width, bytes_ = planes(values)
        layout.append([name, len(values), low, width])
        data += bytes_
    header = {
        "columns": layout,
        "strings": trace.strings,
        "hues": [hue(word) for word in trace.strings],
        "kinds": {event.code: event.name for event in KINDS.values()},
        "aboutA": ABOUT_A,
        "metadata": dict(trace.metadata),
        "events": len(trace),
        "dropped": dropped(trace),
    }
    here = files(__package__)
    scripts = "\n".join(here.joinpath("timeline", name).read_text("utf-8") for name in SCRIPTS)
    template = here.joinpath("timeline.html").read_text("utf-8").replace("@SCRIPTS@", scripts)
    before, _, rest = template.partition("@HEADER@")
    middle, _, after = rest.partition("@DATA@")
    safe = json.dumps(header, separators=(",", ":")).replace("<", "\\u003c")
    packed = base64.b64encode(zlib.compress(data, 6)).decode("ascii")
    return "".join([before, safe, middle, packed, after])


def pack(trace: Trace) -> dict[str, Ints]:
    """All columns by name; `row` counts in the events that are kept."""
    when, (ids, names) = clock(trace), functions(trace)
    names = np.where(names < len(trace.strings), names, -1)
    runs = (
        C_RUNS + np.array([*(hue(word) for word in trace.strings), 0])[names]
    )  # each G's class while it runs
    on_g, handed = spans_g(trace), changeovers(trace)
    places = {"p": spans_p(trace), "m": spans_m(trace)}

    keep = ~np.isin(trace.kind, (ev.RunqLen, ev.GlobqLen))
    for spans in (on_g, *places.values()):
        keep[spans["begin"]] = True
        keep[spans["end"][spans["end"] >= 0]] = True
    row = np.cumsum(keep) - 1
    out = {"dt": np.diff(when[keep], prepend=0)}
    out |= {name: getattr(trace, name)[keep] for name in ("kind", "p", "m", "g", "a", "b")}
    out |= {
        "gid": ids,
        "gname": names,
        "gclass": classes_of_gs(trace, on_g, runs[find(ids, on_g["lane"])])[keep],
    }

    for letter, spans in places.items():
        fixed = np.array([PLACES.get(state, UNCHANGED) for state in range(GONE + 1)])[spans["state"]]
        if len(ids):
            fixed = np.where(spans["state"] == RUNNING, runs[find(ids, spans["g"])], fixed)
        lane, begin, which = tiles(when, spans, fixed)
        lanes, count = np.unique(lane, return_counts=True)
        out |= {f"{letter}lane": lanes, f"{letter}count": count}
        out |= {f"{letter}row": np.diff(row[begin], prepend=0), f"{letter}class": which}

    out |= {f"hand_{name}": handed[name] for name in ("p", "m_from", "m_to")}
    return out | {f"hand_{name}": pick(row, handed[name]) for name in ("row", "started")}


def classes_of_gs(trace: Trace, spans: Rows, runs: Ints) -> Ints:
    """The class that each event leaves its G in, UNCHANGED for most; `runs` is the class if such a span is a run."""
    out = np.full(len(trace), UNCHANGED)
    begin, state = spans["begin"], spans["state"]
    out[spans["end"][spans["end"] >= 0]] = C_GONE  # unless another span begins there
    polled = (trace.kind[begin] == ev.GoBlock) & (trace.a[begin] == text(trace, st.IO_WAIT))
    fixed = np.array([GS.get(code, UNCHANGED) for code in range(max(st.GSTATUS) + 1)])[state]
    out[begin] = np.where(state == st.GRUNNING, runs, np.where(polled, C_NETPOLL, fixed))
    return out


def tiles(when: Ints, spans: Rows, which: Ints) -> tuple[Ints, Ints, Ints]:
    """Lane, row and class of each tile: the spans, and C_GONE from where a lane stops until it goes on."""
    lane, begin, end = spans["lane"], spans["begin"], spans["end"]
    over = until(when, spans)
    stops = (end >= 0) & (over < when[-1:].max(initial=0))
    same = lane[:-1] == lane[1:]
    stops[:-1] &= ~same | (over[:-1] < when[begin[1:]])
    order = np.argsort(
        np.concatenate([2 * np.arange(len(lane)), 2 * np.flatnonzero(stops) + 1]), kind="stable"
    )
    gone = np.full(int(stops.sum()), C_GONE)
    parts = ((lane, lane[stops]), (begin, end[stops]), (which, gone))
    lane, begin, which = (np.concatenate(part)[order] for part in parts)
    return lane, begin, which


def find(ids: Ints, g: Ints) -> Ints:
    """The place of each G in `ids`; any place for -1."""
    found: Ints = np.searchsorted(ids, g)
    return found


def planes(values: Ints) -> tuple[int, int, bytes]:
    """The smallest value, and the bytes of what each value has beyond it: how many each has, and plane after plane."""
    if not len(values):
        return 0, 0, b""
    low = int(values.min())
    beyond = (values - low).astype("<u8")
    width = (int(beyond.max()).bit_length() + 7) // 8
    return low, width, beyond.view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()


def hue(name: str) -> int:
    """Which of the hues a function has: the same in every trace, and in the figures of scheduler_viz."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % HUES
