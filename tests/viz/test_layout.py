"""Every figure of numbers can be read, with few and with many P's; and docs/figures.md tells the truth."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from viz.conftest import STORY, busy, check_layout

import mpg
import scheduler_viz as viz
from mpg.trace import Recorder, Trace
from scheduler_viz import NotRecorded, data

FIGURES = (
    "steal_matrix",
    "steal_rate",
    "runqueue_heatmap",
    "counters",
    "latency_histogram",
    "handoff_anatomy",
    "utilization",
    "idle_while_overloaded",
)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "figures.md"
WORLDS = {"host": "host", "sim, like Go": "sim-moving", "sim, like the host": "sim-pinned", "Go": "go"}


@pytest.fixture(scope="module")
def on_the_host():
    def worker(number, ch):
        for _ in range(20):
            mpg.gosched()
        if number % 10 == 0:
            with mpg.blocking():
                pass
        ch.send(number)

    def main():
        ch = mpg.Chan(4)
        for number in range(100):
            mpg.go(worker, number, ch)
        return sum(ch.recv() for _ in range(100))

    rec = Recorder()
    assert mpg.run(main, procs=4, trace=rec) == 4950
    return rec.trace


@pytest.mark.parametrize("name", FIGURES)
def test_of_a_crowd(name, crowd):
    check_layout(getattr(viz, name)(crowd).figure)


@pytest.mark.parametrize("name", FIGURES)
def test_of_a_run(name, on_the_host):
    check_layout(getattr(viz, name)(on_the_host).figure)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("text", [STORY, "", "7 P0 M0 - ProcStart"], ids=["story", "empty", "one event"])
def test_of_little(name, text):
    check_layout(getattr(viz, name)(Trace.from_text(text)).figure)


@pytest.mark.parametrize("name", FIGURES)
def test_of_a_part(name):
    trace = busy(4, 8)
    half = (int(trace.ts[0]) + int(trace.ts[-1])) // 2
    end = (half - int(trace.ts[0])) / 1e9
    check_layout(getattr(viz, name)(trace, t0=end / 2, t1=end).figure)
    check_layout(getattr(viz, name)(trace.filter(t0=half)).figure)


def test_of_each_p(crowd):
    check_layout(viz.utilization(crowd, by="p").figure)


def test_in_the_axes_given(story):
    """Eight in one figure: none takes room of another."""
    fig, grid = plt.subplots(4, 2, figsize=(16, 18), layout="constrained")
    for ax, name in zip(grid.flat, FIGURES, strict=True):
        assert getattr(viz, name)(story, ax=ax) is ax
    check_layout(fig, legend=False)


@pytest.mark.parametrize("name", FIGURES)
def test_in_axes_without_a_grid(name, story):
    fig = plt.figure(figsize=(12, 6))
    ax = fig.add_axes((0.15, 0.2, 0.5, 0.6))
    assert getattr(viz, name)(story, ax=ax) is ax
    check_layout(fig)
    for part in fig.axes:
        if (
            part is ax
            or part.get_shared_x_axes().joined(part, ax)
            or part.get_shared_y_axes().joined(part, ax)
        ):
            box = part.get_position()
            room = (0.15, 0.2, 0.65, 0.8)
            inside = [box.x0 - room[0], box.y0 - room[1], room[2] - box.x1, room[3] - box.y1]
            assert min(inside) >= -1e-9, "it keeps to the room that it was given"


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_shown(name, story, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: shown.append(args))
    getattr(viz, name)(story)
    assert shown == []


def table():
    """docs/figures.md: figure, world, what the page says."""
    lines = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    head = lines[0]
    return [
        (re.sub("`", "", row[0]), WORLDS[world], said)
        for row in lines[2:]
        if len(row) == len(head)
        for world, said in zip(head[1:], row[1:], strict=True)
    ]


def test_the_page_has_every_figure_and_world():
    assert {name for name, _, _ in table()} == set(data.__all__)
    assert {world for _, world, _ in table()} == set(WORLDS.values())


@pytest.mark.parametrize(("name", "world", "said"), table(), ids=lambda value: str(value)[:20])
def test_the_page_is_right(name, world, said):
    assert said.startswith(("recorded", "derived", "not recorded"))
    trace = Trace.from_text(STORY.replace('world "host"', f'world "{world}"'))
    options = {"g": 1} if name == "linked" else {}
    if said.startswith("not recorded"):
        with pytest.raises(NotRecorded) as caught:
            getattr(viz, name)(trace, **options)
        assert said == f"not recorded: {caught.value.event}"
    else:
        getattr(viz, name)(trace, **options)
