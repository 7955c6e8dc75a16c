"""Trace: columns, expansion, files, digest, filter."""

import hashlib
import json
import zipfile

import numpy as np
import pytest

from mpg.trace import InvalidTrace, Trace, load
from mpg.trace import events as ev
from mpg.trace.events import COLUMNS, STRINGS, pack_switch

RECEIVE = STRINGS.index("chan receive")
LOCAL = STRINGS.index("local")


def small(**metadata):
    rows = [
        (5, ev.GoCreate, 0, 0, -1, 1, len(STRINGS)),
        (5, ev.GoStart, 0, 0, 1, LOCAL, -1),
        (9, ev.GoBlock, 0, 0, 1, RECEIVE, 2**40),
        (12, ev.GoUnblock, 1, 3, -1, 1, -1),
    ]
    return Trace.from_records(rows, (*STRINGS, "mäin"), metadata)


def test_columns_and_events_say_the_same():
    trace = small()
    assert trace.names == ["GoCreate", "GoStart", "GoBlock", "GoUnblock"]
    assert trace.events.dtype.names == COLUMNS
    assert trace.events["b"].tolist() == trace.b.tolist() == [len(STRINGS), -1, 2**40, -1]
    assert len(trace) == 4


def test_nothing_can_be_written():
    trace = small()
    for values in (trace.ts, trace.events):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = values[1]
    with pytest.raises(TypeError):
        trace.metadata["seed"] = 1


def test_the_columns_given_stay_the_callers():
    ts = np.arange(3)
    rest = [np.full(3, ev.Log), *(np.full(3, -1) for _ in range(5))]
    trace = Trace(ts, *rest)
    ts[0] = 99
    assert trace.ts.tolist() == [0, 1, 2]


@pytest.mark.parametrize("bad", [[1.5], [[1]], ["1"]])
def test_a_column_is_a_row_of_integers(bad):
    with pytest.raises(ValueError, match="row of integers"):
        Trace(bad, [1], [0], [0], [0], [0], [0])


def test_columns_must_fit():
    with pytest.raises(ValueError, match="different lengths"):
        Trace([1, 2], [1], [0], [0], [0], [0], [0])


@pytest.mark.parametrize(
    ("how", "kind", "a", "b"),
    [
        (ev.BLOCKED, ev.GoBlock, RECEIVE, 7),
        (ev.STOPPED, ev.GoStop, RECEIVE, -1),
        (ev.ENDED, ev.GoEnd, -1, -1),
        (ev.CALLED, ev.GoSyscallBegin, RECEIVE, -1),
    ],
)
def test_a_switch_is_two_events(how, kind, a, b):
    word = pack_switch(how, RECEIVE, 7, LOCAL)
    rows = [
        (1, ev.Log, -1, -1, -1, 0, -1),
        (4, ev.GoSwitch, 2, 3, 8, 9, word),
        (6, ev.Log, -1, -1, -1, 0, -1),
    ]
    trace = Trace.from_records(rows)
    assert trace.events.tolist()[1:3] == [(4, kind, 2, 3, 8, a, b), (4, ev.GoStart, 2, 3, 9, LOCAL, -1)]
    assert trace.ts.tolist() == [1, 4, 4, 6]


def test_no_events():
    trace = Trace.from_records([])
    trace.validate()
    assert (len(trace), trace.summary(), trace.to_text().strip()) == (0, "no events", "")


def test_digest_is_of_columns_and_strings_alone():
    trace = small()
    sha = hashlib.sha256()
    for name in ("ts", "kind", "p", "m", "g", "a", "b"):
        sha.update(getattr(trace, name).astype("<i8").tobytes())
    for text in trace.strings:
        sha.update(len(text.encode()).to_bytes(8, "little") + text.encode())
    assert trace.digest() == sha.hexdigest() == small(seed=3).digest()
    assert trace.digest() != trace.filter(t1=12).digest()


def test_file_and_back(tmp_path):
    trace = small(world="host", procs=2)
    path = tmp_path / "trace"  # the name is taken as it is
    trace.save(path)
    again = load(path)
    assert again.digest() == trace.digest()
    assert again.metadata == trace.metadata
    assert again.strings == trace.strings
    assert path.stat().st_size > 0


def test_empty_file_and_back(tmp_path):
    Trace.from_records([]).save(tmp_path / "t.npz")
    assert len(load(tmp_path / "t.npz")) == 0


def test_a_cut_off_file(tmp_path):
    path = tmp_path / "t.npz"
    small().save(path)
    whole = path.read_bytes()
    for length in (0, 3, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidTrace):
            load(path)


def test_a_damaged_file(tmp_path):
    path = tmp_path / "t.npz"
    small().save(path)
    whole = bytearray(path.read_bytes())
    for at in range(60, len(whole) - 200, 97):
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        try:
            assert load(path).digest() == small().digest()  # a byte that nobody reads
        except InvalidTrace:
            pass


@pytest.mark.parametrize("name", ["none.npz", "other.npz", "text.npz", "array.npz"])
def test_a_foreign_file(tmp_path, name):
    path = tmp_path / name
    match name:
        case "none.npz":
            with pytest.raises(FileNotFoundError):
                load(path)
            return
        case "other.npz":
            np.savez(path, x=np.arange(3))
        case "text.npz":
            path.write_text("go 1.26 trace")
        case "array.npz":
            with open(path, "wb") as file:
                np.save(file, np.arange(3))
    with pytest.raises(InvalidTrace, match="not a trace of mpg"):
        load(path)


def rewrite(path, **changes):
    with np.load(path) as data:
        arrays = dict(data)
    head = json.loads(bytes(arrays["header"]))
    arrays["header"] = np.frombuffer(json.dumps({**head, **changes}).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"version": 2}, "version 2"),
        ({"format": "other"}, "not a trace"),
        ({"events": 9}, "do not fit"),
        ({"strings": [1]}, "damaged"),
        ({"metadata": None}, "damaged"),
    ],
)
def test_a_header_that_does_not_fit(tmp_path, changes, text):
    path = tmp_path / "t.npz"
    small().save(path)
    rewrite(path, **changes)
    with pytest.raises(InvalidTrace, match=text):
        load(path)


def test_a_pickle_in_the_file_is_not_opened(tmp_path):
    path = tmp_path / "t.npz"
    small().save(path)
    with np.load(path) as data:
        arrays = dict(data)
    arrays["ts"] = np.array([object()] * 4, dtype=object)
    np.savez(path, **arrays)
    with pytest.raises(InvalidTrace):
        load(path)


def test_the_file_is_small(tmp_path):
    rng = np.random.default_rng(1)
    n = 100_000
    kind = rng.choice([ev.GoBlock, ev.GoStart, ev.GoUnblock, ev.RunqLen], n)
    columns = [rng.integers(0, high, n) for high in (8, 8, 3000, 3000, 30)]
    Trace(np.cumsum(rng.exponential(400, n).astype(np.int64)), kind, *columns).save(tmp_path / "t.npz")
    assert (tmp_path / "t.npz").stat().st_size < 1_000_000  # of noise; real traces take less
    assert zipfile.is_zipfile(tmp_path / "t.npz")


def test_filter():
    trace = small()
    assert trace.filter(t0=9).names == ["GoBlock", "GoUnblock"]
    assert trace.filter(t1=9).names == ["GoCreate", "GoStart"]
    assert trace.filter(g=1).names == trace.names  # it is also the G that is created and unblocked
    assert trace.filter(p=1).names == trace.filter(m=3).names == ["GoUnblock"]
    assert trace.filter(kind="GoStart").names == ["GoStart"]
    assert trace.filter(kind=["GoStart", ev.GoBlock], p=0).names == ["GoStart", "GoBlock"]
    assert trace.filter(g=2).metadata["partial"]
    with pytest.raises(ValueError):
        trace.filter(kind="GoStrat")


@pytest.mark.parametrize("wrong", [{"t0": 0.1}, {"t1": 1e9}, {"g": "x"}], ids=str)
def test_a_filter_takes_ints(wrong):
    with pytest.raises(TypeError, match="is an int"):
        Trace.from_text("").filter(**wrong)
