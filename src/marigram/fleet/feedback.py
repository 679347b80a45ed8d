"""A person's word on a verdict: which verdicts can be spoken of, and what the word changed.

The fleet remembers the last flagged verdicts (``anomaly``, ``undecided``, ``drift``) in a ring of bounded size.  A
label says what became of one: ``true`` confirms it and changes nothing; ``false`` (nothing was wrong) and
``expected`` (something was, and it was planned) let the detector learn the event as normal.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.kinds import Kind

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Label: TypeAlias = Literal["true", "false", "expected"]

LABELS: tuple[Label, ...] = ("true", "false", "expected")
MOST_ROWS = 1 << 16
MOST_BYTES = 1 << 25
_FIRST = 64
_BAND = ("expected", "lower", "upper")


class Effect(msgspec.Struct, frozen=True):
    """What a label changed.

    Attributes
    ----------
    key, seq, kind, label
        The verdict, and what was said of it.
    before, after
        The key's threshold, in scales of its noise, before and after; equal when nothing was learned.
    """

    key: str | int
    seq: int
    kind: Kind
    label: Label
    before: float
    after: float

    def __str__(self) -> str:
        what = f"{self.kind.label} #{self.seq} of {self.key} is {self.label}"
        if self.before == self.after:
            return f"{what}: noted, the threshold stays at {self.before:.3g} scales"
        return f"{what}: threshold {self.before:.3g} -> {self.after:.3g} scales"


class Flagged:
    """The last flagged verdicts of a fleet, oldest overwritten first: at most 65,536 or 32 MB.

    Parameters
    ----------
    d
        Number of coordinates of a value.
    """

    def __init__(self, d: int) -> None:
        wide = [(name, "f8", (d,)) for name in ("value", *_BAND)]
        plain = [("number", "i8"), ("seq", "i8"), ("p_value", "f8"), ("severity", "f8")]
        self._dtype = np.dtype([*plain, *wide, ("kind", "u1"), ("label", "u1"), ("pad", "u1", (6,))])
        self._most = min(MOST_ROWS, max(1, MOST_BYTES // self._dtype.itemsize))
        self._rows = np.zeros(0, self._dtype)
        self._noted = 0

    def __len__(self) -> int:
        return min(self._noted, self._most)

    def note(self, numbers: Ints, values: Array, columns: dict[str, Any]) -> None:
        """Remember the flagged rows of one batch: key numbers (n,), values (n, d), the kernel's columns."""
        kind = columns["kind"]
        rows = np.flatnonzero((kind >= Kind.ANOMALY) & (kind <= Kind.UNDECIDED))[-self._most :]
        if not len(rows):
            return
        fresh = np.zeros(len(rows), self._dtype)
        fresh["number"], fresh["value"] = numbers[rows], values[rows]
        for name in ("seq", "p_value", "severity", "kind"):
            fresh[name] = columns[name][rows]
        for name in _BAND:
            fresh[name] = columns[name][rows].reshape(len(rows), -1)
        self._append(fresh)

    def find(self, number: int, seq: int) -> Any:
        """Return the row (a view) of a key's verdict, or None when it is not remembered."""
        held = self._rows[: self._noted]
        found = np.flatnonzero((held["number"] == number) & (held["seq"] == seq))
        return held[found[-1]] if len(found) else None

    def rows(self) -> Array:
        """Return all rows, oldest first."""
        at = self._noted % self._most if self._noted > self._most else 0
        held = self._rows[: len(self)]
        return np.concatenate([held[at:], held[:at]])

    def take(self, rows: Array) -> None:
        """Remember what :meth:`rows` of another ring gave."""
        if rows.dtype != self._dtype:
            raise SnapshotError("the flagged verdicts have another layout than this version's")
        self._append(rows)

    def _append(self, fresh: Array) -> None:
        end = min(self._noted + len(fresh), self._most)
        if end > len(self._rows):
            longer = np.zeros(min(self._most, max(end, 2 * len(self._rows), _FIRST)), self._dtype)
            longer[: len(self._rows)] = self._rows
            self._rows = longer
        self._rows[(self._noted + np.arange(len(fresh))) % self._most] = fresh
        self._noted += len(fresh)


def label_code(label: str) -> int:
    """Return the code (from 1) under which a label is kept; ``ParameterError`` for an unknown one."""
    if label not in LABELS:
        raise ParameterError(f"a label is one of {', '.join(LABELS)}, not {label!r}")
    return LABELS.index(label) + 1


__all__ = ["LABELS", "Effect", "Flagged", "Label", "label_code"]
