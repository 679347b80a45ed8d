"""What a source hands out: columns of events, what was rejected, and where to resume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from .keys import KeyNames

__all__ = ["Batch", "Offset", "Reject"]


class Reject(msgspec.Struct, frozen=True):
    """A line that cannot be used."""

    file: str
    line: int
    """Number of the line, or of the row of a Parquet or Arrow file, from 1; 0 when the file as a whole is at fault."""
    reason: str
    raw: bytes = b""
    """The line, at most its first 4,096 bytes."""

    def to_json(self) -> bytes:
        """Return one JSON object and a newline; bytes that are no UTF-8 are written with a backslash."""
        fields = {
            "file": self.file,
            "line": self.line,
            "reason": self.reason,
            "raw": self.raw.decode(errors="backslashreplace"),
        }
        return msgspec.json.encode(fields) + b"\n"

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


class Offset(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place between two lines of a source; as plain JSON values it is what a batch carries."""

    file: int = 0
    """Index of the file among those read."""
    path: str = ""
    position: int = 0
    """Bytes of (unpacked) text, or rows, that were read of it."""
    line: int = 1
    """Number of the line, or row, that comes next."""
    head: int = 0
    """Checksum of the first bytes, by which the file is known again."""
    lines: int = 0
    rejects: int = 0
    blank: int = 0
    """Counts since the beginning of the source."""
    ahead: dict[str, int] | None = None
    """With a reorder buffer: what of the following lines was released already."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Events in order, as columns; ``len(batch)`` of them, perhaps none.

    ``rows + rejects == lines`` holds for the sums over all batches: blank lines and headers are not counted.
    """

    values: NDArray[np.float64]
    """(n,) numbers, or (n, d) when events have d > 1 coordinates; NaN where missing."""
    times: NDArray[np.int64] | None
    """(n,) nanoseconds since 1970 UTC; None when the schema names no time."""
    key_codes: NDArray[np.int64] | None
    """(n,) key of each row as its index in ``key_names``; None when the schema names no key."""
    key_names: KeyNames
    """The keys seen so far; the same object in every batch until it holds too many and a new one begins."""
    ids: NDArray[Any] | None
    """(n,) the events' own ids, texts or None; None when the schema names no id."""
    rejects: list[Reject]
    """The lines among those of this batch that cannot be used, in order."""
    lines: int
    """Lines read since the beginning of the source, those before a resumption included."""
    offset: dict[str, Any]
    """Where to resume when this batch is dealt with; JSON values, for ``open_source(start=...)``."""
    notices: list[str] = field(default_factory=list)
    """What people should know: a file was rotated, a column is absent."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def keys(self) -> NDArray[Any] | None:
        """(n,) keys as an object array of str; made when asked for."""
        return None if self.key_codes is None else self.key_names.take(self.key_codes)
