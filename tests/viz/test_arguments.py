"""What is no trace, and options that are not what they may be: an error that says so, and no figure."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest

import mpg
import scheduler_viz as viz
from mpg.trace import Recorder, Trace
from scheduler_viz import data
from scheduler_viz.arguments import MOST_BINS, BadOption

BINNED = ("steal_rate", "runqueue_heatmap", "utilization", "idle_while_overloaded")
BINS = f"bins is a number of bins from 1 to {MOST_BINS:,}, not "
CPUS = "ncpus is a number of CPU's from 1 to 65,536, not "
GS = "gs is numbers of G's, such as [1, 2], not "


def refuses(function, *args, **options):
    """What the error says."""
    with pytest.raises(BadOption) as caught:
        function(*args, **options)
    assert plt.get_fignums() == []
    return str(caught.value)


@pytest.mark.parametrize("bins", [0, -3, 2.5, "9", True, None, MOST_BINS + 1, 10**20])
@pytest.mark.parametrize("name", BINNED)
def test_bins(name, bins, story):
    for where in (viz, data):
        assert refuses(getattr(where, name), story, bins=bins) == f"{BINS}{bins!r}"


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("g_timeline", {"top": 0}, "top is a number of G's, at least 1, not 0"),
        ("g_timeline", {"top": -1}, "top is a number of G's, at least 1, not -1"),
        ("g_timeline", {"top": 1.5}, "top is a number of G's, at least 1, not 1.5"),
        ("g_timeline", {"top": 0, "gs": [1]}, "top is a number of G's, at least 1, not 0"),
        ("g_timeline", {"top": "all"}, "top is a number of G's, at least 1, not 'all'"),
        ("g_timeline", {"gs": []}, f"{GS}[]"),
        ("g_timeline", {"gs": 1}, f"{GS}1"),
        ("g_timeline", {"gs": "12"}, f"{GS}'12'"),
        ("g_timeline", {"gs": [[1]]}, f"{GS}[[1]]"),
        ("g_timeline", {"gs": np.array(1)}, f"{GS}array(1)"),
        ("g_timeline", {"gs": [1, 2.0]}, f"{GS}[1, 2.0]"),
        ("g_timeline", {"gs": [1, 99]}, "gs names G 99, which does not occur in this part of the trace"),
        (
            "g_timeline",
            {"gs": [2**70]},
            f"gs names G {2**70}, which does not occur in this part of the trace",
        ),
        ("g_timeline", {"gs": range(1, 300)}, "gs asks for 299 lanes of G's: nobody can read more than 200"),
        ("linked", {"g": "1"}, "g is the number of a G, not '1'"),
        ("linked", {"g": 99}, "g names G 99, which does not occur in this part of the trace"),
        ("runqueue_heatmap", {"part": "old"}, 'part is "all", "fresh" or "started", not \'old\''),
        ("runqueue_heatmap", {"part": ["all"]}, 'part is "all", "fresh" or "started", not [\'all\']'),
        ("utilization", {"by": "p", "bins": 0}, f"{BINS}0"),
        ("utilization", {"by": 1}, 'by is "time" or "p", not 1'),
        ("idle_while_overloaded", {"ncpus": 0}, f"{CPUS}0"),
        ("idle_while_overloaded", {"ncpus": 10**20}, f"{CPUS}{10**20}"),
        ("idle_while_overloaded", {"ncpus": "2"}, f"{CPUS}'2'"),
    ],
)
def test_options(name, options, words, story):
    for where in (viz, data):
        assert refuses(getattr(where, name), story, **options) == words


def test_options_of_figures_alone(story):
    assert refuses(viz.steal_matrix, story, count=1) == 'count is "steals" or "stolen", not 1'
    for draw in (viz.p_timeline, viz.m_timeline):
        assert refuses(draw, story, colour="red") == 'colour is "state" or "function", not \'red\''


@pytest.mark.parametrize(("options", "words"), [({"bins": 0}, f"{BINS}0"), ({"ncpus": 0}, f"{CPUS}0")])
def test_options_of_what_is_not_known(options, words, story):
    for where in (viz, data):
        assert refuses(where.idle_while_overloaded, story.filter(t0=50), **options) == words


def test_numbers_of_numpy_will_do(story):
    assert len(data.steal_rate(story, bins=np.int64(3))) == 3
    assert len(data.g_timeline(story, gs=np.array([1]), top=np.int8(1)))
    assert len(data.linked(story, np.int64(1), t1=np.float32(1)))


def test_small_numbers_of_numpy_do_not_overflow():
    second = Trace.from_text("0 P0 M0 - ProcStart\n1s P0 M0 - ProcStop")
    rows = data.steal_rate(second, t1=np.float16(0.5), bins=np.int8(127))
    assert (len(rows), rows["t1"][-1]) == (127, 0.5)


@pytest.mark.parametrize("name", data.__all__)
def test_what_is_no_trace(name, tmp_path):
    result = mpg.simulate(lambda: None)
    options = {"g": 1} if name == "linked" else {}
    for given, words in (
        (result, "not SimResult: pass its .trace"),
        (Recorder(), "not Recorder: pass its .trace"),
        (tmp_path, "Path: mpg.trace.load(path) reads one"),
        ("t.npz", "not str: mpg.trace.load(path) reads one"),
        (None, "not NoneType"),
    ):
        for where in (viz, data):
            with pytest.raises(TypeError) as caught:
                getattr(where, name)(given, **options)
            assert str(caught.value).startswith("a figure is drawn from a Trace, not ")
            assert str(caught.value).endswith(words)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", [name for name in data.__all__ if name != "linked"])
def test_what_is_no_axes(name, story):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="ax is one Axes of matplotlib, not ndarray"):
        getattr(viz, name)(story, ax=axes)


def test_the_error_can_be_pickled():
    again = pickle.loads(pickle.dumps(BadOption("bins", "is wrong")))
    assert (str(again), again.option, again.words) == ("bins is wrong", "bins", "is wrong")
