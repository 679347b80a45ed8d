"""A fleet in one file: parameters, keys in the order of their numbers, and each key's records.

Keys on the shelf are written like those in memory, so the file is complete by itself and its content does not
depend on a cap.  Records are written and read stretch by stretch: neither way needs the state twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

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


class Saved(NamedTuple):
    """A fleet's file, opened: what it says, its arrays as views of the file, and how to let read pages go."""

    path: str
    meta: Meta
    arrays: Mapping[str, Array]
    let_go: Callable[[], None]


def read(path: str | os.PathLike[str]) -> Saved:
    """Open a fleet's file; ``SnapshotError`` when it is damaged, no fleet, or of another version."""
    plain, arrays, let_go = snapshots.load_mapped(path, KIND)
    if plain.get("version") != VERSION:
        raise SnapshotError(
            f"{path} holds a fleet of version {plain.get('version')}, this marigram reads {VERSION}"
        )
    try:
        return Saved(str(path), msgspec.convert(plain, Meta), arrays, let_go)
    except msgspec.ValidationError as error:
        raise SnapshotError(f"{path} holds no fleet of this version: {error}") from error


def fill(saved: Saved, index: KeyIndex, residents: Residents, flagged: Flagged) -> None:
    """Fill an empty index, table and ring of flagged verdicts from a file."""
    path, meta, arrays, let_go = saved
    try:
        found = arrays["records"]
        if found.dtype != residents.form or found.shape != (meta.count,):
            raise SnapshotError(f"{path} was written by a version whose state has another layout")
        numbers = index.number(index.column_of(arrays))
        if not np.array_equal(numbers, np.arange(meta.count)):
            raise SnapshotError(f"{path} does not name each of its {meta.count} keys once")
        words = found.view(np.uint64).reshape(meta.count, found.dtype.itemsize // 8)
        step = records.step(residents.form)
        for start in range(0, meta.count, step):
            residents.adopt(numbers[start : start + step], words[start : start + step])
            let_go()
        residents.table.pool[:] = arrays["pool"]
        flagged.take(arrays["flagged"])
    except KeyError as error:
        raise SnapshotError(f"{path} holds no array {error}") from error


def _record_parts(residents: Residents, count: int, form: np.dtype[Any]) -> Iterator[Array]:
    step = records.step(form)
    for start in range(0, count, step):
        yield residents.fields_of(np.arange(start, min(count, start + step)))


__all__ = ["VERSION", "Meta", "Saved", "fill", "read", "write"]
