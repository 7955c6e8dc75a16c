"""`mpg demo`: both worlds in a few seconds, with nothing but the package.

Rules:

* A program forks and joins on four P's in virtual time; then a TCP server and its clients run on real threads. Both
  are recorded, their summaries are printed, and both timelines go into one page for a browser.
* The server listens on 127.0.0.1, on a port that the system chooses, and closes when the last client has its answers.
* Replies are compared with requests: a demo that shows garbage fails.
* The page is an HTML file that needs no other and no network. It frames one page for each trace, so that each has its
  own zoom, search and keys.

Rejected: opening a browser, which a machine without a screen would not thank us for; a page for each trace, as two
files are one too many to say where they are.
"""

from __future__ import annotations

import argparse
import html
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from . import net
from .chan import Chan
from .goroutine import go
from .net import Conn, Listener, Server
from .run import run
from .sched.syscall import to_thread
from .sim import simulate
from .sim.workloads import fork_join
from .sync import WaitGroup
from .trace import Recorder
from .work import stall, work

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["add_demo", "demo"]

PAGE: Final = "mpg-demo.html"
PROCS: Final = 4
CLIENTS: Final = 8
REQUESTS: Final = 100  #: of each client
REPORT: Final = 0.02  #: seconds for which one request blocks a thread

FRAME: Final = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mpg demo</title>
<style>body {{ font: 15px sans-serif; margin: 1.5em; }} h2 {{ margin: 1em 0 .2em; }} p {{ margin: 0 0 .6em; }}</style>
{parts}
</html>
"""


class Part(NamedTuple):
    """One of the two programs: what it is, and what happened."""

    title: str
    words: str
    trace: Trace


def add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `demo` to the subcommands of the command line."""
    parser = commands.add_parser(
        "demo",
        help="both worlds in a few seconds, and their timelines as one web page",
        description="Run a fork-join in virtual time and a TCP server with its clients on threads, and write "
        f"both timelines to {PAGE} in the current directory.",
    )
    parser.set_defaults(run=demo)


def demo(args: argparse.Namespace) -> int:
    """`mpg demo`: 0, or 1 if the page cannot be written."""
    parts = []
    for make in (simulated, real):
        part = make()
        parts.append(part)
        print(f"== {part.title}: {part.words}\n\n{part.trace.summary()}", flush=True)
    path = Path(PAGE).resolve()
    try:
        path.write_text(page(parts), encoding="utf-8")
    except OSError as exc:
        print(f"mpg demo: cannot write {path}: {exc.strerror or exc}", file=sys.stderr)
        return 1
    print(f"timelines of both, for a browser: {path}")
    return 0


def page(parts: list[Part]) -> str:
    """One page with a frame for each trace."""
    text = "\n".join(
        f"<h2>{html.escape(part.title)}</h2>\n<p>{html.escape(part.words)}</p>\n{part.trace._repr_html_()}"
        for part in parts
    )
    return FRAME.format(parts=text)


# -- the two programs


def simulated() -> Part:
    """A fork-join in the simulator."""
    result = simulate(fork_join, procs=PROCS, seed=1)
    words = f"a tree of {result.value} G's forks and joins on {PROCS} P's, as Go would run it; no thread is started"
    return Part("virtual time", words, result.trace)


def real() -> Part:
    """A server and its clients on threads.

    Raises:
        RuntimeError: a reply is not what was sent.
    """
    recorder = Recorder()
    answered = run(talk, procs=PROCS, trace=recorder)
    words = f"a TCP server answers {answered} requests of {CLIENTS} clients; one that blocks is moved to a spare thread"
    return Part("real threads", words, recorder.trace)


def talk() -> int:
    """Serve on a port of our own until all clients are done; returns the number of replies."""
    listener = net.listen("127.0.0.1:0")
    server = Server(listener, handle, drain=1.0)
    served = go(server.serve)
    answers: Chan[int] = Chan(CLIENTS)
    group = WaitGroup()
    for number in range(CLIENTS):
        group.go(client, number, listener, answers)
    group.wait()
    server.close()
    served.join()
    return sum(answers.recv() for _ in range(CLIENTS))


def handle(conn: Conn) -> None:
    """Send everything back in capitals; a request to report blocks a thread for a while, a spare one."""
    while data := conn.recv():
        if data == b"report":
            to_thread(stall, REPORT)
        else:
            work(2e-5)
        conn.sendall(data.upper())


def client(number: int, listener: Listener, answers: Chan[int]) -> None:
    """Ask and wait for the answer, a number of times; the first client asks for a report early on."""
    with net.dial(listener.addr) as conn:
        for i in range(REQUESTS):
            request = b"report" if number == 0 and i == REQUESTS // 10 else b"client %d asks %d" % (number, i)
            conn.sendall(request)
            reply = b""
            while len(reply) < len(request):
                data = conn.recv()
                if not data:
                    break
                reply += data
            if reply != request.upper():
                raise RuntimeError(f"{request!r} was answered with {reply!r}")
    answers.send(REQUESTS)
