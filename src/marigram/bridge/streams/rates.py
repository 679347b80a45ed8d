"""The rates of entities, and of pairs of them: how often each acts, against its own drifting history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.kernels.rates import HISTORY, score_entities
from marigram.bridge.streams.outliers import calibrated
from marigram.bridge.streams.settings import Settings, Stream
from marigram.bridge.streams.tables import STRETCH, OpenTable, grown, histories, stretches

__all__ = ["Rates"]

Array = NDArray[Any]


class Rates:
    """Histories of entities by their codes, and of pairs in a table with a cap.

    Attributes
    ----------
    pairs
        The table.
    """

    def __init__(self, settings: Settings, design: Sequence[Stream]) -> None:
        self._settings, self._design = settings, design
        self._histories = {s.value: np.zeros(64, HISTORY) for s in design if s.kind == "rate"}
        self.pairs = OpenTable(history=(HISTORY, ()))

    def update(self, codes: Mapping[str, Array], times: Array, seen: int, columns: dict[str, Array]) -> None:
        """Score and count rows, ``seen`` of them before; fills the columns of these streams."""
        for j, stream in enumerate(self._design):
            if stream.kind == "rate":
                found = self._single(stream.value, codes[stream.value], times)
            elif stream.kind == "pair":
                found = self._pair(codes[stream.value], codes[stream.context], times, seen)
            else:
                continue
            columns["surprise"][:, j] = calibrated(found[0])
            columns["observed"][:, j], columns["expected"][:, j] = found[1:]

    def _single(self, column: str, codes: Array, times: Array) -> list[Array]:
        """Evidence, count and what was expected of the entity of each row."""
        history = self._histories[column] = grown(self._histories[column], int(codes.max(initial=-1)) + 1)
        out = [np.zeros(len(times)) for _ in range(3)]
        score_entities(codes, times // self._settings.tick, self._step, history, *out)
        return out

    def _pair(self, actors: Array, targets: Array, times: Array, seen: int) -> list[Array]:
        """The same of the pair of entities of each row that has both."""
        out = [np.zeros(len(times)) for _ in range(3)]
        for part, begins in stretches(seen, len(times), STRETCH):
            if begins:
                self.pairs.forget(self._settings.most_pairs, self.pairs["history"]["tick"])
            self.pairs.room(len(times[part]))
            both = np.flatnonzero((actors[part] >= 0) & (targets[part] >= 0))
            places = np.full(len(times[part]), -1)
            places[both] = self.pairs.places(actors[part][both] << 31 | targets[part][both])
            ticks = times[part] // self._settings.tick
            score_entities(places, ticks, self._step, self.pairs["history"], *(o[part] for o in out))
        return out

    @property
    def _step(self) -> float:
        return float(np.log(2)) * self._settings.tick / self._settings.half_life

    def arrays(self) -> dict[str, Array]:
        """Return the state by name."""
        kept = {f"history.{name}": history for name, history in self._histories.items()}
        return kept | self.pairs.arrays("edges")

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Take up what :meth:`arrays` gave."""
        self._histories = {name: histories(arrays[f"history.{name}"]) for name in self._histories}
        self.pairs.put("edges", arrays)
