"""The page of a trace: what it holds. What it shows is in test_page.py."""

import base64
import html
import json
import re
import zlib

import numpy as np
import pytest

from mpg.trace import Trace, derive
from mpg.trace import events as ev
from mpg.trace.html import LARGEST_REPR, html_repr, page, planes, to_html
from scheduler_viz import style

START = 50


def between(text, before, after):
    return text.partition(before)[2].partition(after)[0]


def contents(text):
    """Header and columns of a page."""
    header = json.loads(between(text, 'id="header">', "</script>"))
    data = zlib.decompress(base64.b64decode(between(text, 'id="data">', "</script>")))
    columns, at = {}, 0
    for name, n, low, width in header["columns"]:
        each = np.frombuffer(data, np.uint8, n * width, at).reshape(width, n).astype(np.int64)
        columns[name] = low + sum((plane << 8 * i for i, plane in enumerate(each)), np.zeros(n, np.int64))
        at += n * width
    assert at == len(data)
    return header, columns


@pytest.mark.parametrize(
    "values", [[], [7, 7], [-1, 0, 254], [-1, 255], [0, 256, 65535], [2**52, 3], [-(2**40), 2**40]]
)
def test_planes(values):
    low, width, data = planes(np.array(values, np.int64))
    assert len(data) == width * len(values)
    each = np.frombuffer(data, np.uint8).reshape(width, len(values)).tolist()
    assert [
        low + sum(plane[i] << 8 * k for k, plane in enumerate(each)) for i in range(len(values))
    ] == values


def test_what_the_page_holds(story):
    header, columns = contents(page(story))
    kept = ~np.isin(story.kind, (ev.RunqLen, ev.GlobqLen))
    for name in ("kind", "p", "m", "g", "a", "b"):
        assert columns[name].tolist() == getattr(story, name)[kept].tolist()
    assert (np.cumsum(columns["dt"]) + START).tolist() == story.ts[kept].tolist()
    assert columns["gid"].tolist() == [1, 2, 30]
    assert [header["strings"][i] for i in columns["gname"]] == ["main", "main.<locals>.reader", "writer"]
    assert (header["events"], header["metadata"]) == (len(story), {"world": "host", "procs": 2})


def test_lanes_have_no_gaps(story):
    """So tiles are the spans, each until the next."""
    _, columns = contents(page(story))
    when = np.cumsum(columns["dt"])
    for letter, spans in (("p", derive.spans_p(story)), ("m", derive.spans_m(story))):
        lanes = np.repeat(columns[f"{letter}lane"], columns[f"{letter}count"])
        assert lanes.tolist() == spans["lane"].tolist()
        assert when[np.cumsum(columns[f"{letter}row"])].tolist() == (spans["t0"] - START).tolist()


def test_where_a_lane_stops_a_tile_says_so():
    trace = Trace.from_text("""
        0  - M0 - ProcsChange 2
        0  P0 M0 - ProcStart
        5  P0 M0 - ProcStop
        9  P0 M0 - ProcsChange 1
        10 - M0 - ProcRetire P0
        20 - M0 - ProcsChange 2
        30 P0 M0 - ProcStart
        40 P0 M0 - ProcStop
        50 - M0 - ProcsChange 2
    """)
    _, columns = contents(page(trace))
    when = np.cumsum(columns["dt"])[np.cumsum(columns["prow"])]
    labels = ["idle", "scheduling", "gone"]
    tiles = [(int(t), labels[c]) for t, c in zip(when, columns["pclass"], strict=True)]
    assert tiles == [(0, "scheduling"), (5, "idle"), (10, "gone"), (30, "scheduling"), (40, "idle")]


def test_the_file_needs_no_network_and_nothing_else(busy, tmp_path):
    path = tmp_path / "trace.html"
    to_html(busy, path)
    text = path.read_text("utf-8")
    assert "default-src 'none'" in text
    code = text.replace(between(text, 'id="data">', "</script>"), "")
    assert not re.findall(r"https?:|\bsrc=|\bhref=|@import|url\(|\bimport\b|fetch\(|XMLHttp", code)
    assert len(text) < 15 * len(busy) + 50_000  # a million events stay below 15 MB


def test_texts_of_a_program_cannot_leave_the_header():
    nasty = "</script><b>@DATA@ \ud800 é"
    trace = Trace.from_text("0 P0 M0 - GoCreate G1 " + json.dumps(nasty))
    text = page(trace)
    header, _ = contents(text)
    assert nasty in header["strings"]
    assert text.count("</script>") == page(Trace.from_text('0 P0 M0 - GoCreate G1 "main"')).count("</script>")
    text.encode("utf-8")


def test_no_events_and_events_of_unknown_kinds(tmp_path):
    to_html(Trace.from_text(""), tmp_path / "empty.html")
    header, columns = contents((tmp_path / "empty.html").read_text("utf-8"))
    assert header["events"] == 0
    assert not any(len(values) for values in columns.values())
    contents(page(Trace.from_text("5 P0 M0 G1 200 1 2")))


def test_colours_are_those_of_the_figures():
    text = page(Trace.from_text(""))
    drawn = dict(re.findall(r'\["([a-zA-Z/ ]+)", "(#[0-9A-F]{6})", "[a-z]*"\]', text))
    assert drawn.pop("gone") == "#FFFFFF"
    assert drawn == {state.label: state.colour for state in style.STATES.values()}
    assert between(text, "const FUNCTIONS = ", ";") == json.dumps(style.FUNCTIONS)


def test_functions_have_the_hues_of_the_figures(story):
    header, _ = contents(page(story))
    for name, number in zip(header["strings"], header["hues"], strict=True):
        assert style.FUNCTIONS[number] == style.function_colour(name)


def test_in_a_notebook(story):
    text = html_repr(story)
    assert text.startswith("<iframe ")
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', text)[1]) == page(story)


def test_in_a_notebook_none_and_too_many():
    assert html_repr(Trace.from_text("")) is None
    many = Trace(
        np.arange(LARGEST_REPR + 1), np.full(LARGEST_REPR + 1, ev.Log), *[np.full(LARGEST_REPR + 1, -1)] * 5
    )
    assert "to_html" in html_repr(many)
    assert "<iframe" not in html_repr(many)
