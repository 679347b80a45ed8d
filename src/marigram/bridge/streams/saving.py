"""Files of the streams' state: what kind, in which layout, and refused in words where they cannot be read."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from numpy.typing import NDArray

from marigram import snapshots
from marigram.errors import InputError, SnapshotError

__all__ = ["LAYOUT", "load_state", "save_state"]

Array = NDArray[Any]
T = TypeVar("T")
LAYOUT: Final = 2
"""Of the arrays; it grows whenever a state of before would be read wrongly."""


def save_state(
    path: str | os.PathLike[str], kind: str, meta: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Write a state to one checksummed file; never pickle."""
    snapshots.save(path, kind, {"layout": LAYOUT, **meta}, arrays)


def load_state(
    path: str | os.PathLike[str], kind: str, made: Callable[[dict[str, Any], dict[str, Array]], T]
) -> T:
    """Return what ``made`` makes of a state.

    Raises
    ------
    SnapshotError
        The file is damaged or cut short, of another kind or layout, or does not hold what it should.
    """
    meta, arrays = snapshots.load(path, kind)
    layout = meta.get("layout", 1)
    if layout != LAYOUT:
        raise SnapshotError(
            f"{os.fspath(path)} holds {kind} in layout {layout}, and this version reads layout {LAYOUT}: "
            "begin with a new file, or read it with the version that wrote it"
        )
    try:
        return made(meta, arrays)
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        tomllib.TOMLDecodeError,
        msgspec.MsgspecError,
    ) as error:
        raise SnapshotError(f"{os.fspath(path)} holds no state that this version reads: {error}") from error
    except InputError as error:
        raise SnapshotError(f"{os.fspath(path)} holds no state that this version reads: {error}") from error
