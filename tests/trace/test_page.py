"""The page of a trace: what it shows, in a Chromium where there is one. What it holds is in test_html.py."""

import itertools
import re

import chromium
import numpy as np
import pytest

from mpg import status as st
from mpg.trace import Trace, derive
from mpg.trace import events as ev
from mpg.trace.html import html_repr, to_html
from scheduler_viz import style

START = 50  # of the story
LABELS = {
    st.GRUNNABLE: "runnable",
    st.GRUNNING: "running",
    st.GSYSCALL: "in a call",
    st.GWAITING: "blocked",
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if chromium.PROGRAM is None:
        pytest.skip("no Chromium")
    found = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the page of a trace; at the end nothing may have been asked for or complained about."""

    def open_page(trace):
        path = tmp_path / "trace.html"
        to_html(trace, path)
        browser.open(path.as_uri())
        browser.run("timeline.ready")
        return browser

    yield open_page
    assert browser.requests == [(tmp_path / "trace.html").as_uri()]
    assert browser.complaints == []


def text_of(browser, name):
    return browser.run(f"document.getElementById({name!r}).textContent")


def place(browser, kind, lane, ns):
    return browser.run(f"timeline.place({kind!r}, {lane}, {ns})")


def pixel(browser, x, y):
    """The colour that is drawn there."""
    rgb = browser.run(f"""(() => {{
        const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
        const scale = canvas.width / box.width, pen = canvas.getContext("2d");
        return [...pen.getImageData(({x} - box.left) * scale, ({y} - box.top) * scale, 1, 1).data].slice(0, 3);
    }})()""")
    return "#{:02X}{:02X}{:02X}".format(*rgb)


def window(browser):
    return browser.run("[timeline.view.t0, timeline.view.t1]")


@pytest.mark.parametrize("which", ["story", "busy"])
def test_the_page_tells_the_same_lives(opened, request, which):
    trace = request.getfixturevalue(which)
    page = opened(trace)
    spans, origin = derive.spans_g(trace), int(trace.ts[0])
    for g in np.unique(spans["lane"]).tolist():
        own = spans[spans["lane"] == g]
        expected = [[row["t0"] - origin, row["t1"] - origin, LABELS[int(row["state"])]] for row in own]
        told = [each for each in page.run(f"timeline.story({g})") if each[2] != "gone"]
        told = [[t0, t1, "blocked" if label == "waiting for I/O" else label] for t0, t1, label in told]
        assert told == expected


def test_hover_names_the_g(opened, story):
    page = opened(story)
    for lane, ns, words in (
        (("p", 0), 1060 - START + 70, ("G1 main", "running on P0, M0", "140 ns")),
        (("p", 1), 1400 - START, ("G2 main.<locals>.reader", "running on P1, M1", "650 ns")),
        (("m", 0), 1600 - START, ("G1 main", "in a call on M0, P0")),
        (("p", 0), 1670 - START, ("P0", "scheduling")),
        (("p", 0), 1960 - START, ("P0", "scheduling")),
    ):
        page.mouse("Moved", *place(page, *lane, ns))
        hint = text_of(page, "hint")
        assert all(word in hint for word in words), hint


@pytest.mark.parametrize(
    ("asked", "found"),
    [("30", "G30 writer"), ("g2", "G2 main.<locals>.reader"), ("READ", "G2 main.<locals>.reader")],
)
def test_search_lands_on_the_g(opened, story, asked, found):
    page = opened(story)
    page.run("document.getElementById('search').focus()")
    page.type(asked)
    page.key("Enter")
    assert page.run("document.querySelector('#story h2').textContent") == found
    assert text_of(page, "found") == "1 of 1"
    g = int(re.match(r"G(\d+)", found)[1])
    t0, t1, _ = next(each for each in page.run(f"timeline.story({g})") if each[2] == "running")
    low, high = window(page)
    assert low <= t0 < t1 <= high
    page.mouse("Moved", *place(page, "p", 0 if g == 30 else 1, (t0 + t1) / 2))
    assert found in text_of(page, "hint")


def test_search_brings_the_lane_into_sight(opened):
    rows = [(0, ev.ProcStart, p, p, -1, -1, -1) for p in range(90)]
    rows += [
        (5, ev.GoCreate, 88, 88, -1, 7, -1),
        (10, ev.GoStart, 88, 88, 7, -1, -1),
        (20, ev.GoEnd, 88, 88, 7, -1, -1),
    ]
    rows += [(1000, ev.ProcStop, p, p, -1, -1, -1) for p in range(90)]
    page = opened(Trace.from_records(rows))
    assert place(page, "p", 88, 15)[1] > 700
    page.run("timeline.search('7'); timeline.draw()")
    x, y = place(page, "p", 88, 15)
    page.mouse("Moved", x, y)
    assert "G7" in text_of(page, "hint")
    assert "running on P88" in text_of(page, "hint")


def test_search_again_goes_on_and_round(opened, busy):
    page = opened(busy)
    page.run("document.getElementById('search').focus()")
    page.type("worker")
    said = []
    for _ in range(3):
        page.key("Enter")
        said.append((text_of(page, "found"), page.run("timeline.chosen.g")))
    assert [each[0] for each in said] == ["1 of 60", "2 of 60", "3 of 60"]
    assert len({each[1] for each in said}) == 3
    page.run("timeline.search('worker', -1); timeline.search('worker', -1); timeline.search('worker', -1)")
    assert text_of(page, "found") == "60 of 60"
    page.run("timeline.search('nobody')")
    assert text_of(page, "found") == "no such G"


def test_the_wheel_zooms_about_the_pointer_and_drag_pans(opened, busy):
    page = opened(busy)
    middle = int(busy.ts[-1] - busy.ts[0]) / 2
    x, y = place(page, "p", 0, middle)
    for step in range(50):
        before = window(page)
        page.mouse("Wheel", x, y, deltaX=0, deltaY=-100 if step < 30 else 60)
        after = window(page)
        assert after[0] < middle < after[1]
        assert (after[1] - after[0] < before[1] - before[0]) == (step < 30)
        assert place(page, "p", 0, middle)[0] == pytest.approx(x, abs=0.01)
    low, high = window(page)
    page.mouse("Pressed", x, y, button="left", clickCount=1)
    page.mouse("Moved", x - 100, y, button="left", buttons=1)
    page.mouse("Released", x - 100, y, button="left", clickCount=1)
    assert place(page, "p", 0, middle)[0] == pytest.approx(x - 100, abs=0.01)
    assert window(page)[1] - window(page)[0] == pytest.approx(high - low)
    assert window(page)[0] > low
    assert page.run("timeline.chosen.g") == -1
    page.run("document.getElementById('all').click()")
    assert window(page)[0] < 0
    assert window(page)[1] > 2 * middle


def test_a_click_on_a_g_shows_its_story(opened, story):
    page = opened(story)
    page.click(*place(page, "p", 0, 1130 - START))
    rows = page.run(
        "[...document.querySelectorAll('#story tr[data-tile]')].map((row) => row.innerText.split('\\t'))"
    )
    assert rows == [
        ["0 ns", "1.01 us", "runnable: created by the scheduler"],
        ["1.01 us", "140 ns", "running: on P0, M0, from: runnext"],
        ["1.15 us", "110 ns", "blocked: chan receive, object 7"],
        ["1.26 us", "110 ns", "runnable: by G2 reader (ready)"],
        ["1.37 us", "110 ns", "running: on P0, M0, from: local"],
        ["1.48 us", "520 ns", "in a call: blocking"],
    ]
    page.run("document.querySelectorAll('#story tr[data-tile]')[4].click()")
    low, high = window(page)
    assert low < 1370 < 1480 < high
    assert high - low < 1000
    page.run("document.getElementById('canvas').focus()")
    page.key("Escape")
    assert page.run("document.getElementById('story').hidden")


def test_what_is_drawn_where(opened, story):
    page = opened(story)
    states = style.STATES

    def drawn(kind, lane, ns):
        x, y = place(page, kind, lane, ns - START)
        return pixel(page, x, y + 6)  # below the words

    assert drawn("p", 0, 1100) == states["running"].colour
    assert drawn("p", 0, 1600) == states["syscall"].colour
    assert drawn("p", 1, 1900) == states["idle"].colour
    assert drawn("p", 1, 400) == "#FFFFFF"
    page.run("document.getElementById('hues').click(); timeline.draw()")
    assert drawn("p", 0, 1100) == style.function_colour("main")
    assert drawn("p", 1, 1300) == style.function_colour("main.<locals>.reader")
    page.run("document.getElementById('hues').click(); timeline.choose(0); timeline.draw()")
    assert drawn("g", 1, 1250) == states["blocked"].colour
    assert drawn("g", 1, 500) == states["runnable"].colour
    assert drawn("p", 0, 1130) == states["running"].colour
    assert drawn("p", 0, 1300) not in {state.colour for state in states.values()}  # another G's: faded


def test_steals_and_handoffs_are_marked(opened, story):
    page = opened(story)
    assert text_of(page, "note").endswith("1 steal; 1 hand-off")
    ink = style.INK
    x0, y0 = place(page, "p", 0, 1090 - START)
    _, y1 = place(page, "p", 1, 1090 - START)
    thief, victim = pixel(page, x0, y1 + 8), pixel(page, x0, y0 - 7)
    assert (thief, victim) == (ink, "#FFFFFF")
    assert pixel(page, *place(page, "m", 0, 1642 - START)) == ink
    assert pixel(page, *place(page, "m", 2, 1645 - START)) == ink
    page.run("timeline.show(1200, 1300)")
    page.run("timeline.draw()")
    assert "steal" not in text_of(page, "note")


def test_pixels_that_many_share_show_the_shares(opened):
    """G1 runs three quarters of the time, in runs far narrower than a pixel."""
    turns = 20_000
    rows = [(0, ev.ProcStart, 0, 0, -1, -1, -1), (0, ev.GoCreate, 0, 0, -1, 1, -1)]
    for turn in range(turns):
        rows += [(40 * turn, ev.GoStart, 0, 0, 1, -1, -1), (40 * turn + 30, ev.GoStop, 0, 0, 1, -1, -1)]
    page = opened(Trace.from_records(rows))
    assert "narrower than a pixel" in text_of(page, "note")
    half = 40 * turns / 2
    for ns in (half * 0.33, half * 1.02, half * 1.68):  # no tick of the axis is there
        x, y = place(page, "p", 0, ns)
        column = [pixel(page, x, y + dy) for dy in range(-10, 10)]
        assert column.count(style.STATES["running"].colour) == 15
        assert column[-15:] == [style.STATES["running"].colour] * 15
    page.run(f"timeline.show({half}, {half + 400})")
    page.run("timeline.draw()")
    assert "narrower" not in text_of(page, "note")
    x, y = place(page, "p", 0, half + 215)
    assert pixel(page, x, y + 6) == style.STATES["running"].colour


def test_pages_of_little_or_nothing(opened):
    for text, words in (
        ("", "no events to show"),
        ("7 P0 M0 - GoCreate G1", "no P's and M's to show"),
        ("7 - M0 - MStart", "no P's and M's to show"),
        ("5 P0 M0 G1 200 1 2", "no P's and M's to show"),
    ):
        page = opened(Trace.from_text(text))
        page.run("timeline.search('1'); timeline.draw()")
        assert text_of(page, "note") == words


def test_the_page_says_what_is_missing(opened, story):
    text = story.to_text()
    for trace, words in (
        (story, f"{len(story)} events, 2 us, 2 P's, world host"),
        (story.filter(t1=1090), "11 events of a filtered trace, 1.032 us, 2 P's, world host"),
        (story.filter(kind="Log"), "no events of a filtered trace, 2 P's, world host"),
        (Trace.from_text(""), "no events"),
        (
            Trace.from_text("0 - M0 - Dropped 170\n5 - M0 - Dropped 1\n9 - M0 - MStart"),
            "3 events, 171 more were dropped, 9 ns",
        ),
        (
            Trace.from_text(f"unfinished true\n{text}"),
            f"{len(story)} events, 2 us, unfinished, 2 P's, world host",
        ),
    ):
        assert text_of(opened(trace), "about") == words


def test_labels_of_the_axis_are_whole_and_apart(opened, busy):
    """Whatever is in view: a tick near the right edge, or many digits."""
    page = opened(busy)
    page.run("""
        window.labels = [];
        const write = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
            if (y === 11) labels.push([text, x, x + this.measureText(text).width]);
            write.call(this, text, x, y, ...more);
        };
    """)
    edge = page.run("document.getElementById('canvas').getBoundingClientRect().width")
    last = int(busy.ts[-1] - busy.ts[0])
    shifted = 0
    for t0, span in [(0, last), (last // 2 + 1, 3000), *((0, 1_000_000 + 3_000 * i) for i in range(40))]:
        labels = page.run(
            f"labels.length = 0; timeline.show({t0}, {t0 + span}); timeline.draw(); labels.slice()"
        )
        assert len(labels) > 2
        assert all(0 <= begin < end <= edge for _, begin, end in labels)
        assert all(one[2] < other[1] for one, other in itertools.pairwise(labels))
        shifted += labels[-1][2] == pytest.approx(edge)
    assert shifted


def test_the_notebooks_frame(browser, story, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><title>n</title>{html_repr(story)}", "utf-8")
    browser.open(path.as_uri())
    note = browser.run_in_frame("""(async () => {
        const note = document.getElementById("note");
        while (note.textContent.startsWith("reading")) await new Promise((go) => setTimeout(go, 10));
        return note.textContent;
    })()""")
    assert note.endswith("1 steal; 1 hand-off")
