"""The command line: a picture, or one line that says why not."""

import subprocess
import sys

import pytest
from viz.conftest import busy

from scheduler_viz import data
from scheduler_viz.__main__ import main

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "busy.npz"
    busy(4, 4).save(path)
    return str(path)


@pytest.mark.parametrize("figure", sorted(data.__all__))
def test_every_figure(figure, file, tmp_path):
    out = tmp_path / "out.png"
    options = ["--option", "g=1"] if figure == "linked" else []
    assert main([figure, file, "-o", str(out), "--dpi", "50", *options]) == 0
    assert out.read_bytes().startswith(PNG)


def test_as_a_command(file, tmp_path):
    out = tmp_path / "out.svg"
    done = subprocess.run(
        [sys.executable, "-m", "scheduler_viz", "steal_rate", file, "-o", str(out)],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "<svg" in out.read_text()


def test_window_and_options(file, tmp_path, monkeypatch):
    import scheduler_viz

    seen = {}
    draw = scheduler_viz.queues.runqueue_heatmap

    def spy(trace, *, t0=None, t1=None, ax=None, bins=200, part="all"):
        seen.update(t0=t0, t1=t1, bins=bins, part=part)
        return draw(trace, t0=t0, t1=t1, bins=bins, part=part)

    monkeypatch.setattr(scheduler_viz.queues, "runqueue_heatmap", spy)
    words = ["--t0", "0.0001", "--t1", "0.0005", "--option", "bins=7", "--option", "part=fresh"]
    assert main(["runqueue_heatmap", file, "-o", str(tmp_path / "x.png"), *words]) == 0
    assert seen == {"t0": 0.0001, "t1": 0.0005, "bins": 7, "part": "fresh"}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["steals", "FILE", "-o", "x.png"], "no figure 'steals'; there are counters, "),
        (["counters", "FILE"], "-o"),
        (["linked", "FILE", "-o", "x.png"], "linked needs --option g="),
        (["steal_rate", "FILE", "-o", "x.png", "--option", "bin=3"], "no option 'bin=3'"),
        (["steal_rate", "FILE", "-o", "x.png", "--option", "bins"], "it has bins"),
        (["counters", "FILE", "-o", "x.png", "--option", "ax=1"], "it has none"),
        (["counters", "FILE", "-o", "x.png", "--dpi", "0"], "dots per inch"),
    ],
)
def test_wrong_usage(words, why, file, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([file if word == "FILE" else word for word in words])
    assert caught.value.code == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def fails(argv, capsys, status=1):
    """What the one line says."""
    assert main(argv) == status
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert (out, line.partition(" ")[0]) == ("", "scheduler_viz:")
    return line


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 and nothing else"])
def test_a_foreign_file(content, capsys, tmp_path):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    line = fails(["counters", str(path), "-o", str(tmp_path / "x.png")], capsys)
    assert "foreign.npz: " in line
    assert "not a trace" in line or "damaged" in line


def test_no_file(capsys, tmp_path):
    line = fails(["counters", str(tmp_path / "none.npz"), "-o", str(tmp_path / "x.png")], capsys)
    assert line.endswith("none.npz: No such file or directory")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--t0", "99"], "--t0 is 99.0 s, after the trace's end at "),
        (["--t0", "1e300"], "--t0 is 1e+300 s, after"),
        (["--t0", "nan"], "--t0 is in seconds from the trace's start, not nan"),
        (["--t1", "inf"], "--t1 is in seconds from the trace's start, not inf"),
        (["--t0", "0.002", "--t1", "0.001"], "--t1 is 0.001 s, not after the begin at 0.002 s"),
        (["--option", "bins=0"], "--option bins is a number of bins from 1 to 10,000, not 0"),
        (["--option", "bins=many"], "--option bins is a number of bins from 1 to 10,000, not 'many'"),
        (["--option", "bins={[]: 1}"], "not '{[]: 1}'"),
        (["--option", f"bins={'-' * 5000}1"], "--option bins is"),
    ],
)
def test_a_refused_option_is_named_as_it_was_written(words, why, file, capsys, tmp_path):
    out = tmp_path / "x.png"
    assert why in fails(["steal_rate", file, "-o", str(out), *words], capsys, 2)
    assert not out.exists()


def test_a_time_far_beyond_the_end_is_the_end(file, tmp_path):
    assert main(["steal_rate", file, "-o", str(tmp_path / "x.png"), "--t1", "1e300"]) == 0


@pytest.mark.parametrize(
    ("out", "why"),
    [
        (".", "-o . is a folder"),
        ("folder.png", "-o folder.png is a folder"),
        ("", "-o '' does not end as a picture does"),
        ("noext", "-o 'noext' does not end as a picture does: in ."),
        ("x.xyz", "-o 'x.xyz' does not end as a picture does"),
        (".png", "-o '.png' does not end as a picture does"),
        ("no/such/x.png", "-o no/such/x.png: there is no folder no/such"),
    ],
)
def test_out_is_no_picture(out, why, file, capsys, tmp_path, monkeypatch):
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    assert why in fails(["steal_rate", file, "-o", out], capsys, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_a_picture_that_cannot_be_written(file, capsys, tmp_path):
    (tmp_path / "x.png").symlink_to("x.png")
    line = fails(["steal_rate", file, "-o", str(tmp_path / "x.png")], capsys)
    assert line.startswith(f"scheduler_viz: {tmp_path}/x.png: ")


def test_a_format_that_needs_a_program(file, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "xelatex" in fails(["steal_rate", file, "-o", str(tmp_path / "x.pgf")], capsys)


def test_not_recorded(capsys, tmp_path):
    from mpg.trace import Trace

    Trace.from_text('world "go"\n0 P0 M0 - ProcStart').save(path := tmp_path / "go.npz")
    line = fails(["steal_matrix", str(path), "-o", str(tmp_path / "x.png")], capsys)
    assert "needs Steal events" in line
