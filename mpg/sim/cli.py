"""`mpg sim`: workloads in virtual time, from the command line.

* `mpg sim WORKLOAD` runs one of WORKLOADS on each number of P's asked for, and prints a table. Its own options are
  the workload's arguments, read off from the function.
* `mpg sim check` compares the simulator with queueing theory (`check.py`).

Everything goes to stdout and is the same each time for the same arguments. A program that fails, or a file that cannot
be written, is one line on stderr and exit status 1; an argument that the workload refuses, one line and status 2.
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
import warnings
from math import isfinite

from ..arguments import PROCS
from ..errors import MpgError
from .check import Check, check
from .costs import COSTS
from .knobs import CHOICES
from .params import check_params
from .scenarios import Measured, Scenario, run_scenario
from .simulate import LIKE
from .workloads import WORKLOADS

__all__ = ["add_sim", "one_procs"]

HEAD = "P's      makespan  utilisation     steals   handoffs  latency p50  latency p99"


def add_sim(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sim` to the subcommands of the command line."""
    parser = commands.add_parser(
        "sim",
        help="run a workload in virtual time, or check the simulator against theory",
        description="Run a workload in virtual time, or check the simulator against queueing theory.",
    )
    kinds = parser.add_subparsers(
        dest="workload", metavar="WORKLOAD", title="workloads, and check", required=True
    )
    for name in WORKLOADS:
        add_workload(kinds, name)
    add_check(kinds)


# -- mpg sim WORKLOAD


def add_workload(kinds: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    function = WORKLOADS[name]
    text = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].replace("%", "%%")
    summary = text.split(": ")[0]
    parser = kinds.add_parser(name, help=summary[0].lower() + summary[1:], description=text)
    parser.add_argument(
        "--procs",
        type=many_procs,
        default=[4],
        metavar="N,N,...",
        help="how many P's; one run for each number (default: 4)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: %(default)s)")
    parser.add_argument("--like", choices=list(LIKE), default="go", help="which world (default: %(default)s)")
    parser.add_argument(
        "--costs", choices=list(COSTS), help="what the scheduler's steps take (default: as --like)"
    )
    parser.add_argument("--trace", metavar="FILE.npz", help="save the trace of the last run")
    own = parser.add_argument_group("what is run")
    params = inspect.signature(function).parameters
    for param in params.values():
        kind = type(param.default)
        own.add_argument(f"--{param.name}", type=kind, default=param.default, help="default: %(default)s")
    parser.set_defaults(run=run_workload, params=list(params))


def run_workload(args: argparse.Namespace) -> int:
    """`mpg sim WORKLOAD`: 0, 1 if the program fails or its trace cannot be saved, 2 if it has no such arguments."""
    params = {name: getattr(args, name) for name in args.params}
    try:
        check_params(params)
    except ValueError as exc:
        print(f"mpg sim {args.workload}: {exc}", file=sys.stderr)
        return 2
    print(HEAD)
    try:
        for procs in args.procs:
            scenario = Scenario(args.workload, params, procs, args.seed, args.like, args.costs)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                measured, result = run_scenario(scenario)
            print(row(procs, measured), flush=True)
            for warning in said:
                print(f"mpg sim: {procs} P's: {warning.message}", file=sys.stderr)
        if args.trace is not None:
            result.trace.save(args.trace)
    except (MpgError, ValueError, ArithmeticError, OSError) as exc:
        print(f"mpg sim: {type(exc).__name__}: {exc}", file=sys.stderr)
        return 1
    return 0


def row(procs: int, one: Measured) -> str:
    """A line of the table."""
    share = f"{one.utilisation:.1%}" if isfinite(one.utilisation) else "-"
    return (
        f"{procs:<5}{seconds(one.makespan):>12}{share:>13}{one.steals:>11}{one.handoffs:>11}"
        f"{seconds(one.latency_p50):>13}{seconds(one.latency_p99):>13}"
    )


def seconds(value: float) -> str:
    """A duration with a unit that keeps it short."""
    if not isfinite(value):
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value * 1e9:.0f} ns"


# -- mpg sim check


def add_check(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "Poisson arrivals at each P and exponential service, with no costs and no slices: the mean time of a job, "
        "in mean service times, beside what queueing theory says."
    )
    parser = kinds.add_parser("check", help="measure what queueing theory predicts", description=text)
    parser.add_argument("--procs", type=one_procs, default=4, metavar="N", help="how many P's (default: 4)")
    parser.add_argument(
        "--load", type=float, default=0.8, metavar="L", help="arrivals per P and unit of time (default: 0.8)"
    )
    parser.add_argument(
        "--steal", choices=CHOICES["steal"], default="half", help="how much a thief takes (default: half)"
    )
    parser.add_argument(
        "--victims",
        choices=CHOICES["victims"],
        default="scan",
        help="look at every P, as Go does, or at one (default: scan)",
    )
    parser.add_argument(
        "--retry",
        type=float,
        default=0.0,
        metavar="R",
        help="with --victims one: attempts of an idle P per unit of time (default: 0)",
    )
    parser.add_argument(
        "--horizon",
        type=float,
        default=2000.0,
        metavar="T",
        help="in mean service times; a tenth is discarded (default: 2000)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: 0)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=run_check)


def run_check(args: argparse.Namespace) -> int:
    """`mpg sim check`: 0 once measured, whatever came out; 1 if nothing can be measured."""
    try:
        found = check(
            args.procs,
            args.load,
            steal=args.steal,
            victims=args.victims,
            retry=args.retry,
            horizon=args.horizon,
            seed=args.seed,
        )
    except (MpgError, ValueError) as exc:
        print(f"mpg sim check: {exc}", file=sys.stderr)
        return 1
    print(json.dumps(found._asdict()) if args.json else page(found))
    return 0


def page(one: Check) -> str:
    """For people."""
    theory = "none" if one.theory is None else f"{one.theory:.4f}"
    lines = [
        f"jobs          {one.jobs}",
        f"mean time     {one.mean_time:.4f} +- {one.std_error:.4f}",
        f"theory        {theory}" + ("" if one.z is None else f"   z = {one.z:+.2f}"),
        f"attempts      {one.attempt_rate:.4f} per P and unit of time",
        f"successes     {one.success_rate:.4f}",
    ]
    return "\n".join(lines)


# -- types of arguments


def one_procs(text: str) -> int:
    """A number of P's."""
    number = int(text)
    if not PROCS.fits(number):
        raise argparse.ArgumentTypeError(f"{text} is not {PROCS.words}")
    return number


def many_procs(text: str) -> list[int]:
    return [one_procs(part) for part in text.split(",")]
