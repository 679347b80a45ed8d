"""From evidence to p-values and cases: which stream stands out, of whom the case is, and whether people are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.kernels.cases import BINS, decide
from marigram.bridge.streams.settings import Settings, Stream
from marigram.bridge.streams.tables import STRETCH, OpenTable, stretches
from marigram.events.entities import EntitySchema

__all__ = ["Judge"]

Array = NDArray[Any]
_NAMED = 1 << 62
_CODE = 28
"""Bits of a code."""
_COLUMNS = 1 << 5
"""Columns of entities that have cases of their own."""


class Judge:
    """Judges rows in their order; knows the scores of before, and the cases that are open."""

    def __init__(self, schema: EntitySchema, settings: Settings, design: Sequence[Stream]) -> None:
        self._schema, self._settings, self._design = schema, settings, design
        self._cases = OpenTable(last=(np.int64, ()), number=(np.int64, ()))
        self._bins, self._counts = np.zeros(BINS), np.zeros(2, np.int64)
        self._usual = np.zeros((2, len(design)))

    @property
    def seen(self) -> int:
        """Rows judged so far."""
        return int(self._counts[0])

    def strongest(self, surprise: Array) -> Array:
        """For each row the stream that is farthest above what it was on average before."""
        sums = np.cumsum(np.vstack([self._usual[:1], surprise]), axis=0)
        counts = self._usual[1] + np.arange(len(surprise) + 1)[:, None]
        usual = sums[:-1] / np.maximum(counts[:-1], 1.0)
        self._usual[0], self._usual[1] = sums[-1], counts[-1]
        above = surprise - usual
        if self._settings.combination:  # says least to a person: only where nothing else is above its average
            above[:, -1] = np.minimum(above[:, -1], 1e-9)
        places: Array = above.argmax(axis=1) if len(surprise) else np.zeros(0, np.int64)
        return places

    def judge(
        self, score: Array, part: Array, codes: Mapping[str, Array], times: Array
    ) -> tuple[Array, Array, Array]:
        """Return p-value, notice and case of each row; ``part`` is what :meth:`strongest` said, times do not fall."""
        n = len(score)
        p_value, notice, case = np.ones(n), np.zeros(n, np.bool_), np.full(n, -1)
        actors, actions = codes[self._schema.acting], codes[self._schema.acted]
        named = self._named(part, codes)
        for rows, begins in stretches(self.seen, n, STRETCH):
            if begins:
                self._cases.forget(self._settings.most_pairs, self._cases["last"])
            self._cases.room(2 * len(score[rows]))
            decide(
                score[rows], actors[rows], actions[rows], named[rows], times[rows], self._settings.alpha,
                self._settings.quiet, self._bins, self._counts, self._cases.keys, self._cases["last"],
                self._cases["number"], p_value[rows], notice[rows], case[rows],
            )  # fmt: skip
        return p_value, notice, case

    def _named(self, part: Array, codes: Mapping[str, Array]) -> Array:
        """Key of the entity that each row's finding names, with the action; -1 where it is who acts."""
        schema, named = self._schema, np.full(len(part), -1)
        for k, column in enumerate(list(schema.entities)[:_COLUMNS]):
            streams = [j for j, stream in enumerate(self._design) if stream.entity == column]
            rows = np.flatnonzero(np.isin(part, streams) & (codes[column] >= 0))
            if column != schema.acting:
                action = 0 if column == schema.acted else codes[schema.acted][rows] + 1
                named[rows] = _NAMED | k << 2 * _CODE | codes[column][rows] << _CODE | action
        return named

    def arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        return self._cases.arrays("cases") | {"bins": self._bins, "seen": self._counts, "usual": self._usual}

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Take up what :meth:`arrays` gave."""
        self._cases.put("cases", dict(arrays))
        for mine, name in ((self._bins, "bins"), (self._counts, "seen"), (self._usual, "usual")):
            mine[...] = arrays[name]
