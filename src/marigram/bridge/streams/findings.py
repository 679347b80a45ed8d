"""What a verdict says in words: the purpose of an action, whom it is about, what was unusual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.bridge.streams.codes import Codebook
from marigram.bridge.streams.settings import Stream, camel, purpose_of
from marigram.events.entities import EntitySchema

__all__ = ["Findings"]

Array = NDArray[Any]


class Findings:
    """Puts names to what the streams of a schema found; each distinct thing is put into words once."""

    def __init__(self, schema: EntitySchema, design: Sequence[Stream]) -> None:
        self._schema = schema
        self._design = design
        self._purposes: list[tuple[str, float]] = []
        self._words: dict[tuple[str, int, bool], str] = {}

    def weights(self, actions: Codebook, codes: Array) -> Array:
        """How many times the evidence of each row counts."""
        self._purposes += [purpose_of(self._schema, name) for name in actions.names[len(self._purposes) :]]
        weights: Array = np.array([weight for _, weight in self._purposes] + [1.0])[codes]
        return weights

    def texts(
        self,
        plain: pa.Table,
        books: Mapping[str, Codebook],
        codes: Mapping[str, Array],
        part: Array,
        seen: Array,
    ) -> dict[str, Array]:
        """Return the columns of texts; ``part``: the strongest stream of a row, ``seen``: whether it knew the value."""
        schema, n = self._schema, plain.num_rows
        entity, kind = np.empty(n, object), np.empty(n, object)
        for j in np.unique(part).tolist():
            rows, column = np.flatnonzero(part == j), self._design[j].entity
            entity[rows] = objects([*books[column].names, None])[codes[column][rows]]
            kind[rows] = schema.entities.get(column, column)
        acted = np.where(codes[schema.acted] < 0, len(self._purposes), codes[schema.acted])
        names = [name for name, _ in self._purposes] + ["Behavior"]
        kinds = {name: place for place, name in enumerate(dict.fromkeys(names))}
        purpose = np.array([kinds[name] for name in names])[acted]
        distinct, which = np.unique((purpose * len(self._design) + part) * 2 + seen, return_inverse=True)
        told = [
            self._finding((list(kinds)[k // 2 // len(self._design)], k // 2 % len(self._design), bool(k % 2)))
            for k in distinct.tolist()
        ]
        ids = plain[schema.id].cast(pa.string()).to_pylist() if schema.id else [None] * n
        return {
            "id": objects(ids),
            "entity": entity,
            "entity_type": kind,
            "what": objects([finding.rpartition("/")[2] for finding in told])[which],
            "finding": objects(told)[which],
            "actor": objects([*books[schema.acting].names, None])[codes[schema.acting]],
            "action": objects([*books[schema.acted].names, None])[codes[schema.acted]],
        }

    def _finding(self, key: tuple[str, int, bool]) -> str:
        if key not in self._words:
            purpose, j, seen = key
            stream = self._design[j]
            entity = camel(self._schema.entities.get(stream.entity, stream.entity))
            self._words[key] = f"{purpose}:{entity}/{stream.what(seen)}"
        return self._words[key]


def objects(cells: Sequence[object]) -> Array:
    """An array of objects, also of none."""
    array = np.empty(len(cells), object)
    array[:] = cells
    return array
