"""The notebooks: each runs from the top to the end, and what is kept of it is small, plain and in order.

They are executed in a copy, so the files with their outputs stay as they are. Every number that their prose names is
asserted by one of their own cells; a cell that raises ends the test.
"""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
MAX_BYTES = 1_000_000
MAX_CELLS = 15


def cells(name: str, kind: str = "") -> list[dict[str, Any]]:
    found = json.loads((FOLDER / name).read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if not kind or cell["cell_type"] == kind]


def test_there_are_notebooks() -> None:
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small(name: str) -> None:
    assert (FOLDER / name).stat().st_size <= MAX_BYTES
    assert len(cells(name)) <= MAX_CELLS


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_asks_predicts_and_answers(name: str) -> None:
    text = "\n".join("".join(cell["source"]) for cell in cells(name, "markdown"))
    places = [text.index(word) for word in ("**Question.**", "**Prediction.**", "**Answer", "**Exercises.**")]
    assert places == sorted(places)
    exercises = text[places[-1] :]
    assert "\n1. " in exercises
    assert "\n2. " in exercises
    assert "\n3. " not in exercises


@pytest.mark.parametrize("name", NAMES)
def test_the_outputs_are_png_and_text_of_one_execution(name: str) -> None:
    code = cells(name, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    figures = 0
    for cell in code:
        for output in cell["outputs"]:
            if output["output_type"] == "stream":
                assert output["name"] == "stdout", output
                continue
            assert output["output_type"] == "display_data", output
            assert list(output["data"]) in (["image/png"], ["text/plain"])
            figures += "image/png" in output["data"]
    assert figures >= 1
    assert any("assert " in "".join(cell["source"]) for cell in code)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    copy = tmp_path / name
    shutil.copy(FOLDER / name, copy)
    refresh = runpy.run_path(str(FOLDER / "refresh.py"))
    refresh["refresh"](copy)
    executed = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    kept = cells(name)
    assert [cell["source"] for cell in executed] == [cell["source"] for cell in kept]
    assert pictures(executed) == pictures(kept)


def pictures(found: list[dict[str, Any]]) -> list[int]:
    """How many figures each code cell shows."""
    code = [cell for cell in found if cell["cell_type"] == "code"]
    return [sum("image/png" in output.get("data", {}) for output in cell["outputs"]) for cell in code]
