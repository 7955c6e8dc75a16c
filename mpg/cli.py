"""The command `mpg`.

Rules:

* stdout carries what a script may want to read: `listening on HOST:PORT`, once the server accepts and SIGTERM will
  drain it; the tables and figures of `mpg sim`. Everything else goes to stderr.
* Exit status: 0 done or drained; 1 it cannot be done, such as an address that cannot be listened on (one line says
  why); 2 wrong usage; 130 Ctrl-C, without a traceback; 143 a second SIGTERM.
* A subcommand is a function that adds its parser and names the function that runs it with the parsed arguments.
  Those of `mpg sim` are in `mpg/sim/cli.py`, that of `mpg demo` is in `mpg/demo.py`.
"""

from __future__ import annotations

import argparse
import logging
import math
import signal
import sys
from collections.abc import Callable, Sequence

import mpg
from mpg.demo import add_demo
from mpg.net import Listener, Server
from mpg.net.addr import text_of
from mpg.servers import SERVICES
from mpg.sim.cli import add_sim, one_procs
from mpg.trace import Recorder

__all__ = ["main"]

INTERRUPTED = 128 + signal.SIGINT

TRY = """\
four commands to try:
  mpg demo                            both worlds in a few seconds, and their timelines as a web page
  mpg serve chat                      then, in two other terminals: nc 127.0.0.1 7777
  mpg serve http-hello --trace t.npz  then: curl -i http://127.0.0.1:7777/; Ctrl-C saves what happened
  mpg sim fork_join --procs 1,2,4,8   a program in virtual time, on more and more P's
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, on the main thread; returns the exit status.

    Raises:
        SystemExit: after --help, --version, wrong usage or a second SIGTERM.
    """
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return 0
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        status = INTERRUPTED
    return status


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="mpg",
        description="Go's M-P-G scheduler for Python.",
        epilog=TRY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mpg {mpg.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    add_demo(commands)
    add_serve(commands)
    add_sim(commands)
    return parser


# -- mpg serve


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="run a TCP server: echo, chat or http-hello",
        description="Run a TCP server until Ctrl-C. SIGTERM drains it, a second SIGTERM ends it at once.",
    )
    parser.add_argument("service", choices=list(SERVICES), help="what to serve")
    parser.add_argument(
        "--addr",
        default="127.0.0.1:7777",
        metavar="HOST:PORT",
        help="where to listen: port 0 picks a free one, IPv6 is [::1]:7777 (default: %(default)s)",
    )
    parser.add_argument(
        "--procs",
        type=one_procs,
        metavar="N",
        help="the number of P's (default: GOMAXPROCS, else the CPUs)",
    )
    parser.add_argument(
        "--schedtrace",
        type=positive_int,
        metavar="MS",
        help="print Go's SCHED line to stderr every MS milliseconds",
    )
    parser.add_argument(
        "--drain",
        type=seconds,
        default=5.0,
        metavar="S",
        help="seconds that connections have to end after SIGTERM (default: %(default)g)",
    )
    parser.add_argument("--max-conns", type=positive_int, metavar="N", help="serve no more than N at once")
    parser.add_argument(
        "--trace",
        metavar="FILE.npz",
        help="save what has happened, however it ends; the newest if it is too much",
    )
    parser.set_defaults(run=serve)


def serve(args: argparse.Namespace) -> int:
    """`mpg serve`: 0 once drained, 1 if there is nothing to listen on, or the trace cannot be saved."""
    try:
        listener = mpg.net.listen(args.addr)
    except (OSError, ValueError) as exc:
        reason = str(exc.strerror if isinstance(exc, OSError) else exc)
        if not reason.startswith("cannot listen on"):  # as `listen` itself says
            reason = f"cannot listen on {args.addr}: {reason}"
        print(f"mpg serve: {reason}", file=sys.stderr)
        return 1
    recorder = None
    if args.trace is not None:
        try:
            open(args.trace, "ab").close()  # once we listen, and not when there is something to lose
        except OSError as exc:
            listener.close()
            return not_saved(args.trace, exc)
        recorder = Recorder()
    every = None if args.schedtrace is None else args.schedtrace / 1000
    make = SERVICES[args.service]
    status = 0
    try:
        with listener:
            mpg.run(
                *(serving, listener, make, args.max_conns, args.drain),
                procs=args.procs,
                schedtrace=every,
                trace=recorder,
            )
    finally:
        if recorder is not None:
            status = save(recorder, args.trace)
    return status


def save(recorder: Recorder, path: str) -> int:
    """Save what was recorded: 0, or 1 and a line that says why not."""
    try:
        recorder.trace.save(path)
    except OSError as exc:
        return not_saved(path, exc)
    return 0


def not_saved(path: str, exc: OSError) -> int:
    print(f"mpg serve: cannot save {path}: {exc.strerror or exc}", file=sys.stderr)
    return 1


def serving(listener: Listener, make: Callable[..., Server], max_conns: int | None, drain: float) -> None:
    """The run's main: serve until drained."""
    server = make(listener, max_conns=max_conns, drain=drain)
    mpg.go(announce, listener)
    server.serve()


def announce(listener: Listener) -> None:
    """Say where we listen, once SIGTERM drains: a script may send it as soon as it has read the line."""
    while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        mpg.gosched()
    print(f"listening on {text_of(listener.addr)}", flush=True)


# -- types of arguments


def positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive")
    return number


def seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return number
