"""Rows of the database that hold JSON: read as what they are, or refused in words that say which row it is."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from marigram.errors import SnapshotError

T = TypeVar("T")


def row_of(body: bytes, kind: type[T], what: str) -> T:
    """Return what a row holds; SnapshotError for a row that another version wrote, or nobody."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(
            f"{what} in the database was not written by this version of marigram ({error}); "
            "open it with the version that wrote it, or restore the copy of the database beside it"
        ) from error


__all__ = ["row_of"]
