"""Run the detector's kernel as plain Python and print what it says: a check of the compiler and of every index.

Started as a program with ``NUMBA_DISABLE_JIT=1``: ``python -m tests.detectors.interpreted streams.npz answers.npz``.
Compiled code computes in single precision what is made of single numbers alone, and never checks an index; here each
record hands out Python's own numbers, or singles that behave so, and an index beyond an array is an error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

COMPARED = (
    "seq", "n", "p_value", "expected", "lower", "upper", "kind", "severity", "episode", "notice", "late",
    "changed_at", "before", "after", "resolves", "why",
)  # fmt: skip


class Single(float):
    """A single-precision number: with its like it makes another, with anything else a double."""


def rounding(name: str) -> Any:
    """An operation of Single; a double holds the exact product or sum of singles well enough to be rounded once."""
    exact = getattr(float, name)

    def operation(self: Single, other: Any) -> Any:
        result = exact(self, other)
        return Single(np.float32(result)) if isinstance(other, Single) else result

    return operation


for _name in ("add", "sub", "mul", "truediv"):
    for _form in (f"__{_name}__", f"__r{_name}__"):
        setattr(Single, _form, rounding(_form))


class Plain:
    """An array, or one record of it, whose numbers are Python's."""

    def __init__(self, data: Any) -> None:
        object.__setattr__(self, "data", data)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index < 0:
            raise IndexError(index)
        return plain(self.data[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.data[index] = value

    def __getattr__(self, name: str) -> Any:
        if self.data.dtype.names and name in self.data.dtype.names:
            return plain(self.data[name])
        return getattr(self.data, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.data[name] = value


def plain(data: Any) -> Any:
    """Scalars as Python's numbers, anything else wrapped."""
    if isinstance(data, np.float32):
        return Single(data)
    if isinstance(data, np.generic) and not isinstance(data, np.void):
        return data.item()
    return Plain(data)


class Absent(Plain):
    """An array of no rows: compiled code forms the address of its first record, and never follows it."""

    def __getitem__(self, index: Any) -> Any:
        return None


def wrapped(argument: Any) -> Any:
    """Arrays of records wrapped, anything else as it is."""
    if not isinstance(argument, np.ndarray) or not argument.dtype.names:
        return argument
    return Plain(argument) if len(argument) else Absent(argument)


def interpreted(run: Any) -> Any:
    """The kernel with its arrays of records wrapped."""
    return lambda *arguments: run(*map(wrapped, arguments))


def without_machine_code() -> Any:
    """The detector, its machine operations said in Python before the kernel takes them."""
    from marigram.numerics import bits

    bits.bits_of = lambda x: int(np.float64(x).view(np.int64))
    bits.float_of = lambda code: float(np.int64(code).view(np.float64))
    bits.prefetch = lambda array, offset: None
    from marigram.detectors import batch, default

    batch.run = interpreted(batch.run)
    return default.Detector


def main(streams: Path, out: Path) -> None:
    """Answer every stream of a file into another."""
    detector = without_machine_code()
    given = np.load(streams)
    found = {}
    with np.errstate(all="ignore"):
        for name in sorted(n for n in given.files if not n.endswith(".times")):
            times = given[f"{name}.times"] if f"{name}.times" in given.files else None
            table = detector().update_many(given[name], times)
            found |= {f"{name}.{column}": np.asarray(table[column]) for column in COMPARED}
    np.savez(out, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
