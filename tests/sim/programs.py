"""Workloads that other processes import."""

from __future__ import annotations

import os
import sys

import mpg


def answer(number: int = 42) -> int:
    mpg.work(1e-3)
    return number


def fails(text: str = "on purpose") -> None:
    raise RuntimeError(text + "\nwith a second line")


class Unsendable(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__("cannot be unpickled")


def fails_unsendably() -> None:
    raise Unsendable(1, 2)


def leaves() -> None:
    sys.exit(3)


def deadlocks() -> None:
    mpg.Chan[int]().recv()


def dies() -> None:
    """Takes its whole process down. Never in this one."""
    os._exit(9)
