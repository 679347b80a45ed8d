"""What a sample of rows shows of one column: the ground on which a schema is inferred.

A few bad cells do not hide what a column is: it is what four in five of its cells are, and the others will be rejected
with their line when they are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .times import parse_time

__all__ = ["Facts", "facts_of"]

_MAGNITUDES = (("s", 1e8, 4.2e9), ("ms", 1e11, 4.2e12), ("us", 1e14, 4.2e15), ("ns", 1e17, 4.2e18))


_MOST = 0.8


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the sample shows of one column; cells that are null, or unlike most others, do not count."""

    name: str
    place: int
    cells: list[Any]
    present: int
    """Cells that are not null."""
    distinct: int
    numeric: bool
    whole: bool
    textual: bool
    iso: bool
    grows: bool
    counts: bool
    """Whether each cell is one more than the cell before."""

    @property
    def low(self) -> str:
        """The name in lower case."""
        return self.name.strip().lower()

    @property
    def words(self) -> frozenset[str]:
        """The words of the name: ``eventTime`` and ``event_time`` are event and time."""
        split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", self.name)
        return frozenset(re.split(r"[^a-z0-9]+", split.lower()))

    @property
    def unit(self) -> str | None:
        """Unit of an epoch time by its size, for years 1973 to 2103."""
        sizes = [abs(float(cell)) for cell in self.cells] if self.numeric else []
        return next(
            (u for u, low, high in _MAGNITUDES if _most(sizes, lambda x: low <= x <= high)),  # noqa: B023
            None,
        )


def facts_of(name: str, place: int, column: list[Any]) -> Facts:
    """Return what the cells of a column show."""
    given = [cell for cell in column if cell is not None and cell == cell]
    numbers = _most(given, lambda cell: isinstance(cell, (int, float)) and not isinstance(cell, bool))
    moments = _most(given, lambda cell: isinstance(cell, str) and _is_iso(cell))
    cells = numbers or moments or given
    numeric = bool(numbers)
    textual = bool(cells) and all(isinstance(cell, str) for cell in cells)
    return Facts(
        name=name,
        place=place,
        cells=cells,
        present=len(given),
        distinct=len({str(cell) for cell in cells}),
        numeric=numeric,
        whole=numeric and all(isinstance(cell, int) for cell in cells),
        textual=textual,
        iso=bool(moments),
        grows=numeric and all(a <= b for a, b in pairwise(cells)),
        counts=numeric and all(b - a == 1 for a, b in pairwise(cells)),
    )


def _most(given: list[Any], fits: Callable[[Any], bool]) -> list[Any]:
    """Return the cells that fit when they are most of those given, else none."""
    fitting = [cell for cell in given if fits(cell)]
    return fitting if fitting and len(fitting) >= _MOST * len(given) else []


def _is_iso(text: str) -> bool:
    try:
        parse_time(text.strip(), "iso")
    except ValueError:
        return False
    return True
