"""The table of events: codes, names and states that hang together."""

import pickle
import subprocess
import sys

import pytest

from mpg import status as st
from mpg.trace import InvalidTrace, events
from mpg.trace.events import ANY, BLOCKED, CALLED, EVENTS, KINDS, LEFT, MSTATUS, NAMES, STRINGS, pack_switch

BY_NAME = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)


@BY_NAME
def test_constant_and_row_agree(event):
    assert getattr(events, event.name) == event.code
    assert 0 < event.code < 128  # a byte in a file, and an index in tables


@BY_NAME
def test_row_is_complete(event):
    assert event.by
    assert set(event.worlds) <= set(ANY)
    for arg in (event.a, event.b):
        assert arg.kind in ("", "int", "ns", "g", "p", "m", "string")
        assert bool(arg.name) == bool(arg.kind)


def test_codes_and_names_are_unique():
    assert len(KINDS) == len(NAMES) == len(EVENTS)


def test_codes_stay():
    """They are in files: a change here is a new version of the format."""
    assert [event.code for event in EVENTS] == sorted(KINDS)
    assert (NAMES["GoCreate"].code, NAMES["GoStatus"].code, NAMES["Steal"].code, NAMES["Log"].code) == (
        1,
        30,
        40,
        84,
    )


@pytest.mark.parametrize(("what", "table"), [("g", st.GSTATUS), ("p", st.PSTATUS), ("m", MSTATUS)])
def test_states_exist(what, table):
    for event in EVENTS:
        change = getattr(event, what)
        if change is not None:
            assert set(change.before) <= set(table)
            assert change.after is None or change.after in table
            assert change.who == what or getattr(event, change.who).kind == what


def test_changes_of_g_are_those_of_the_scheduler():
    made = {
        (before, event.g.after)
        for event in EVENTS
        if event.g is not None and event.g.after is not None
        for before in event.g.before
    }
    assert made == set(st.G_TRANSITIONS)


def test_strings_begin_with_what_a_switch_can_hold():
    assert STRINGS[0] == ""
    assert len(STRINGS) == len(set(STRINGS))
    assert len(events.QUEUES) <= 64
    reasons = {value for name, value in vars(st).items() if name.isupper() and isinstance(value, str)}
    assert reasons - {st.GOSCHED, st.GOYIELD} <= set(STRINGS)


def test_pack_switch_keeps_its_parts_apart():
    word = pack_switch(BLOCKED, 0xFFFF, 2**38, 63)
    assert (word & 3, word >> 2 & 63, word >> 8 & 0xFFFF, (word >> 24) - 1) == (0, 63, 0xFFFF, 2**38)
    assert word < 2**63
    assert LEFT[CALLED] == events.GoSyscallBegin


def test_invalid_trace_can_be_pickled():
    exc = pickle.loads(pickle.dumps(InvalidTrace(3, "7 P0 M0 G1 GoEnd", "G 1 is dead")))
    assert (exc.index, exc.event, exc.rule) == (3, "7 P0 M0 G1 GoEnd", "G 1 is dead")
    assert "event 3" in str(exc)


def test_the_table_does_not_load_numpy():
    code = (
        "import sys, mpg.trace.events, mpg.trace; print('numpy' in sys.modules, hasattr(mpg.trace, 'Trace'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.split() == ["False", "True"]
