"""Traces, recorders, results and exceptions that carry them, through pickle and through real processes."""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest
from sim.programs import Unsendable, answer, deadlocks, fails

import mpg
from mpg.errors import DeadlockError
from mpg.trace import Recorder, Trace


def same(a, b):
    return (a.events == b.events).all() and a.strings == b.strings and dict(a.metadata) == dict(b.metadata)


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def test_a_trace():
    trace = mpg.simulate(answer).trace
    trace.summary()
    again = pickle.loads(pickle.dumps(trace))
    assert same(again, trace)
    assert again.digest() == trace.digest()
    assert again.derived == {}
    with pytest.raises(TypeError):
        again.metadata["seed"] = 1
    with pytest.raises(ValueError, match="read-only"):
        again.ts[0] = 0


def test_a_recorder():
    assert pickle.loads(pickle.dumps(Recorder(5000, sites=True))).limit == 5000
    recorder = Recorder()
    mpg.simulate(answer, trace=recorder)
    again = pickle.loads(pickle.dumps(recorder))
    assert again.trace is again.trace
    assert same(again.trace, recorder.trace)
    with pytest.raises(RuntimeError, match="serves one run"):
        mpg.simulate(answer, trace=again)


def test_a_recorder_in_the_middle():
    recorder = Recorder()
    sent = mpg.simulate(lambda: pickle.dumps(recorder), trace=recorder).value
    trace = pickle.loads(sent).trace
    assert trace.metadata["unfinished"]
    trace.validate()
    assert len(trace) < len(recorder.trace)
    assert "unfinished" not in recorder.trace.metadata


@pytest.mark.parametrize("traced", [True, False])
def test_a_result(pool, traced):
    here = mpg.simulate(answer, 7, trace=traced)
    there = pool.submit(mpg.simulate, answer, 7, trace=traced).result()
    assert (there.value, there.now, dict(there.stats)) == (here.value, here.now, dict(here.stats))
    if traced:
        assert same(there.trace, here.trace)
        there.trace.validate()
    else:
        with pytest.raises(ValueError, match="trace=False"):
            there.trace


def test_a_failure(pool):
    with pytest.raises(RuntimeError, match="on purpose") as caught:
        pool.submit(mpg.simulate, fails).result()
    trace = caught.value.trace
    assert isinstance(trace, Trace)
    trace.validate()
    assert any("virtual time" in note for note in caught.value.__notes__)


def test_a_deadlock(pool):
    with pytest.raises(DeadlockError, match="asleep") as caught:
        pool.submit(mpg.simulate, deadlocks).result()
    caught.value.trace.validate()
    assert caught.value.goroutines


def test_what_cannot_be_sent_for_another_reason():
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Unsendable(1, 2)))
