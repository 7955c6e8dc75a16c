#!/usr/bin/env python3
"""Run the tests on every Python of this machine, with nothing installed beforehand.

    python3 tests/all.py                   the tests on each Python found, then lint, types and layers
    python3 tests/all.py -e stress         one environment of tox.ini; every argument goes on to `tox run`
    python3 tests/all.py -e py312 -- -k x  what follows -- goes on to pytest
    python3 tests/all.py --totals          add up the reports in .tox/junit

tox finds the Pythons on PATH, but of pyenv's only the active one. So this script asks every candidate on
PATH and below pyenv's root what it is, keeps the newest CPython for each environment of tox.ini (py311, py312
and so on), and shows them to tox, which it installs into .venv-tox first. It needs the standard library only,
of Python 3.7 or later.
"""

import configparser
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-tox"
REPORTS = ROOT / ".tox" / "junit"
TOX = "tox>=4.30,<5"

# What a candidate must print to be kept: a pyenv shim of an inactive version, a broken build, another
# implementation print something else, or nothing.
PROBE = """
import importlib.util, json, sys, sysconfig
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": list(sys.version_info[:3]),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "ensurepip": importlib.util.find_spec("ensurepip") is not None,
    "path": getattr(sys, "_base_executable", None) or sys.executable,
}))
"""


def candidates():
    """Paths of whatever may be a Python: this one, those on PATH, those of pyenv."""
    yield Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = [Path(folder) for folder in os.get_exec_path()] + sorted(pyenv.glob("versions/*/bin"))
    for folder in folders:
        try:
            names = sorted(os.listdir(str(folder)))
        except OSError:
            continue
        for name in names:
            if re.match(r"python(3(\.\d+t?)?)?$", name):
                yield folder / name


def probe(path):
    """What the interpreter at `path` says about itself; None unless it runs and is a CPython that will do."""
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )
        found = json.loads(answer.stdout.decode())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return found if found["implementation"] == "cpython" else None


def interpreters():
    """The newest interpreter for each environment, of equals the first met: {"py312": what it said}."""
    tox_ini = configparser.ConfigParser(interpolation=None)
    tox_ini.read(str(ROOT / "tox.ini"))
    environments = re.findall(r"\w+", tox_ini["tox"]["env_list"])
    found = {}
    for path in dict.fromkeys(os.path.realpath(str(path)) for path in candidates()):
        answer = probe(path)
        if answer is not None:
            major, minor, _ = answer["version"]
            name = f"py{major}{minor}{'t' if answer['free_threaded'] else ''}"
            if name in environments and answer["version"] > found.get(name, {"version": []})["version"]:
                found[name] = answer
    return dict(sorted(found.items(), key=lambda item: (item[1]["version"], item[1]["free_threaded"])))


def tox_python(found):
    """The Python of a virtual environment with tox in it."""
    python = VENV / "bin" / "python"
    works = [str(python), "-c", "import tox"]
    if not python.exists() or subprocess.run(works, stderr=subprocess.DEVNULL).returncode != 0:
        able = [one for one in found.values() if one["ensurepip"]]
        if not able:
            sys.exit("none of these Pythons has ensurepip (Debian: install python3-venv)")
        # Environments without a version in their name run on tox's own Python: let that be the one running.
        able.sort(key=lambda one: one["version"] != list(sys.version_info[:3]))
        subprocess.run([able[0]["path"], "-m", "venv", "--clear", str(VENV)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", TOX]
        subprocess.run(install, check=True)
    return python


def reports(since):
    """The reports written after `since`: {"py312": path}."""
    return {path.stem: path for path in sorted(REPORTS.glob("*.xml")) if path.stat().st_mtime >= since}


def totals(since=0.0):
    """pytest's closing line over all these reports."""
    counts = dict.fromkeys(("passed", "failed", "errors", "skipped"), 0)
    seconds = 0.0
    for path in reports(since).values():
        for suite in ElementTree.parse(str(path)).getroot().iter("testsuite"):
            tests, failed, errors, skipped = (
                int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
            )
            counts["passed"] += tests - failed - errors - skipped
            counts["failed"] += failed
            counts["errors"] += errors
            counts["skipped"] += skipped
            seconds += float(suite.get("time", 0))
    said = [f"{number} {word}" for word, number in counts.items() if number or word == "passed"]
    return f"== {', '.join(said)} in {seconds:.0f}s =="


def main(arguments):
    """Run tox; exit status 0 only if it was content and left no Python out."""
    if arguments == ["--totals"]:
        print(totals())
        return 0
    found = interpreters()
    if not found:
        sys.exit("no CPython that tox.ini has an environment for, neither on PATH nor in pyenv")
    for name, one in found.items():
        version = ".".join(map(str, one["version"]))
        print(f"{name:8}{version:8}{one['path']}", flush=True)
    start = time.time()
    tox = [str(tox_python(found)), "-m", "tox", "run", "--discover", *(one["path"] for one in found.values())]
    status = subprocess.run([*tox, *arguments], cwd=str(ROOT)).returncode
    ran = reports(start)
    if status:
        print(f"tox failed with exit status {status}; the tests that got so far as to report:")
    if ran or status:
        print(totals(start))
    # tox says nothing of a Python that it was shown and did not take.
    left_out = [name for name in found if name not in ran] if not arguments and status == 0 else []
    if left_out:
        print(f"not tested, though found: {', '.join(left_out)}")
    return status or int(bool(left_out))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
