"""What a program under exploration may say: where it is explored, where others may go on, what computes."""

from __future__ import annotations

from collections.abc import Callable

from .cells import here
from .choices import YIELD
from .port import ExplorerPort

__all__ = ["pause", "point", "thread", "window"]


class window:  # noqa: N801 - used as a statement
    """`with explorer.window():` only what happens meanwhile is explored; on every M."""

    __slots__ = ()

    def __enter__(self) -> None:
        current("window").open = True

    def __exit__(self, *exc: object) -> None:
        current("window").open = False


def point() -> None:
    """A choice point: another M may go on here. For what G's share without mpg's channels and locks."""
    port = current("point")
    if port.open:
        port.point(YIELD, True)


def pause() -> None:
    """Compute, as a G does that makes no operation, until everybody else has nothing left to do."""
    current("pause").pause()


def thread(run: Callable[[], None]) -> None:
    """Start an ordinary thread, which is no M: it may wake G's, but wait for none."""
    current("thread").thread(run)


def current(what: str) -> ExplorerPort:
    if here.port is None:
        raise RuntimeError(f"explorer.{what} has a meaning inside mpg.explore only")
    return here.port
