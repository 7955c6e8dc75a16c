"""Every file of examples/ runs, each in a process of its own, and does what its docstring says."""

from __future__ import annotations

import ast
import re
import signal

import pytest
from examples.processes import ROOT, Peer, Program

EXAMPLES = ROOT / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))
LINE_SERVERS = ["accept_loop.py", "epoll_by_hand.py"]


def output(name: str, *args: object) -> list[str]:
    """The lines that an example prints which ends by itself, without a word on stderr."""
    with Program(EXAMPLES / name, *args) as program:
        status, out, err = program.finish()
    assert (status, err) == (0, "")
    return out.splitlines()


def test_hello_server():
    lines = output("hello_server.py")
    assert sorted(lines) == [f"the server sent back: hello from {name}" for name in ("Ann", "Bob", "Eve")]


def test_producer_consumer():
    meeting, queue, both = output("producer_consumer.py")
    assert meeting == "unbuffered: 0 1 2 3 4"
    match = re.fullmatch(
        r"100 slots: the sum of 1000 items is 499500; at most (\d+) waited \(produce\)", queue
    )
    assert match
    assert int(match[1]) <= 100
    assert both == "select: words ['one', 'two', 'three'] numbers [1, 2, 3]"


def test_done_channel():
    assert output("done_channel.py") == ["counted: 0 1 2 3 4 5", "G's: 3", "G's after done: 1"]


def test_wait_group(tmp_path):
    for text in ("one", "two"):
        (tmp_path / f"{text}.py").write_text(text)
    assert output("wait_group.py", tmp_path) == ["7692c3ad3540bb80 one.py", "3fc4ccfe745870e2 two.py"]


@pytest.mark.parametrize("name", LINE_SERVERS)
def test_line_server(name):
    with Program(EXAMPLES / name) as program:
        port = program.port()
        with Peer(port) as first, Peer(port) as second:
            assert first.line() == second.line() == "a line, please"
            assert first.ask("hello") == "HELLO"
            second.sock.sendall(b"in two ")
            assert first.ask("between") == "BETWEEN"
            assert second.ask("parts") == "IN TWO PARTS"
            first.send("one", "two", "quit", "three")
            assert [first.line() for _ in range(3)] == ["ONE", "TWO", "goodbye"]
            assert first.at_end()
            assert second.ask("still there?") == "STILL THERE?"
            second.sock.sendall(b"x" * 2000)
            assert second.at_end()
        with Peer(port) as third:
            assert third.line() == "a line, please"
            program.terminate()
            status, out, err = program.finish()
            assert third.at_end()
    assert (status, out, err) == (-signal.SIGTERM, "", "")


@pytest.mark.parametrize("name", LINE_SERVERS)
def test_line_server_with_a_client_that_does_not_read(name):
    """Its answers fill every buffer on the way; the others are served as before."""
    with Program(EXAMPLES / name) as program:
        port = program.port()
        with Peer(port) as deaf, Peer(port) as other:
            assert other.line() == "a line, please"
            deaf.sock.setblocking(False)
            full = False
            for _ in range(2500):  # 50 MB are more than any buffer
                try:
                    deaf.sock.send(b"all work and no play\n" * 1000)
                except BlockingIOError:
                    full = True
                    break
                assert other.ask("hello") == "HELLO"
            assert full
            assert other.ask("hello") == "HELLO"
        program.terminate()
        assert program.finish()[0] == -signal.SIGTERM


def test_chat_server():
    with Program(EXAMPLES / "chat_server.py") as program:
        port = program.port()
        with Peer(port) as ann, Peer(port) as bob:
            for peer, nick in ((ann, "Ann"), (bob, "Bob")):
                assert peer.line() == "* your nick?"
                assert peer.ask(nick).startswith(f"* hello {nick}")
            assert ann.line() == "* Bob has joined"
            bob.send("hello")
            assert ann.line() == "Bob: hello"
            program.terminate()
            assert ann.line() == bob.line() == "* the server is closing, goodbye"
            status, out, err = program.finish()
    assert (status, out, err) == (0, "2 came, at most 2 at once\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_has_docstring_and_main(name):
    tree = ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))
    assert f"python examples/{name}" in (ast.get_docstring(tree) or "")
    assert "main" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_readme_lists_every_file():
    listed = re.findall(
        r"^\| \[`(\w+\.py)`\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(listed) == NAMES
