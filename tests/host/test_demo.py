"""`mpg demo`, and the traces that `mpg serve` leaves, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from examples.processes import LIMIT, ROOT, Peer, Program, wait_refused

from mpg import trace


def demo(where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mpg", "demo"],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


# -- mpg demo


def test_demo_shows_both_worlds(tmp_path):
    done = demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    page = tmp_path / "mpg-demo.html"
    assert done.stdout.endswith(f"\ntimelines of both, for a browser: {page}\n")
    assert os.listdir(tmp_path) == [page.name]
    simulated, real = re.findall(r"(?s)== .+?\n\n(.+?)\n(?=== |timelines)", done.stdout)
    assert "world=sim-moving" in simulated
    assert "GoCreate 127, " in simulated  # a binary tree of height 6
    assert "world=host" in real
    assert "answers 800 requests of 8 clients" in done.stdout
    assert "IO wait" in real
    assert re.search(r"GoSyscallBegin 1\b", real)


def test_demo_page_holds_both_traces(tmp_path):
    assert demo(tmp_path).returncode == 0
    text = (tmp_path / "mpg-demo.html").read_text("utf-8")
    frames = [unescape(found) for found in re.findall(r'srcdoc="([^"]+)"', text)]
    headers = [json.loads(found) for frame in frames for found in re.findall(r"(\{\"columns\".*?\})<", frame)]
    assert [header["metadata"]["world"] for header in headers] == ["sim-moving", "host"]
    assert all(header["events"] > 500 for header in headers)
    assert re.findall(r"(?:src|href)\s*=", text) == []  # nothing is fetched


def test_demo_where_nothing_can_be_written(tmp_path):
    (tmp_path / "mpg-demo.html").mkdir()
    done = demo(tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"mpg demo: cannot write {tmp_path / 'mpg-demo.html'}: Is a directory\n"


# -- mpg serve --trace


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ([Program.terminate], 0),
        ([Program.interrupt], 130),
        ([Program.terminate, Program.terminate], 143),
    ],
    ids=["SIGTERM", "Ctrl-C", "SIGTERM twice"],
)
def test_served_trace_is_saved(tmp_path, ways: list[Callable[[Program], None]], expected):
    file = tmp_path / "served.npz"
    args = ("-m", "mpg", "serve", "echo", "--addr", "127.0.0.1:0", "--trace", file, "--drain", 60)
    with Program(*args, warnings="error,ignore::ResourceWarning") as program:
        port = program.port()
        with Peer(port) as peer:
            assert peer.ask("hello") == "hello"
            if len(ways) == 1:
                peer.sock.shutdown(2)
                assert peer.at_end()
            for i, end in enumerate(ways):
                if i:
                    wait_refused(port)
                end(program)
            status, out, err = program.finish()
    assert (status, out, err) == (expected, "", "")
    saved = trace.load(file)
    assert saved.metadata["world"] == "host"
    names = saved.names
    assert names.count("GoCreate") >= 3  # main, the announcement, the connection
    assert "NetpollReady" in names


def test_trace_that_cannot_be_saved(tmp_path):
    """That is said before anybody is served."""
    file = tmp_path / "nowhere" / "served.npz"
    with Program("-m", "mpg", "serve", "echo", "--addr", "127.0.0.1:0", "--trace", file) as program:
        assert program.finish() == (1, "", f"mpg serve: cannot save {file}: No such file or directory\n")


@pytest.mark.parametrize("before", [None, b"", b"another trace"], ids=repr)
def test_trace_of_nothing(tmp_path, before):
    """Where nobody can listen, the file stays what it was."""
    file = tmp_path / "served.npz"
    if before is not None:
        file.write_bytes(before)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addr = f"127.0.0.1:{taken.getsockname()[1]}"
        with Program("-m", "mpg", "serve", "echo", "--addr", addr, "--trace", file) as program:
            assert program.finish() == (
                1,
                "",
                f"mpg serve: cannot listen on {addr}: Address already in use\n",
            )
    assert (file.read_bytes() if file.exists() else None) == before
