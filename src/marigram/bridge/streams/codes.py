"""Names as small whole numbers, in the order of their first appearance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["Codebook", "packed", "unpacked"]


class Codebook:
    """The codes of one column's names; a missing name is -1.

    Attributes
    ----------
    names
        Name of each code.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = list(names)
        self._codes = {name: code for code, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def code(self, column: pa.Array) -> NDArray[np.int64]:
        """Return the codes of a column of texts; new names get the next ones."""
        encoded = column.dictionary_encode()
        known = np.array([self._code(name) for name in encoded.dictionary.to_pylist()] + [-1], np.int64)
        codes: NDArray[np.int64] = known[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
        return codes

    def of(self, code: int) -> str | None:
        """Return the name of a code, None for -1."""
        return self.names[code] if code >= 0 else None

    def _code(self, name: str) -> int:
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code


def packed(names: Iterable[str]) -> dict[str, NDArray[np.uint8] | NDArray[np.int64]]:
    """Return names as arrays: their UTF-8 bytes, and where each ends."""
    raw = [name.encode("utf-8", "surrogatepass") for name in names]
    return {
        "bytes": np.frombuffer(b"".join(raw), np.uint8),
        "ends": np.cumsum([len(name) for name in raw], dtype=np.int64),
    }


def unpacked(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[str]:
    """Return the names that :func:`packed` made arrays of."""
    raw, starts = data.tobytes(), [0, *ends[:-1].tolist()]
    pairs = zip(starts, ends.tolist(), strict=True) if len(ends) else ()
    return [raw[a:b].decode("utf-8", "surrogatepass") for a, b in pairs]
