"""Execute the notebooks and write what they put out into them.

    python notebooks/refresh.py            all of them
    python notebooks/refresh.py 01 03      those whose names begin so

* Needs the extra `notebooks`: nbclient, nbformat and ipykernel, and matplotlib for the figures.
* A notebook is written only after every cell of it has run. The one that fails is left as it was.
* Outputs are PNG and plain text alone. GitHub shows nothing else without its own scripts, and what runs in a page
  would have to be trusted. A figure's text, the name of its class, is left out as well.
* What was measured on the host differs from run to run. Everything else does not: no times of execution are kept, no
  ids and versions of the kernel, and what was printed in several pieces is one.
* At most 1 MB for each notebook: they are kept in the history for ever.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

HERE = Path(__file__).resolve().parent
TIMEOUT = 120  # seconds for one cell
MAX_BYTES = 1_000_000


def main(names: list[str]) -> None:
    """Refresh the notebooks whose names begin with one of `names`, or all."""
    paths = [path for path in sorted(HERE.glob("*.ipynb")) if path.name.startswith(tuple(names or [""]))]
    if not paths:
        sys.exit(f"no notebook is called {' or '.join(names)}")
    for path in paths:
        print(f"{path.name}: {refresh(path):,} bytes", flush=True)


def refresh(path: Path) -> int:
    """Execute one notebook and write it back with its outputs; its size in bytes.

    Raises:
        CellExecutionError: a cell has raised.
        ValueError: it has become too large.
    """
    notebook = executed(path)
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"{path.name} would have {size:,} bytes, and {MAX_BYTES:,} are the limit")
    path.write_text(text, encoding="utf-8")
    return size


def executed(path: Path) -> NotebookNode:
    """The notebook with new outputs; the file stays as it is.

    Raises:
        CellExecutionError: a cell has raised.
    """
    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as sockets:  # of the kernel, which so opens no port that others could talk to
        ipc = Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})
        client = NotebookClient(notebook, config=ipc, timeout=TIMEOUT, record_timing=False)
        client.execute(cwd=str(path.parent))
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1):
        cell.outputs = stripped(cell.outputs)
        cell.execution_count = number
        cell.metadata = NotebookNode()
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    nbformat.validate(notebook)
    return notebook


def stripped(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """The PNG of each output or else its text; what was printed at several times in one piece."""
    found: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            same = [old for old in found if old.get("name") == output.name]
            if same:
                same[0].text += output.text
            else:
                found.append(output)
            continue
        data = output.get("data", {})
        kind = next((kind for kind in ("image/png", "text/plain") if kind in data), None)
        if kind is not None:
            found.append(nbformat.v4.new_output("display_data", {kind: data[kind]}))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
