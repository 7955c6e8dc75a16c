"""The command `mpg`.

Rules:

* stdout carries what a script may want to read: `listening on HOST:PORT`, once the server accepts and SIGTERM will
  drain it. Everything else goes to stderr.
* Exit status: 0 done or drained; 1 the address cannot be listened on (one line says why); 2 wrong usage (argparse);
  130 Ctrl-C, without a traceback; 143 a second SIGTERM.
* A subcommand is a function that adds its parser and names the function that runs it with the parsed arguments.
"""

from __future__ import annotations

import argparse
import logging
import math
import signal
import sys
from collections.abc import Callable, Sequence

import mpg
from mpg.net import Listener, Server
from mpg.net.conn import text_of
from mpg.servers import SERVICES

__all__ = ["main"]

INTERRUPTED = 128 + signal.SIGINT

TRY = """\
a few commands to try:
  mpg serve chat                      then, in two other terminals: nc 127.0.0.1 7777
  mpg serve echo --schedtrace 1000    the same, with Go's scheduler trace every second
  mpg serve http-hello --procs 4      then: curl -i http://127.0.0.1:7777/
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
    add_serve(commands)
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
        type=positive_int,
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
    parser.set_defaults(run=serve)


def serve(args: argparse.Namespace) -> int:
    """`mpg serve`: 0 once drained, 1 if there is nothing to listen on."""
    try:
        listener = mpg.net.listen(args.addr)
    except (OSError, ValueError) as exc:
        reason = str(exc.strerror if isinstance(exc, OSError) else exc)
        if not reason.startswith("cannot listen on"):  # as `listen` itself says
            reason = f"cannot listen on {args.addr}: {reason}"
        print(f"mpg serve: {reason}", file=sys.stderr)
        return 1
    every = None if args.schedtrace is None else args.schedtrace / 1000
    with listener:
        make = SERVICES[args.service]
        mpg.run(serving, listener, make, args.max_conns, args.drain, procs=args.procs, schedtrace=every)
    return 0


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
