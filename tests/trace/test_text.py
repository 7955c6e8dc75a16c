"""Traces as text: what can be written, what cannot, and the story of a G."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mpg.trace import Trace
from mpg.trace import events as ev
from mpg.trace.events import EVENTS, STRINGS

EXAMPLE = """
# main waits for a message that a second G sends
world "host"
procs 1
0     -  M0 -  MStart
0     -  M0 -  ProcsChange n=1
0     P0 M0 -  ProcStart
0     P0 M0 -  GoCreate G1 "main"
1us   P0 M0 G1 GoStart queue="runnext"
1.5us P0 M0 G1 GoCreate new=G2 name="app.sender"
2us   P0 M0 G1 GoBlock "chan receive" 7
2us   P0 M0 G2 GoStart "local"
3us   P0 M0 G2 GoUnblock G1 how="ready"
4us   P0 M0 G2 GoEnd
4us   P0 M0 G1 GoStart "runnext"
5us   P0 M0 G1 Log "got \\"it\\" = 3" task=-
6us   P0 M0 G1 GoEnd
6us   P0 M0 -  ProcStop
"""


def test_example():
    trace = Trace.from_text(EXAMPLE)
    trace.validate()
    assert trace.metadata == {"world": "host", "procs": 1}
    assert trace.events.tolist()[5] == (1500, ev.GoCreate, 0, 0, 1, 2, trace.strings.index("app.sender"))
    assert trace.strings[len(STRINGS) :] == ("main", "app.sender", 'got "it" = 3')


def test_written_text():
    text = Trace.from_text(EXAMPLE).to_text().splitlines()
    assert text[0] == 'world "host"'
    assert '2000 P0 M0 G1 GoBlock reason="chan receive" object=7' in text
    assert text[-1] == "6000 P0 M0 - ProcStop"


def test_there_and_back():
    trace = Trace.from_text(EXAMPLE)
    again = Trace.from_text(trace.to_text())
    assert again.digest() == trace.digest()
    assert again.metadata == trace.metadata


numbers = some.integers(-1, 2**40)
rows = some.tuples(
    some.integers(0, 2**50),
    some.sampled_from([event.code for event in EVENTS if event.name != "GoSwitch"] + [127]),
    *[numbers] * 5,
)


@given(some.lists(rows, max_size=8), some.lists(some.text(max_size=8), max_size=3), some.booleans())
def test_any_rows_come_back(records, words, ours):
    strings = ((*STRINGS, *words) if ours else words) or ("a", "b")
    trace = Trace.from_records(records, strings, {"seed": 1})
    again = Trace.from_text(trace.to_text())
    assert again.events.tolist() == trace.events.tolist()
    assert again.strings[: len(trace.strings)] == trace.strings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 P0 M0 G1 GoStrat", "no event GoStrat"),
        ("0 P0 M0 G1", "an event is"),
        ("0 P0 M0 G1 GoBlock why=3", "no argument why"),
        ("0 P0 M0 G1 GoEnd 3", "fewer arguments"),
        ("0 P0 M0 G1 GoBlock 1 2 3", "fewer arguments"),
        ("0 P0 M0 G1 GoUnblock 3", "should be G3"),
        ("0 0 M0 G1 GoEnd", "should be P0"),
        ('0 P0 M0 G1 GoBlock "chan', "cannot be read"),
        ("soon P0 M0 G1 GoEnd", "line 1"),
        ("1.5 years", "an event is"),
    ],
)
def test_what_cannot_be_read(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        Trace.from_text(text)
    assert str(caught.value).startswith("line 1: ")


@pytest.mark.parametrize(
    ("word", "ns"),
    [("7", 7), ("7ns", 7), ("1.5us", 1500), ("0.25ms", 250_000), ("2s", 2 * 10**9), ("-1.5us", -1500)],
)
def test_times(word, ns):
    assert Trace.from_text(f"{word} - - - Generation 1").ts.tolist() == [ns]


def test_story():
    story = Trace.from_text(EXAMPLE).story(1)
    lines = [" ".join(line.split()) for line in story.splitlines()]
    assert lines == [
        "0.000 us G 1 (main) is created by the scheduler and queued on P 0",
        "1.000 us G 1 starts to run on P 0, M 0, taken from: runnext, after 1.000 us",
        "1.500 us G 1 creates G 2 (app.sender)",
        "2.000 us G 1 leaves P 0 and waits: chan receive, object 7, after 1.000 us",
        "3.000 us G 1 is made runnable by G 2 (ready) and queued on its M 0, after 1.000 us",
        "4.000 us G 1 starts to run on P 0, M 0, taken from: runnext, after 1.000 us",
        "5.000 us G 1 logs: 'got \"it\" = 3'",
        "6.000 us G 1 ends, after 2.000 us",
    ]


def test_story_of_nobody():
    assert Trace.from_text(EXAMPLE).story(99) == "G 99 does not occur"
