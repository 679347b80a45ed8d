"""What a sample of rows shows of one column: the ground on which a schema is inferred."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .times import parse_time

__all__ = ["Facts", "facts_of"]

_MAGNITUDES = (("s", 1e8, 4.2e9), ("ms", 1e11, 4.2e12), ("us", 1e14, 4.2e15), ("ns", 1e17, 4.2e18))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the sample shows of one column; cells that are null do not count."""

    name: str
    place: int
    cells: list[Any]
    present: int
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
        sizes = sorted(abs(float(cell)) for cell in self.cells) if self.numeric else []
        if not sizes:
            return None
        return next((unit for unit, low, high in _MAGNITUDES if low <= sizes[0] and sizes[-1] <= high), None)


def facts_of(name: str, place: int, column: list[Any]) -> Facts:
    """Return what the cells of a column show."""
    cells = [cell for cell in column if cell is not None and cell == cell]
    numeric = bool(cells) and all(
        isinstance(cell, (int, float)) and not isinstance(cell, bool) for cell in cells
    )
    textual = bool(cells) and all(isinstance(cell, str) for cell in cells)
    return Facts(
        name=name,
        place=place,
        cells=cells,
        present=len(cells),
        distinct=len({str(cell) for cell in cells}),
        numeric=numeric,
        whole=numeric and all(isinstance(cell, int) for cell in cells),
        textual=textual,
        iso=textual and all(_is_iso(cell) for cell in cells),
        grows=numeric and all(a <= b for a, b in pairwise(cells)),
        counts=numeric and all(b - a == 1 for a, b in pairwise(cells)),
    )


def _is_iso(text: str) -> bool:
    try:
        parse_time(text.strip(), "iso")
    except ValueError:
        return False
    return True
