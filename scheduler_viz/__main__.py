"""`python -m scheduler_viz FIGURE FILE -o OUT.png`: one figure of a trace that was saved.

* FILE is what `Trace.save` or `mpg.simulate(trace="file.npz")` wrote. The ending of OUT says the format: png, svg, pdf.
* An option of a figure is given by name: `--option bins=400`, `--option part=fresh`. Which there are is read from the
  figure's signature, so nothing here has to be kept in step with it.
* Exit status: 0 done; 1 the trace or the figure cannot be had; 2 wrong usage, and that is also an option which the
  figure refuses, or an OUT that cannot be a picture. One line says why, after argparse's usage if it was argparse.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import os.path
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import scheduler_viz
from mpg.trace import InvalidTrace, Trace

from .arguments import BadOption

__all__ = ["main"]

FIGURES: Final = tuple(sorted(scheduler_viz.data.__all__))
OWN: Final = {"trace", "t0", "t1", "ax"}  #: parameters that every figure has


def main(argv: Sequence[str] | None = None) -> int:
    """Draw a figure; returns the exit status.

    Raises:
        SystemExit: after --help or wrong usage.
    """
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        import matplotlib as mpl
    except ImportError:
        return fail("figures need matplotlib: pip install matplotlib")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    if refused := no_picture(args.out):
        return fail(refused, 2)
    figure: Callable[..., Any] = getattr(scheduler_viz, args.figure)
    options = options_of(parser, args.figure, figure, args.option)
    try:
        trace = Trace.load(args.file)
    except InvalidTrace as exc:
        return fail(str(exc))
    except OSError as exc:
        return fail(f"{args.file}: {exc.strerror or exc}")
    try:
        drawn = figure(trace, t0=args.t0, t1=args.t1, **options)
        getattr(drawn, "figure", drawn).savefig(args.out, dpi=args.dpi)
    except BadOption as exc:
        written = exc.option if exc.option in OWN else f"option {exc.option}"
        return fail(f"--{written} {exc.words}", 2)
    except (ValueError, RuntimeError) as exc:  # events that are not recorded; .pgf without a TeX
        return fail(str(exc))
    except OSError as exc:
        return fail(f"{args.out}: {exc.strerror or exc}")
    finally:
        plt.close("all")
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scheduler_viz",
        description="Draw one figure of a trace of mpg.",
        epilog="figures: " + ", ".join(FIGURES),
    )
    parser.add_argument("figure", metavar="FIGURE", type=name_of, help="which; see below")
    parser.add_argument("file", metavar="FILE", help="a trace, as Trace.save writes it (.npz)")
    parser.add_argument("-o", "--out", metavar="OUT", required=True, help="the picture: .png, .svg, .pdf")
    parser.add_argument("--t0", type=float, metavar="S", help="begin, in seconds from the trace's start")
    parser.add_argument("--t1", type=float, metavar="S", help="end, in seconds from the trace's start")
    parser.add_argument("--dpi", type=dots, default=150, help="dots per inch (default: %(default)s)")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="one of the figure's own options"
    )
    return parser


def name_of(text: str) -> str:
    if text not in FIGURES:
        raise argparse.ArgumentTypeError(f"no figure {text!r}; there are {', '.join(FIGURES)}")
    return text


def dots(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 10 <= number <= 2400:
        raise argparse.ArgumentTypeError(f"dots per inch are a number from 10 to 2400, not {text!r}")
    return number


def no_picture(out: str) -> str:
    """Why this cannot be the name of a picture; empty if it can."""
    from matplotlib.backend_bases import FigureCanvasBase

    folder, name = os.path.split(out)
    endings = sorted(FigureCanvasBase.get_supported_filetypes())
    if os.path.isdir(out):
        return f"-o {out} is a folder"
    if os.path.splitext(name)[1].lower() not in [f".{ending}" for ending in endings]:
        return f"-o {out!r} does not end as a picture does: in .{', .'.join(endings)}"
    if folder and not os.path.isdir(folder):
        return f"-o {out}: there is no folder {folder}"
    return ""


def options_of(
    parser: argparse.ArgumentParser, name: str, figure: Callable[..., Any], given: Sequence[str]
) -> dict[str, Any]:
    """The options given, checked against the figure's parameters; a value that is no Python literal is a text."""
    known = {key: value for key, value in inspect.signature(figure).parameters.items() if key not in OWN}
    out: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in known:
            words = f"it has {', '.join(known)}" if known else "it has none"
            parser.error(f"{name} has no option {text!r} (NAME=VALUE); {words}")
        try:
            out[key] = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):  # as it documents
            out[key] = value
    for key, parameter in known.items():
        if parameter.default is parameter.empty and key not in out:
            parser.error(f"{name} needs --option {key}=...")
    return out


def fail(words: str, status: int = 1) -> int:
    print(f"scheduler_viz: {words}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
