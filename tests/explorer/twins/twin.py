"""What a broken twin is."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Twin"]


class Twin(NamedTuple):
    """`old` in `file` becomes `new`; the model `model` must fail."""

    name: str
    model: str
    file: str
    old: str
    new: str
