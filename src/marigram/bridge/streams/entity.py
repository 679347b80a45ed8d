"""All streams of a schema together: one score, one p-value and one finding for each event.

The evidence of the streams adds up.  Counts bring their surprise -log P; rates, numbers and combinations, which have
p-values, bring log e with e = p^(-1/2) / 2, a calibrator that makes an e-value of a p-value (Vovk and Wang, Annals of
Statistics 49, 2021), where that is above 0.  What the action is for weighs the sum, and the weighted sum is the score.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.bridge.columns import plain_table
from marigram.bridge.kernels.counts import EVERYTHING, count_rows
from marigram.bridge.streams.codes import Codebook, packed, unpacked
from marigram.bridge.streams.findings import Findings
from marigram.bridge.streams.judging import Judge
from marigram.bridge.streams.outliers import Outliers
from marigram.bridge.streams.rates import Rates
from marigram.bridge.streams.saving import load_state, save_state
from marigram.bridge.streams.settings import Settings, streams_of
from marigram.bridge.streams.tables import STRETCH, OpenTable, stretches
from marigram.bridge.verdicts import EventVerdicts
from marigram.errors import InputError
from marigram.events.entities import EntitySchema
from marigram.events.names import kind_of_name
from marigram.graph.data.roles import encode_times

__all__ = ["EntityStreams"]

Array = NDArray[Any]
_KIND = "entity streams"
NOTHING = EVERYTHING - 1
"""Code of a cell without a name: that there is none is an observation too."""


class EntityStreams:
    """Scores every event of a table against what its entities did before; never reads a label.

    Parameters
    ----------
    schema
        Which column is what.
    alpha
        Share of events, in [1e-6, 0.1], that open a case when nothing is wrong.
    settings
        Everything else; None: what is usual for times of the schema's unit.

    Raises
    ------
    ParameterError
        A setting is outside its range.

    Examples
    --------
    >>> schema = EntitySchema(time="at", unit="s", entities={"user": "account"}, attributes=("call",))
    >>> streams = EntityStreams(schema)
    >>> verdicts = streams.update({"at": [0, 60, 120], "user": ["ann"] * 3, "call": ["read", "read", "drop"]})
    >>> bool(verdicts["score"][2] > verdicts["score"][1])
    True
    """

    def __init__(
        self, schema: EntitySchema, *, alpha: float = 0.005, settings: Settings | None = None
    ) -> None:
        self.schema = schema
        self.settings = settings or Settings.usual(
            alpha, "step" if schema.time is None else schema.unit or "ns"
        )
        self.design = streams_of(schema, self.settings.combination)
        self._counts = [s for s in self.design if s.kind == "count"]
        width = len(self.settings.windows)
        self._pairs = OpenTable(n=(np.float64, (width,)), window=(np.int64, (width,)))
        self._sums = OpenTable(sums=(np.float64, (width, 5)))
        self._books = {name: Codebook() for name in (*schema.entities, *schema.attributes)}
        self._kinds = {name: Codebook() for name in schema.entities}
        self._kind_of: dict[str, Array] = {}
        self._rates = Rates(self.settings, self.design)
        self._clock = np.zeros(1, np.int64)
        self._outliers = Outliers(schema, self.settings)
        self._judge = Judge(schema, self.settings, self.design)
        self._findings = Findings(schema, self.design)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams."""
        return tuple(stream.name for stream in self.design)

    @property
    def pairs(self) -> int:
        """Values in contexts, and pairs of entities, that are remembered; at most about ``most_pairs`` of each."""
        return len(self._pairs) + len(self._rates.pairs)

    @property
    def forgotten(self) -> int:
        """Of these, how many were forgotten for others."""
        return self._pairs.forgotten + self._rates.pairs.forgotten

    def update(self, table: Any) -> EventVerdicts:
        """Score the events of a table, then learn each.

        Rows come in order of time; one that is late counts as if it came with the row before it.

        Raises
        ------
        InputError
            The table does not fit the schema.
        """
        plain = plain_table(table, self.schema)
        times = self._times(plain)
        known = len(self._books[self.schema.acting])
        codes = {name: book.code(plain[name].combine_chunks()) for name, book in self._books.items()}
        n, width = plain.num_rows, len(self.design)
        columns = {name: np.zeros((n, width)) for name in ("surprise", "observed", "expected")}
        running = np.maximum.accumulate(np.concatenate([self._clock, times]))[1:] if n else times
        self._clock[:] = running[-1:] if n else self._clock
        self._count(codes, running, columns)
        self._rates.update(codes, running, self._judge.seen, columns)
        self._outliers.update(plain, self.design, columns)
        return self._judged(plain, times, running, codes, columns, known)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole state to one checksummed file; never pickle."""
        meta = {
            "schema": self.schema.to_toml(),  # a text, as the order of its columns matters
            "settings": msgspec.to_builtins(self.settings),
        }
        save_state(path, _KIND, meta, self._arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Return the streams whose state was saved there.

        Raises
        ------
        SnapshotError
            The file is damaged or cut short, or of another kind or layout.
        """
        return load_state(path, _KIND, cls._made)

    @classmethod
    def _made(cls, meta: dict[str, Any], arrays: dict[str, Array]) -> Self:
        settings = msgspec.convert(meta["settings"], Settings)
        streams = cls(EntitySchema.from_mapping(tomllib.loads(meta["schema"])), settings=settings)
        streams._put(arrays)
        return streams

    def _times(self, plain: pa.Table) -> Array:
        if self.schema.time is None:
            return np.arange(plain.num_rows) + self._judge.seen
        times, unit = encode_times(plain[self.schema.time].combine_chunks(), "events", self.schema.unit)
        steps = self.settings.tick < 1_000_000
        if plain.num_rows and (unit == "step") != (self.schema.unit == "step") and not steps:
            raise InputError(
                0, f"the times in {self.schema.time!r} are plain numbers: say in the schema what they count"
            )
        return times

    def _count(self, codes: dict[str, Array], times: Array, columns: dict[str, Array]) -> None:
        """Let the streams of counts score and count all rows, stretch by stretch."""
        kinds = {s.value: self._kind_codes(s.value, codes[s.value]) for s in self._counts if s.by_kind}
        everything = np.full(len(times), EVERYTHING, np.int64)
        values = np.column_stack([kinds[s.value] if s.by_kind else codes[s.value] for s in self._counts])
        contexts = np.column_stack([codes[s.context] if s.context else everything for s in self._counts])
        values, contexts = np.where(values < 0, NOTHING, values), np.where(contexts < 0, NOTHING, contexts)
        windows = np.array(self.settings.windows, np.int64)
        fades = np.log(2) * windows / self.settings.half_life
        out = [np.zeros(values.shape) for _ in range(3)]
        for part, begins in stretches(self._judge.seen, len(times), STRETCH):
            more = 2 * values[part].size
            if begins:
                self._pairs.forget(self.settings.most_pairs, self._pairs["window"][:, 0])
                self._sums.forget(self.settings.most_pairs, self._sums["sums"][:, 0, 4])
            self._pairs.room(more)
            self._sums.room(more)
            count_rows(
                contexts[part], values[part], times[part], windows, fades, self._pairs.keys, self._pairs["n"],
                self._pairs["window"], self._sums.keys, self._sums["sums"], *(o[part] for o in out),
            )  # fmt: skip
        places = [j for j, s in enumerate(self.design) if s.kind == "count"]
        for name, o in zip(("surprise", "observed", "expected"), out, strict=True):
            columns[name][:, places] = o

    def _kind_codes(self, name: str, codes: Array) -> Array:
        """Codes of the kinds of names."""
        hashed, known = name in self.schema.hashed, self._kind_of.get(name, np.zeros(0, np.int64))
        new = self._books[name].names[len(known) :]
        kinds = pa.array(
            [one.rpartition("#")[0] if hashed else kind_of_name(one) for one in new], pa.string()
        )
        self._kind_of[name] = np.concatenate([known, self._kinds[name].code(kinds)])
        found: Array = np.append(self._kind_of[name], -1)[codes]
        return found

    def _judged(
        self,
        plain: pa.Table,
        times: Array,
        running: Array,
        codes: dict[str, Array],
        columns: dict[str, Array],
        known: int,
    ) -> EventVerdicts:
        """From evidence to scores, cases and findings; ``known`` actors were seen in tables before."""
        schema, surprise, n = self.schema, columns["surprise"], plain.num_rows
        weights = self._findings.weights(self._books[schema.acted], codes[schema.acted])
        actors, first = np.unique(codes[schema.acting], return_index=True)
        first = first[actors >= known]
        weights[first] = np.maximum(weights[first], 1.0)  # what an actor does first of all is not discounted
        score = weights * surprise.sum(axis=1)
        part = self._judge.strongest(surprise)
        p_value, notice, case = self._judge.judge(score, part, codes, running)
        seen = columns["observed"][np.arange(n), part] > 0
        texts = self._findings.texts(plain, self._books, codes, part, seen)
        fixed = {
            "score": score,
            "p_value": p_value,
            "notice": notice,
            "case": case,
            "time": times,
            "part": part,
        }
        return EventVerdicts({**fixed, **texts, **columns}, self.streams)

    def _arrays(self) -> dict[str, Array]:
        """Everything that is kept, by name."""
        arrays = self._pairs.arrays("pairs") | self._sums.arrays("sums")
        arrays |= {"clock": self._clock}
        for prefix, books in (("book", self._books), ("kind", self._kinds)):
            for name, book in books.items():
                arrays |= {f"{prefix}.{name}.{part}": array for part, array in packed(book.names).items()}
        return arrays | self._rates.arrays() | self._outliers.arrays() | self._judge.arrays()

    def _put(self, arrays: Mapping[str, Array]) -> None:
        """Take up what :meth:`_arrays` gave."""
        for prefix, table in (("pairs", self._pairs), ("sums", self._sums)):
            table.put(prefix, arrays)
        self._clock[...] = arrays["clock"]
        for prefix, books in (("book", self._books), ("kind", self._kinds)):
            for name in books:
                books[name] = Codebook(
                    unpacked(arrays[f"{prefix}.{name}.bytes"], arrays[f"{prefix}.{name}.ends"])
                )
        self._rates.put(arrays)
        self._outliers.put(arrays)
        self._judge.put(arrays)
