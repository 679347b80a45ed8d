"""Keys as small numbers: each distinct name is stored once, and a row carries its code.

Making a Python string for every row costs more than parsing the row.  A block's keys are therefore looked up where
their bytes lie, and the names become strings only when somebody asks for them, usually once per key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from ._interning import intern, join, refill

__all__ = ["SEPARATOR", "KeyNames", "joined"]

SEPARATOR: Final = "|"
"""Between the parts of a key of several columns; a part's own ``|`` and backslash get a backslash before them."""
_FIRST_SLOTS: Final = 1 << 12
_FIRST_BYTES: Final = 1 << 16


def joined(parts: Sequence[str]) -> str:
    r"""Return the key of several columns as one text, such that different parts give different keys.

    >>> print(joined(["web-1", "cpu"]), joined(["a|b", "c"]), joined(["a", "b|c"]))
    web-1|cpu a\|b|c a|b\|c
    """
    if len(parts) == 1:
        return parts[0]
    return SEPARATOR.join(part.replace("\\", "\\\\").replace(SEPARATOR, "\\" + SEPARATOR) for part in parts)


class KeyNames(Sequence[str]):
    """The distinct keys of a run in the order of their first appearance: ``names[code]`` is a key.

    It only grows.  Who maps codes to something else keeps how many names it has mapped, and looks at
    ``names[known:len(names)]`` when there are more.  About 30 bytes a name and the name itself.

    Examples
    --------
    >>> names = KeyNames()
    >>> names.codes_of(["a", "b", "a"]).tolist(), names[1], len(names)
    ([0, 1, 0], 'b', 2)
    """

    def __init__(self) -> None:
        self._small: dict[bytes, int] | None = {}
        self._names: list[bytes] = []
        self._count = 0
        self._slots = np.zeros(0, np.uint64)
        self._arena = np.zeros(0, np.uint8)
        self._ends = np.zeros(1, np.int64)
        # a hash that nobody can foresee: keys come from strangers
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self._names_of(np.arange(*index.indices(self._count)))
        code = int(index) + (self._count if index < 0 else 0)
        if not 0 <= code < self._count:
            raise IndexError(f"key {index} of {self._count}")
        return self._name(code)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names_of(np.arange(self._count)))

    def _name(self, code: int) -> str:
        if self._small is not None:
            return self._names[code].decode()
        start, end = self._ends[code : code + 2].tolist()
        return str(self._arena.data[start:end], "utf-8")

    def _names_of(self, codes: NDArray[np.int64]) -> list[str]:
        if self._small is not None:
            return [self._names[code].decode() for code in codes.tolist()]
        held = self._arena.data
        spans = zip(self._ends[codes].tolist(), self._ends[codes + 1].tolist(), strict=True)
        return [str(held[start:end], "utf-8") for start, end in spans]

    def take(self, codes: NDArray[np.int64]) -> NDArray[Any]:
        """Return (n,) strings of ``codes`` as an object array; equal codes share one string."""
        distinct, back = np.unique(codes, return_inverse=True)
        names = np.empty(len(distinct), object)
        names[:] = self._names_of(distinct)
        taken: NDArray[Any] = names[back]
        return taken

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        if self._small is not None:
            return sum(map(len, self._names)) + 200 * self._count
        return self._slots.nbytes + self._arena.nbytes + self._ends.nbytes

    def codes_of(self, texts: Iterable[str]) -> NDArray[np.int64]:
        """Return (n,) codes of the texts, new ones appended."""
        encoded = [text.encode() for text in texts]
        if self._small is None:
            spans = np.zeros((len(encoded), 2), np.int64)
            spans[:, 1] = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
            spans[1:, 0] = spans[:-1, 1]
            return self.codes_in(np.frombuffer(b"".join(encoded), np.uint8), spans)
        codes = np.empty(len(encoded), np.int64)
        for i, name in enumerate(encoded):
            code = self._small.setdefault(name, self._count)
            if code == self._count:
                self._names.append(name)
                self._count += 1
            codes[i] = code
        return codes

    def codes_in(self, text: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n,) codes of the texts at ``spans`` (n, 2) of ``text``; -1 where a span starts below 0.

        The bytes must be UTF-8.  The first call moves the names into the compiled table.
        """
        if self._small is not None:
            self._compile()
        codes = np.empty(len(spans), np.int64)
        row = 0
        while True:
            row, self._count = intern(
                text.ctypes.data,
                spans,
                row,
                self._slots,
                self._arena,
                self._ends,
                self._count,
                self._seed,
                codes,
            )
            if row == len(spans):
                return codes
            self._grow(int(spans[row, 1] - spans[row, 0]))

    def codes_of_parts(self, text: NDArray[np.uint8], spans: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (n,) codes of keys of several parts at ``spans`` (n, parts, 2); -1 where a span starts below 0."""
        if spans.shape[1] == 1:
            return self.codes_in(text, np.ascontiguousarray(spans[:, 0]))
        lengths = spans[:, :, 1] - spans[:, :, 0]
        out = np.empty(2 * int(lengths.sum()) + spans.size, np.uint8)
        return self.codes_in(out, join(text.ctypes.data, spans, ord(SEPARATOR), ord("\\"), out))

    def _compile(self) -> None:
        names, self._names, self._small, self._count = self._names, [], None, 0
        self._slots = np.zeros(_FIRST_SLOTS, np.uint64)
        self._arena = np.zeros(_FIRST_BYTES, np.uint8)
        self._ends = np.zeros(_FIRST_SLOTS // 2 + 1, np.int64)
        self.codes_of(name.decode() for name in names)

    def _grow(self, room: int) -> None:
        """Make the full part twice as large, with ``room`` for one more name."""
        used = int(self._ends[self._count])
        if used + room > len(self._arena):
            self._arena = _longer(self._arena, max(2 * len(self._arena), used + room))
        if self._count >= len(self._slots) // 2:
            self._slots = np.zeros(2 * len(self._slots), np.uint64)
            self._ends = _longer(self._ends, len(self._slots) // 2 + 1)
            refill(self._slots, self._arena, self._ends, self._count, self._seed)


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    longer = np.zeros(length, array.dtype)
    longer[: len(array)] = array
    return longer
