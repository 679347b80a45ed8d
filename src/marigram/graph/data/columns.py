"""The attributes of nodes or edges: three blocks, so that every model finds what it can use.

Numbers are one float32 matrix in which NaN means missing. Categories are integer codes into a vocabulary, -1 where
missing: trees split on them, networks embed them. Text is hashed into a fixed number of signed counts. Nothing is
standardised here: what a model does to its input is learned from its training rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]

ONE_HOT = 32
"""Categories with at most this many values become one column a value in :meth:`Columns.matrix`."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """The attributes of ``count`` rows.

    Parameters
    ----------
    numeric
        float32 ``(count, d)``; NaN is missing, infinity is refused.
    numeric_names
        d names.
    codes
        int32 ``(count, c)``; ``codes[i, j]`` is a place in ``vocabularies[j]``, or -1 where missing.
    code_names
        c names.
    vocabularies
        For each categorical column its values as text, in the order of their codes.
    text
        float32 ``(count, t)``: hashed words of all text columns, side by side.
    text_names
        t names, ``column#bucket``.

    Raises
    ------
    InputError
        A number is infinite, a code has no value, or shapes and names disagree.
    """

    numeric: Floats
    numeric_names: tuple[str, ...] = ()
    codes: Codes
    code_names: tuple[str, ...] = ()
    vocabularies: tuple[tuple[str, ...], ...] = ()
    text: Floats
    text_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _matrix("numeric", self.numeric, np.float32, len(self.numeric_names))
        _matrix("codes", self.codes, np.int32, len(self.code_names))
        _matrix("text", self.text, np.float32, len(self.text_names))
        if not len(self.numeric) == len(self.codes) == len(self.text):
            raise InputError(0, "numbers, categories and text have different numbers of rows")
        names = self.numeric_names + self.code_names
        if len(set(names)) != len(names):
            raise InputError(0, f"two attributes share a name among {', '.join(names)}")
        if len(self.vocabularies) != len(self.code_names):
            raise InputError(0, "every categorical column needs its vocabulary")
        for j, name in enumerate(self.code_names):
            column = self.codes[:, j]
            wrong = np.flatnonzero((column < -1) | (column >= len(self.vocabularies[j])))
            if wrong.size:
                raise InputError(
                    0, f"attribute {name!r}, row {wrong[0]}: code {column[wrong[0]]} has no value"
                )

    @classmethod
    def empty(cls, count: int) -> Columns:
        """Return no attributes for ``count`` rows."""
        return cls(numeric=_none(count), codes=np.empty((count, 0), np.int32), text=_none(count))

    @classmethod
    def of_numbers(cls, matrix: Floats, names: tuple[str, ...] | None = None) -> Columns:
        """Return numeric attributes alone; without names they are called ``x0``, ``x1``, …"""
        count, d = matrix.shape
        names = default_names(d) if names is None else names
        return cls(
            numeric=matrix, numeric_names=names, codes=np.empty((count, 0), np.int32), text=_none(count)
        )

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.numeric)

    @property
    def width(self) -> int:
        """The number of columns over all blocks, a category counting once."""
        return len(self.numeric_names) + len(self.code_names) + len(self.text_names)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where a number or a category is missing: bool ``(count, d + c)``, numbers first."""
        return np.concatenate([np.isnan(self.numeric), self.codes < 0], axis=1)

    def take(self, rows: NDArray[Any]) -> Columns:
        """Return the attributes of some rows, in the order given."""
        return Columns(
            numeric=self.numeric[rows],
            numeric_names=self.numeric_names,
            codes=self.codes[rows],
            code_names=self.code_names,
            vocabularies=self.vocabularies,
            text=self.text[rows],
            text_names=self.text_names,
        )

    def without(self, *names: str) -> Columns:
        """Return the attributes but those named (a text column by its own name, without ``#bucket``)."""
        texts = tuple(name.rpartition("#")[0] for name in self.text_names)
        unknown = set(names) - {*self.numeric_names, *self.code_names, *texts}
        if unknown:
            raise InputError(0, f"no attribute is called {sorted(unknown)[0]!r}")
        numeric = [j for j, name in enumerate(self.numeric_names) if name not in names]
        codes = [j for j, name in enumerate(self.code_names) if name not in names]
        text = [j for j, name in enumerate(texts) if name not in names]
        return Columns(
            numeric=self.numeric[:, numeric],
            numeric_names=tuple(self.numeric_names[j] for j in numeric),
            codes=self.codes[:, codes],
            code_names=tuple(self.code_names[j] for j in codes),
            vocabularies=tuple(self.vocabularies[j] for j in codes),
            text=self.text[:, text],
            text_names=tuple(self.text_names[j] for j in text),
        )

    def matrix(self) -> tuple[Floats, tuple[str, ...]]:
        """Return everything as one float32 matrix ``(count, D)`` and its D names.

        Numbers come first, as they are, with NaN where missing; then text; then each category as ``name=value``
        columns of 0 and 1, or, with more than 32 values, as its code (NaN where missing).
        """
        blocks, names = [self.numeric, self.text], [*self.numeric_names, *self.text_names]
        for j, name in enumerate(self.code_names):
            column, values = self.codes[:, j], self.vocabularies[j]
            if len(values) <= ONE_HOT:
                blocks.append((column[:, None] == np.arange(len(values))).astype(np.float32))
                names += [f"{name}={value}" for value in values]
            else:
                blocks.append(np.where(column < 0, np.nan, column).astype(np.float32)[:, None])
                names.append(name)
        occupied = [block for block in blocks if block.shape[1]]
        if len(occupied) == 1:  # a memory-mapped matrix stays one
            return occupied[0], tuple(names)
        return (np.concatenate(occupied, axis=1) if occupied else _none(self.count)), tuple(names)


def default_names(count: int) -> tuple[str, ...]:
    """Return the names of numbers that have none."""
    return tuple(f"x{j}" for j in range(count))


def as_matrix(values: NDArray[Any]) -> Floats:
    """Return numbers ``(n,)``, ``(n, d)`` or of more axes as float32 ``(n, columns)``, contiguous."""
    columns = int(np.prod(values.shape[1:], dtype=np.int64))
    return np.ascontiguousarray(values.reshape(len(values), columns), np.float32)


def _none(count: int) -> Floats:
    return np.empty((count, 0), np.float32)


def _matrix(block: str, values: NDArray[Any], dtype: type, width: int) -> None:
    """Refuse what is not a finite matrix of this type and width."""
    if values.dtype != dtype or values.ndim != 2 or values.shape[1] != width:
        raise InputError(
            0,
            f"{block} must be {np.dtype(dtype).name} with {width} columns, one for each name, "
            f"not {values.dtype} of shape {values.shape}",
        )
    if dtype is np.float32 and values.size and not np.isfinite(_extremes(values)).all():
        row, column = np.argwhere(np.isinf(values))[0]
        raise InputError(0, f"{block} attribute {column}, row {row}: {values[row, column]} is not a number")


def _extremes(values: NDArray[Any]) -> NDArray[np.float32]:
    """The smallest and the largest value that is not NaN, 0 when all are, without a copy of the matrix."""
    low = np.fmin.reduce(values, axis=None, initial=np.float32(0))
    high = np.fmax.reduce(values, axis=None, initial=np.float32(0))
    return np.array([low, high])


__all__ = ["Columns", "Floats", "as_matrix", "default_names"]
