"""Each protocol's broken twin is found by its model, in a copy of the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from explorer.models import MODELS
from explorer.twins import TWINS, Twin

import mpg

PACKAGE = Path(mpg.__file__).parent
TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize("twin", TWINS, ids=[twin.name for twin in TWINS])
def test_a_twin_still_applies(twin: Twin) -> None:
    assert twin.model in MODELS
    assert (PACKAGE / twin.file).read_text().count(twin.old) == 1, (
        "the source has changed: write the twin anew"
    )


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS, ids=[twin.name for twin in TWINS])
def test_a_twin_is_found(twin: Twin, tmp_path: Path) -> None:
    copy = tmp_path / "mpg"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / twin.file
    file.write_text(file.read_text().replace(twin.old, twin.new))
    done = subprocess.run(
        [sys.executable, "-m", "explorer.models", twin.model],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{TESTS}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, f"the model does not find it: {done.stdout}"
    assert "ScheduleError: schedule [" in done.stderr
    assert str(tmp_path) in done.stderr  # it was the copy that failed


def test_every_program_has_a_twin() -> None:
    programs = {model.main.__name__ for model in MODELS.values()}
    assert programs <= {MODELS[twin.model].main.__name__ for twin in TWINS}
