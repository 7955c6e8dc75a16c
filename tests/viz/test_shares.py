"""What P's did, and what was lost, against cases worked out by hand."""

import pytest
from viz.conftest import busy, check_layout

import scheduler_viz as viz
from mpg.trace import Trace, derive
from mpg.trace.lanes import RUNNING
from scheduler_viz import data
from scheduler_viz.data.shares import SHARES

NS = 1e-9
NAN = float("nan")

# The example in SchedViz's manual: two P's with one and two waiting, and the others idle, for a second.
SCHEDVIZ = """
world "sim-moving"
0  -  M0 -  ProcsChange {procs}
0  P0 M0 -  ProcStart
0  P1 M1 -  ProcStart
0  P0 M0 -  GoCreate G1
0  P1 M1 -  GoCreate G3
0  P0 M0 G1 GoStart
0  P1 M1 G3 GoStart
0  P0 M0 G1 GoCreate G2
0  P1 M1 G3 GoCreate G4
0  P1 M1 G3 GoCreate G5
0  P0 M0 G1 RunqLen 1 0
0  P1 M1 G3 RunqLen 2 0
1s P0 M0 G1 GoEnd
1s P1 M1 G3 GoEnd
"""


def schedviz(procs):
    return Trace.from_text(SCHEDVIZ.format(procs=procs))


def shares(rows):
    return [tuple(row) for row in rows[list(SHARES)].tolist()]


def test_utilization(story):
    """Of 200 ns of P's: running 70 + 3 + 57, in a call 10, scheduling 10 + 2 + 1, spinning 9, idle 5 + 32 + 1."""
    (row,) = data.utilization(story, bins=1).tolist()
    assert row == pytest.approx((0, 100 * NS, 2, 0.65, 0.05, 0.065, 0.045, 0.19, NAN), nan_ok=True)


def test_utilization_of_bins(story):
    rows = data.utilization(story, bins=2)
    assert rows["t1"].tolist() == pytest.approx([50 * NS, 100 * NS])
    assert shares(rows) == [
        pytest.approx((0.48, 0, 0.11, 0.09, 0.32)),
        pytest.approx((0.82, 0.1, 0.02, 0, 0.06)),
    ]


def test_utilization_of_each_p(story):
    rows = data.utilization(story, by="p")
    assert rows["p"].tolist() == [0, 1]
    assert rows["seconds"].tolist() == pytest.approx([100 * NS, 100 * NS])
    assert shares(rows) == [
        pytest.approx((0.73, 0.1, 0.12, 0, 0.05)),
        pytest.approx((0.57, 0, 0.01, 0.09, 0.33)),
    ]


def test_utilization_of_a_window(story):
    (row,) = shares(data.utilization(story, t0=75 * NS, t1=85 * NS, bins=1))
    assert row == pytest.approx((0.75, 0.25, 0, 0, 0))


def test_a_p_counts_while_it_exists():
    text = """
    0  -  M0 -  ProcsChange 1
    0  P0 M0 -  ProcStart
    10 P0 M0 -  ProcsChange 2
    20 P0 M0 -  ProcStop
    """
    rows = data.utilization(Trace.from_text(text), bins=2)
    assert rows["procs"].tolist() == [1, 2]
    assert rows["idle"].tolist() == [0, 0.5]


def test_running_is_what_the_spans_say():
    trace = busy(4, 10)
    spans = derive.spans_p(trace)
    ran = int((spans["t1"] - spans["t0"])[spans["state"] == RUNNING].sum())
    for bins in (1, 13, 500):
        rows = data.utilization(trace, bins=bins)
        width = rows["t1"] - rows["t0"]
        assert (rows["running"] * rows["procs"] * width).sum() * 1e9 == pytest.approx(ran)
        assert sum(rows[name] for name in SHARES).tolist() == pytest.approx([1] * bins)
        assert rows["procs"].tolist() == pytest.approx([4] * bins)


def test_utilization_is_drawn(story):
    ax = viz.utilization(story, bins=2)
    tops = {patch.get_gid(): patch.get_data() for patch in ax.patches}
    assert list(tops) == [f"states:{name}" for name in SHARES]
    assert tops["states:running"].values.tolist() == pytest.approx([48, 82])
    assert tops["states:syscall"].baseline.tolist() == pytest.approx([48, 82])
    assert tops["states:idle"].values.tolist() == pytest.approx([100, 100])
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["running 65.0%", "in a call 5.0%", "spinning 4.5%", "idle 19.0%", "scheduling 6.5%"]


@pytest.mark.parametrize("by", ["time", "p"])
def test_nothing_claims_a_cpu(story, by):
    gil = Trace.from_text("gil true\n" + story.to_text())
    for trace, running, words in (
        (story, "running", ["P-busy only: this trace holds no CPU times"]),
        (gil, "has a P (one GIL)", ["P-busy only: this trace holds no CPU times", "one GIL"]),
    ):
        ax = viz.utilization(trace, by=by)
        assert any(text.get_text().startswith(running) for text in ax.get_legend().get_texts())
        (note,) = (text.get_text() for text in ax.texts)
        assert [word for word in words if word in note] == words
        check_layout(ax.figure)


def test_by_what(story):
    with pytest.raises(ValueError, match='"time" or "p"'):
        viz.utilization(story, by="g")


@pytest.mark.parametrize(("procs", "lost"), [(6, (1, 2, 3)), (4, (1, 2, 2)), (2, (0, 0, 0))])
@pytest.mark.parametrize("bins", [1, 4, 7])
def test_schedviz(procs, lost, bins):
    rows = data.idle_while_overloaded(schedviz(procs), bins=bins)
    assert tuple(rows[name].sum() for name in ("wall", "per_p", "per_g")) == pytest.approx(lost)
    for name, total in zip(("wall", "per_p", "per_g"), lost, strict=True):
        assert rows[name].tolist() == pytest.approx([total / bins] * bins)


def test_schedviz_of_a_window_and_with_another_number_of_cpus():
    (row,) = data.idle_while_overloaded(schedviz(6), t0=0.25, t1=0.75, bins=1).tolist()
    assert row == pytest.approx((0.25, 0.75, 0.5, 1, 1.5))
    (row,) = data.idle_while_overloaded(schedviz(2), bins=1, ncpus=6).tolist()
    assert row == pytest.approx((0, 1, 1, 2, 3))
    with pytest.raises(ValueError, match="ncpus"):
        data.idle_while_overloaded(schedviz(2), ncpus=0)


def test_losses_are_the_derived_totals():
    trace = busy(4, 10)
    whole = derive.idle_while_overloaded(trace)
    rows = data.idle_while_overloaded(trace, bins=33)
    for name in ("wall", "per_p", "per_g"):
        assert rows[name].sum() * 1e9 == pytest.approx(getattr(whole, name))


def test_losses_are_drawn():
    ax = viz.idle_while_overloaded(schedviz(6), bins=2)
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["wall: 1 s", "per P: 2 s", "per G: 3 s"]
    assert [patch.get_data().values.tolist() for patch in ax.patches] == [[3, 3], [2, 2], [1, 1]]


@pytest.mark.parametrize(
    ("world", "has"), [("host", True), ("sim-pinned", True), ("sim-moving", False), ("go", False)]
)
def test_the_note_says_what_is_counted_where_stacks_are_pinned(world, has):
    trace = Trace.from_text(SCHEDVIZ.format(procs=6).replace("sim-moving", world))
    ax = viz.idle_while_overloaded(trace)
    assert any("only its own M can run it" in text.get_text() for text in ax.texts) is has


def test_without_lengths_the_note_says_so():
    text = "\n".join(line for line in SCHEDVIZ.format(procs=6).splitlines() if "RunqLen" not in line)
    trace = Trace.from_text(text.replace("sim-moving", "go"))
    rows = data.idle_while_overloaded(trace, bins=1)
    assert rows.tolist() == [pytest.approx((0, 1, 1, 2, 3))]
    assert any("no queue lengths" in one.get_text() for one in viz.idle_while_overloaded(trace).texts)


@pytest.mark.parametrize("name", ["utilization", "idle_while_overloaded"])
@pytest.mark.parametrize("text", ["", "7 P0 M0 - ProcStart"])
def test_no_time(name, text):
    trace = Trace.from_text(text)
    assert len(getattr(data, name)(trace)) == 0
    assert [one.get_text() for one in getattr(viz, name)(trace).texts] == ["no time passes in this trace"]


def test_no_ps():
    ax = viz.utilization(Trace.from_text("0 - M0 - MStart\n9 - M0 - MPark"))
    assert [one.get_text() for one in ax.texts] == ["no P's in this trace"]
