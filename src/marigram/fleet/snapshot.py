"""A fleet in one file: parameters, keys in the order of their numbers, and each key's records.

Keys on the shelf are written like those in memory, so the file is complete by itself and its content does not
depend on a cap.  Records are written and read stretch by stretch: neither way needs the state twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram import snapshots
from marigram.detectors.parameters import Parameters
from marigram.errors import SnapshotError
from marigram.fleet import records
from marigram.fleet.feedback import Flagged
from marigram.fleet.keys import KeyIndex
from marigram.fleet.residents import Residents

Array: TypeAlias = NDArray[Any]

KIND = "fleet"
VERSION = 1


class Meta(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fleet's snapshot says beside its arrays; ``note`` is the caller's own."""

    version: int
    parameters: Parameters
    keys: str
    count: int
    d: int
    seasonal: bool
    memory: int | None
    threads: int
    note: Any = None


def write(
    path: str | os.PathLike[str],
    meta: Meta,
    index: KeyIndex,
    residents: Residents | None,
    flagged: Flagged | None,
) -> None:
    """Write a fleet's file, all or nothing."""
    arrays: dict[str, Any] = index.arrays()
    if residents is not None and flagged is not None:
        form = residents.form
        arrays["records"] = snapshots.Pieces(form, (len(index),), _record_parts(residents, len(index), form))
        arrays["pool"] = residents.table.pool
        arrays["flagged"] = flagged.rows()
    snapshots.save(path, KIND, msgspec.to_builtins(meta), arrays)


def read(path: str | os.PathLike[str]) -> tuple[Meta, Mapping[str, Array]]:
    """Return what a fleet's file says, its arrays as views of the file."""
    plain, arrays = snapshots.load(path, KIND, mapped=True)
    if plain.get("version") != VERSION:
        raise SnapshotError(
            f"{path} holds a fleet of version {plain.get('version')}, this marigram reads {VERSION}"
        )
    try:
        return msgspec.convert(plain, Meta), arrays
    except msgspec.ValidationError as error:
        raise SnapshotError(f"{path} holds no fleet of this version: {error}") from error


def fill(
    path: str | os.PathLike[str],
    meta: Meta,
    arrays: Mapping[str, Array],
    index: KeyIndex,
    residents: Residents,
    flagged: Flagged,
) -> None:
    """Fill an empty index, table and ring of flagged verdicts from what :func:`read` gave."""
    try:
        found = arrays["records"]
        if found.dtype != residents.form or found.shape != (meta.count,):
            raise SnapshotError(f"{path} was written by a version whose state has another layout")
        numbers = index.number(index.column_of(arrays))
        if not np.array_equal(numbers, np.arange(meta.count)):
            raise SnapshotError(f"{path} does not name each of its {meta.count} keys once")
        step = records.step(residents.form)
        for start in range(0, meta.count, step):
            part = np.ascontiguousarray(found[start : start + step])
            residents.adopt(numbers[start : start + step], part.view(np.uint64).reshape(len(part), -1))
        residents.table.pool[:] = arrays["pool"]
        flagged.take(arrays["flagged"])
    except KeyError as error:
        raise SnapshotError(f"{path} holds no array {error}") from error


def _record_parts(residents: Residents, count: int, form: np.dtype[Any]) -> Iterator[Array]:
    step = records.step(form)
    for start in range(0, count, step):
        yield residents.fields_of(np.arange(start, min(count, start + step)))


__all__ = ["VERSION", "Meta", "fill", "read", "write"]
