"""All streams of a schema together: one score, one p-value and one finding for each event."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, Self

import numpy as np
import pyarrow as pa

from marigram import snapshots
from marigram.bridge.columns import names_of, plain_table
from marigram.bridge.verdicts import EventVerdicts
from marigram.errors import ParameterError
from marigram.events.entities import EntitySchema
from marigram.graph.data.roles import encode_times

__all__ = ["EntityStreams"]

_KIND = "entity streams"


class EntityStreams:
    """Scores every event of a table against what its entities did before; never reads a label.

    Parameters
    ----------
    schema
        Which column is what.
    alpha
        Share of events, in [1e-6, 0.1], that people are told of when nothing is wrong.

    Examples
    --------
    >>> schema = EntitySchema(time="at", unit="s", entities={"user": "account"}, attributes=("call",))
    >>> streams = EntityStreams(schema)
    >>> verdicts = streams.update({"at": [0, 60, 120], "user": ["ann"] * 3, "call": ["read", "read", "drop"]})
    >>> bool(verdicts["score"][2] > verdicts["score"][1])
    True
    """

    def __init__(self, schema: EntitySchema, *, alpha: float = 1e-3) -> None:
        if not 1e-6 <= alpha <= 0.1:
            raise ParameterError(f"alpha must lie in 1e-6 .. 0.1, not {alpha}")
        self.schema = schema
        self.alpha = alpha
        others = [name for name in (*schema.entities, *schema.attributes) if name != schema.acting]
        self.streams = (schema.acting, *others)
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self._scores: list[float] = []

    def update(self, table: Any) -> EventVerdicts:
        """Score the events of a table, which come in order of time, then learn each.

        Raises
        ------
        InputError
            The table does not fit the schema.
        """
        plain = plain_table(table, self.schema)
        n, schema = plain.num_rows, self.schema
        times = self._times(plain)
        cells = {name: names_of(plain, name) for name in self.streams}
        surprise = np.zeros((n, len(self.streams)))
        p_value = np.ones(n)
        for i in range(n):
            actor = cells[schema.acting][i] or ""
            for j, name in enumerate(self.streams):
                context, value = ("" if j == 0 else actor), cells[name][i] or ""
                all_, one = self._counts[j, context, "\0"], self._counts[j, context, value]
                surprise[i, j] = -np.log((one + 0.5) / (all_ + 1.0))
                self._counts[j, context, "\0"] += 1
                self._counts[j, context, value] += 1
            score = float(surprise[i].sum())
            p_value[i] = (1 + sum(s >= score for s in self._scores[-1000:])) / (1 + len(self._scores[-1000:]))
            self._scores.append(score)
        return self._verdicts(plain, times, cells, surprise, p_value)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state: a container with a checksum, no pickle."""
        keys = [list(key) for key in self._counts]
        meta = {"schema": self.schema.to_mapping(), "alpha": self.alpha, "keys": keys}
        arrays = {"counts": np.array(list(self._counts.values()), np.int64), "scores": np.array(self._scores)}
        snapshots.save(path, _KIND, meta, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the streams whose state was saved there."""
        meta, arrays = snapshots.load(path, _KIND)
        streams = cls(EntitySchema.from_mapping(meta["schema"]), alpha=meta["alpha"])
        streams._counts.update(
            {tuple(k): int(c) for k, c in zip(meta["keys"], arrays["counts"], strict=True)}
        )
        streams._scores = arrays["scores"].tolist()
        return streams

    def _times(self, plain: pa.Table) -> np.ndarray:
        if self.schema.time is None:
            return np.arange(plain.num_rows)
        column = plain[self.schema.time].combine_chunks()
        return encode_times(column, "events", self.schema.unit)[0]

    def _verdicts(
        self, plain: pa.Table, times: Any, cells: Any, surprise: Any, p_value: Any
    ) -> EventVerdicts:
        n, schema = plain.num_rows, self.schema
        part = surprise.argmax(axis=1) if n else np.zeros(0, np.int64)
        notice = p_value <= self.alpha
        types = {**schema.entities, **{name: name for name in schema.attributes}}

        def texts(cell: Any) -> np.ndarray:
            return np.array([*(cell(i) for i in range(n)), None], object)[:-1]

        columns = {
            "score": surprise.sum(axis=1),
            "p_value": p_value,
            "notice": notice,
            "case": np.where(notice, np.arange(n), -1),
            "time": times,
            "id": texts(lambda i: plain[schema.id][i].as_py() if schema.id else None),
            "entity": texts(lambda i: cells[self.streams[part[i]]][i]),
            "entity_type": texts(lambda i: types[self.streams[part[i]]]),
            "what": texts(lambda _: "Rare"),
            "finding": texts(lambda i: f"Unusual:{types[self.streams[part[i]]].title()}/Rare"),
            "actor": texts(lambda i: cells[schema.acting][i]),
            "action": texts(lambda i: cells.get(schema.acted, [None] * n)[i]),
            "part": part,
            "surprise": surprise,
            "observed": surprise,
            "expected": np.zeros_like(surprise),
        }
        return EventVerdicts(columns, self.streams)
