"""The rules of the package's layers, checked on its source text.

- Direction: a module imports its own layer and lower ones, never a higher one (LAYERS).
- Purity: the scheduler and everything built on it know the world through the port alone, so the same code
  runs on threads, in virtual time and in the explorer (WORLDLY); only the network and the host touch sockets
  (RESTRICTED).
- Importing `mpg` is free: no numpy, no matplotlib, no thread, no handler, no setting changed.
- One subject a file: nobody needs 400 lines for one (LONGEST).

All imports count, those inside functions too. Those under `if TYPE_CHECKING:` never run, so they are free to
point upwards; they still may not name a module that purity forbids.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mpg"

# Module or package: its layer. The longest name that fits counts. A module without a line here is a fault.
LAYERS: dict[str, float] = {
    "mpg.errors": 0,
    "mpg.status": 0,
    "mpg.port": 0,
    "mpg.trace.events": 0,
    "mpg.trace.lanes": 0.1,
    "mpg.trace.npz": 0.1,
    "mpg.trace.text": 0.1,
    "mpg.trace.cpu": 0.15,
    "mpg.trace.stolen": 0.15,
    "mpg.trace.tasks": 0.15,
    "mpg.trace.clocks": 0.2,
    "mpg.trace.derive": 0.2,
    "mpg.trace.replay": 0.2,
    "mpg.trace.order": 0.2,
    "mpg.trace.exact": 0.25,
    "mpg.trace.places": 0.2,
    "mpg.trace.story": 0.3,
    "mpg.trace.summary": 0.3,
    "mpg.trace.validate": 0.3,
    "mpg.trace.trace": 0.4,
    "mpg.trace.marks": 0.3,
    "mpg.trace.chrome": 0.35,
    "mpg.trace.html": 0.35,
    "mpg.trace.merge": 0.4,
    "mpg.trace.stream": 0.33,
    "mpg.trace.foretell": 0.34,
    "mpg.trace.hotpen": 0.35,
    "mpg.trace.pen": 0.4,
    "mpg.trace.unfold": 0.35,
    "mpg.trace.flight": 0.5,
    "mpg.trace": 1.2,
    "mpg.plain": 0.5,
    "mpg.current": 1,
    "mpg.locks": 1,
    "mpg.seconds": 0,
    "mpg.arguments": 0,
    "mpg.sched": 1.5,
    "mpg.debug": 2,
    "mpg.chan": 2,
    "mpg.selectgo": 2,
    "mpg.sync": 2,
    "mpg.timer": 2,
    "mpg.work": 2,
    "mpg.goroutine": 2,
    "mpg.context": 2,
    "mpg.group": 2,
    "mpg.net": 3,
    "mpg.host": 4,
    "mpg.sim": 4,
    "mpg.explorer": 4,
    "mpg.run": 5,
    "mpg.demo": 5.5,
    "mpg.servers": 5.5,
    "mpg.cli": 6,
    "mpg.__main__": 6,
    "mpg": 6,
}

# Beside the other modules of its layer: (the highest layer it may import, the lowest that may import it).
BESIDE: dict[str, tuple[float, float]] = {
    "mpg.debug": (1.5, 4),
}

# What the pure part must not import, and who may: the worlds, the current M, and the way in.
WORLDLY = {"threading", "_thread", "time", "greenlet", "select", "selectors", "random"}
IMPURE = {
    "mpg.host",
    "mpg.sim",
    "mpg.explorer",
    "mpg.current",
    "mpg.plain",
    "mpg.cli",
    "mpg.__main__",
    "mpg.run",
}
# The functions of module random share one hidden state; a seeded generator that somebody owns is harmless.
HARMLESS = {"random.Random"}
# Modules with their own short list of users.
RESTRICTED: dict[str, set[str]] = {
    "socket": {"mpg.net", "mpg.host"},
    "_socket": {"mpg.net", "mpg.host"},
}
# What nothing in the package imports.
FORBIDDEN = {"matplotlib", "scheduler_viz"}

LONGEST = 400


@dataclass(frozen=True)
class Import:
    """One imported name; `target` is as precise as the text: "random.Random", "mpg.sched.proc.ready"."""

    line: int
    target: str
    type_only: bool


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """All imports of a module, relative ones resolved."""

    def visit(node: ast.AST, type_only: bool) -> Iterator[Import]:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(node.lineno, alias.name, type_only)
            case ast.ImportFrom(module=origin, names=names, level=level):
                if level:
                    parts = module.split(".")
                    base = parts[: len(parts) - level + is_package]
                    origin = ".".join([*base, *([origin] if origin else [])])
                for alias in names:
                    yield Import(node.lineno, f"{origin}.{alias.name}", type_only)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield Import(node.lineno, name, type_only)
            case ast.If(
                test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"),
                body=body,
                orelse=orelse,
            ):
                for child in body:
                    yield from visit(child, True)
                for child in orelse:
                    yield from visit(child, type_only)
                return
        for child in ast.iter_child_nodes(node):
            yield from visit(child, type_only)

    return visit(ast.parse(source), False)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_within_any(name: str, packages: set[str]) -> bool:
    return any(is_within(name, package) for package in packages)


def row(target: str, table: dict[str, float]) -> str | None:
    """The table's longest name that `target` is, or lies within."""
    return max((name for name in table if is_within(target, name)), key=len, default=None)


def home(module: str, table: dict[str, float]) -> str | None:
    """The table's row for a module; the package's own row is for its `__init__` alone, not for strangers."""
    name = row(module, table)
    return None if name == "mpg" != module else name


def direction_faults(module: str, found: Iterator[Import], modules: set[str]) -> list[str]:
    own = home(module, LAYERS)
    if own is None:
        return [f"{module} has no layer: give it a line in LAYERS"]
    reach = BESIDE[own][0] if own in BESIDE else LAYERS[own]
    faults = []
    for one in found:
        if one.type_only or not is_within(one.target, "mpg"):
            continue
        # `from mpg import chan` is the module if there is one, else a name of the package.
        target = max((name for name in modules if is_within(one.target, name)), key=len, default="mpg")
        other = home(target, LAYERS)
        if other is None or other == own:
            continue
        height = BESIDE[other][1] if other in BESIDE else LAYERS[other]
        if height > reach:
            faults.append(f"{module}:{one.line} imports {one.target}: {own} may not see {other}")
    return faults


def purity_faults(module: str, found: Iterator[Import]) -> list[str]:
    faults = []
    for one in found:
        top = one.target.partition(".")[0]
        if top in FORBIDDEN:
            faults.append(f"{module}:{one.line} imports {top}: nothing in mpg may")
        elif top in RESTRICTED and not is_within_any(module, RESTRICTED[top]):
            faults.append(f"{module}:{one.line} imports {top}: only {sorted(RESTRICTED[top])} may")
        elif top in WORLDLY and one.target not in HARMLESS and not is_within_any(module, IMPURE):
            faults.append(f"{module}:{one.line} imports {one.target}: go through the port")
    return faults


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(module: str) -> Iterator[Import]:
    path = SOURCES[module]
    return imports(path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py")


def test_there_is_something_to_check():
    assert {"mpg", "mpg.errors", "mpg.status"} <= SOURCES.keys()


def test_imports_point_downwards():
    faults = [fault for name in SOURCES for fault in direction_faults(name, imports_of(name), set(SOURCES))]
    assert not faults, "\n".join(faults)


def test_only_worlds_touch_the_world():
    faults = [fault for name in SOURCES for fault in purity_faults(name, imports_of(name))]
    assert not faults, "\n".join(faults)


def test_files_are_short():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_each_folder_is_a_package():
    assert [str(path) for path in SOURCES.values() if not (path.parent / "__init__.py").exists()] == []


# Runs in a fresh interpreter: the state of the process before and after `import mpg`.
IMPORT_MPG = """
import faulthandler, json, signal, sys, threading, warnings

def state():
    return {
        "threads": [len(threading.enumerate()), len(sys._current_frames())],
        "signals": [repr(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "wakeup fd": signal.set_wakeup_fd(-1),
        "faulthandler": faulthandler.is_enabled(),
        "switch interval": sys.getswitchinterval(),
        "recursion limit": sys.getrecursionlimit(),
        "stack size": threading.stack_size(),
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "tracing": [repr(hook) for hook in (sys.gettrace(), sys.getprofile())],
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
    }

before = state()
import mpg
after = state()
changed = {key: [before[key], after[key]] for key in before if before[key] != after[key]}
print(json.dumps({"changed": changed, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, object]:
    """What importing mpg did to a fresh interpreter."""
    command = [sys.executable, "-P", "-c", IMPORT_MPG]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", ["numpy", "matplotlib", "scheduler_viz"])
def test_import_does_not_load(imported, module):
    assert "mpg" in imported["modules"]
    assert [name for name in imported["modules"] if is_within(name, module)] == []


def test_import_changes_nothing(imported):
    assert imported["changed"] == {}


# The checks themselves, shown planted faults and what only looks like one.

WRONG_DIRECTION = [
    ("mpg.errors", "import mpg.status as s, mpg.chan"),
    ("mpg.status", "from mpg.trace import recorder"),
    ("mpg.trace.recorder", "from mpg.sched import runq"),
    ("mpg.current", "from mpg.sched.structs import M"),
    ("mpg.sched.proc", "from ..chan import Chan"),
    ("mpg.sched.proc", "def f():\n    from mpg import net"),
    ("mpg.sched.proc", "from mpg import debug"),
    ("mpg.chan", "from mpg import run"),
    ("mpg.chan", "from mpg import go"),
    ("mpg.chan", "from . import go"),
    ("mpg.chan", "import mpg"),
    ("mpg.chan", "from importlib import import_module\nimport_module('mpg.net.conn')"),
    ("mpg.chan", "from mpg.debug import dump"),
    ("mpg.net.conn", "import mpg.debug.dump"),
    ("mpg.net.conn", "import mpg.host.port"),
    ("mpg.debug.dump", "from mpg.chan import Chan"),
    ("mpg.host.port", "from mpg.run import run"),
    ("mpg.run", "from mpg.cli import main"),
    ("mpg.stranger", ""),
]
RIGHT_DIRECTION = [
    ("mpg.errors", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mpg.run import run"),
    ("mpg.errors", "import typing\nif typing.TYPE_CHECKING:\n    from mpg.run import run"),
    ("mpg.trace.recorder", "from .events import GoStart\nfrom . import events"),
    ("mpg.sched.proc", "from mpg.sched import runq\nfrom mpg import current"),
    ("mpg.sched.proc", "from mpg.trace.recorder import Recorder"),
    ("mpg.chan", "from mpg.selectgo import select\nfrom .sched import proc"),
    ("mpg.debug.dump", "from mpg.debug import stats\nfrom mpg.sched.g import G"),
    ("mpg.host.port", "from mpg.debug import dump\nfrom ..net import conn"),
    ("mpg.cli", "import mpg\nfrom mpg import run, go"),
    ("mpg", "from mpg.cli import main\nfrom .chan import Chan"),
]
WRONG_PURITY = [
    ("mpg.sched.proc", "import time"),
    ("mpg.sched.proc", "import os, threading"),
    ("mpg.sched.proc", "def f():\n    from _thread import allocate_lock"),
    ("mpg.sched.proc", "import random"),
    ("mpg.sched.proc", "from random import randrange, Random"),
    ("mpg.sched.proc", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import greenlet"),
    ("mpg.chan", "import selectors"),
    ("mpg", "import select as s"),
    ("mpg.net.conn", "import socket, time"),
    ("mpg.sim.port", "import socket"),
    ("mpg.cli", "import scheduler_viz.gantt"),
    ("mpg.debug.page", "from matplotlib import pyplot"),
]
RIGHT_PURITY = [
    ("mpg.sched.proc", "import logging\nfrom random import Random"),
    ("mpg.sched.proc", "from .time import now\nfrom mpg import select"),
    ("mpg.net.conn", "import socket\nfrom logging import getLogger"),
    ("mpg.host.port", "import socket, time, threading, select, selectors, greenlet, random"),
    ("mpg.current", "import threading, _thread"),
    ("mpg.run", "import time"),
]
# Modules that these examples suppose to exist.
KNOWN = {
    *LAYERS,
    "mpg.trace.recorder",
    "mpg.sched.proc",
    "mpg.sched.runq",
    "mpg.sched.g",
    "mpg.sched.structs",
    "mpg.net.conn",
}


@pytest.mark.parametrize(("module", "source"), WRONG_DIRECTION)
def test_wrong_arrow_is_found(module, source):
    assert len(direction_faults(module, imports(source, module), KNOWN)) == 1


@pytest.mark.parametrize(("module", "source"), RIGHT_DIRECTION)
def test_right_arrow_is_not(module, source):
    assert direction_faults(module, imports(source, module, is_package=module == "mpg"), KNOWN) == []


@pytest.mark.parametrize(("module", "source"), WRONG_PURITY)
def test_impure_import_is_found(module, source):
    assert len(purity_faults(module, imports(source, module))) == 1


@pytest.mark.parametrize(("module", "source"), RIGHT_PURITY)
def test_pure_import_is_not(module, source):
    assert purity_faults(module, imports(source, module)) == []
