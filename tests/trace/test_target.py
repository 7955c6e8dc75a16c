"""What `trace=` may be, and files that cannot be written."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

import mpg
from mpg.trace import Recorder


@pytest.mark.parametrize("wrong", [True, 1, 0, 2.5, b"t.npz", object()])
def test_a_run_records_into_a_path_or_a_recorder(wrong: Any) -> None:
    ran = []
    with pytest.raises(TypeError, match=r"path or a mpg\.trace\.Recorder"):
        mpg.run(ran.append, 1, trace=wrong)
    assert ran == []


@pytest.mark.parametrize("wrong", [1, 0, 2.5, b"t.npz", object()])
def test_so_does_a_simulation(wrong: Any) -> None:
    ran: list[int] = []
    with pytest.raises(TypeError, match=r"path or a mpg\.trace\.Recorder"):
        mpg.simulate(ran.append, 1, trace=wrong)
    assert ran == []


@pytest.mark.parametrize("none", [None, False])
def test_no_recording(none: Any) -> None:
    assert mpg.run(lambda: 42, trace=none) == 42
    with pytest.raises(ValueError, match="trace=False"):
        mpg.simulate(lambda: 42, trace=none).trace


def test_paths(tmp_path: Path) -> None:
    for name, path in (("a.npz", tmp_path / "a.npz"), ("b.npz", os.fspath(tmp_path / "b.npz"))):
        assert mpg.run(lambda: 42, trace=path) == 42
        mpg.trace.load(tmp_path / name).validate()


def test_a_path_that_cannot_be_written_is_noticed_at_once(tmp_path: Path) -> None:
    ran = []
    with pytest.raises(OSError, match="missing"):
        mpg.run(ran.append, 1, trace=tmp_path / "missing" / "t.npz")
    assert ran == []


def move_away(folder: Path) -> None:
    os.rename(folder, folder.with_name(f"{folder.name} {time.monotonic_ns()}"))


def test_a_file_that_cannot_be_written_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    with pytest.raises(OSError, match="here"):
        mpg.run(move_away, folder, trace=folder / "t.npz")


def test_it_does_not_hide_what_the_program_raised(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()

    def main() -> None:
        move_away(folder)
        raise LookupError("of the program")

    with pytest.raises(LookupError, match="of the program"):
        mpg.run(main, trace=folder / "t.npz")
    folder.mkdir()
    with pytest.raises(LookupError, match="of the program") as failed:
        mpg.simulate(main, trace=folder / "t.npz")
    failed.value.trace.validate()  # type: ignore[attr-defined]


def test_a_recorder_serves_one_run() -> None:
    recorder = Recorder()
    mpg.run(lambda: None, trace=recorder)
    with pytest.raises(RuntimeError, match="one run"):
        mpg.run(lambda: None, trace=recorder)
