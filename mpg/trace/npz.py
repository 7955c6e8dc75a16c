"""A trace as a file: a compressed .npz of its columns and a header in JSON.

Each column is in the smallest integer type that holds it, times are differences: a million events take 5 to 8 MB.

Rejected: pickle (a trace is handed around, and unpickling runs code), parquet (a dependency).
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .events import COLUMNS, InvalidTrace

__all__ = ["read", "write"]

Ints = npt.NDArray[np.int64]
FORMAT: Final = "mpg trace"
VERSION: Final = 1


def read(path: str | PathLike[str]) -> tuple[list[npt.NDArray[Any]], list[str], dict[str, Any]]:
    """The columns, strings and metadata. InvalidTrace: it is damaged, something else, or of an unknown version."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise InvalidTrace(-1, "", f"{path}: not a trace of mpg (no .npz file)")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as data:
                head = header(bytes(data["header"]), path)
                columns = [data[name] for name in COLUMNS]
        except InvalidTrace:
            raise
        except KeyError as exc:
            raise InvalidTrace(-1, "", f"{path}: not a trace of mpg ({exc.args[0]})") from exc
        except (
            zipfile.BadZipFile,
            zlib.error,
            ValueError,
            EOFError,
            OSError,
            NotImplementedError,
        ) as exc:
            raise InvalidTrace(-1, "", f"{path}: damaged or cut off ({exc})") from exc
    if any(values.shape != (head["events"],) or values.dtype.kind != "i" for values in columns):
        raise InvalidTrace(-1, "", f"{path}: damaged: its columns do not fit together")
    columns[0] = np.cumsum(columns[0], dtype=np.int64)
    return columns, head["strings"], head["metadata"]


def write(
    path: str | PathLike[str], columns: Sequence[Ints], strings: Sequence[str], metadata: Mapping[str, Any]
) -> None:
    """Write the file, by the name given."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "events": len(columns[0]),
        "strings": list(strings),
        "metadata": dict(metadata),
    }
    ts, *others = columns
    differences: Ints = np.diff(ts, prepend=0)
    arrays = {name: smallest(values) for name, values in zip(COLUMNS, (differences, *others), strict=True)}
    text = json.dumps(head, separators=(",", ":")).encode()
    with open(path, "wb") as file:
        np.savez_compressed(file, header=np.frombuffer(text, np.uint8), **arrays)  # type: ignore[arg-type]


def smallest(values: Ints) -> npt.NDArray[Any]:
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for dtype in (np.int8, np.int16, np.int32):
        info = np.iinfo(dtype)
        if info.min <= low and high <= info.max:
            return values.astype(dtype)
    return values


def header(data: bytes, path: object) -> dict[str, Any]:
    """The checked header of a file."""
    head = json.loads(data)
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InvalidTrace(-1, "", f"{path}: not a trace of mpg")
    if head.get("version") != VERSION:
        raise InvalidTrace(-1, "", f"{path}: version {head.get('version')} of the format; known: {VERSION}")
    strings, metadata = head.get("strings"), head.get("metadata")
    texts = isinstance(strings, list) and all(isinstance(text, str) for text in strings)
    if not texts or not isinstance(metadata, dict) or not isinstance(head.get("events"), int):
        raise InvalidTrace(-1, "", f"{path}: damaged: its header does not say enough")
    return head
