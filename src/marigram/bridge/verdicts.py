"""What the streams of entities say of each event: how unusual it is, in which part, and whether people are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self, overload

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.wording import moment, number, odds, printable

__all__ = ["EventVerdict", "EventVerdicts", "Part"]

Array = NDArray[Any]

COLUMNS: Mapping[str, Any] = {
    "score": np.float64, "p_value": np.float64, "notice": np.bool_, "case": np.int64, "time": np.int64,
    "id": object, "entity": object, "entity_type": object, "what": object, "finding": object, "actor": object,
    "action": object, "part": np.int64,
}  # fmt: skip
"""Columns of one cell a row, with their types."""
_STEPS = 10**14
"""Times below this are steps of the source rather than nanoseconds since 1970."""
PARTS = ("surprise", "observed", "expected")
"""Columns of one cell a stream."""


class Part(NamedTuple):
    """What one stream made of an event."""

    stream: str
    """Name of the stream, such as ``event_name of principal``."""
    observed: float
    expected: float
    surprise: float
    """Evidence in nats: 0 nothing unusual, 7 about one in a thousand."""

    def __str__(self) -> str:
        if self.stream.startswith(("rate of ", "value of ")) or self.stream == "combination":
            return f"{self.stream}: {number(self.observed)}, usually {number(self.expected)}"
        seen = f"seen {number(self.observed)} times before" if self.observed > 0 else "never seen before"
        return f"{self.stream}: {seen}"


class EventVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one event."""

    score: float
    p_value: float
    notice: bool
    case: int
    time: int
    id: str | None
    entity: str | None
    entity_type: str
    what: str
    finding: str
    actor: str | None
    action: str | None
    why: str
    """What was unusual, in words."""
    parts: list[Part]

    def to_json(self) -> bytes:
        """Return one JSON object."""
        return msgspec.json.encode(self)

    def __str__(self) -> str:
        who = printable(f"{self.actor or 'nobody'} {self.action or ''}".strip())
        when = moment(self.time) if abs(self.time) > _STEPS else f"step {self.time:,}"
        return f"{when}  {self.finding}  {who}  ({odds(self.p_value)}; {printable(self.why)})"


class EventVerdicts:
    """The answers for n events, as columns in the order of the rows.

    ``v["score"]``: higher is more anomalous, comparable over time; ``v["p_value"]``: the share of events of the recent
    past that would score so high; ``v["notice"]``: people are told; ``v["case"]``: number of the alert that the event
    belongs to, -1 for none; ``v["entity"]``, ``v["entity_type"]``, ``v["what"]``: the entity of the strongest part and
    what is unusual; ``v["finding"]``: ``Purpose:Entity/What``; ``v["actor"]``, ``v["action"]``: who did what;
    ``v["part"]``: number of the strongest stream; ``v["surprise"]``, ``v["observed"]``, ``v["expected"]``: (n, S),
    one column for each of :attr:`streams`.

    Attributes
    ----------
    streams
        Names of the S streams.
    """

    __slots__ = ("_columns", "streams")

    def __init__(self, columns: Mapping[str, Array], streams: tuple[str, ...]) -> None:
        self._columns = dict(columns)
        self.streams = streams

    def __len__(self) -> int:
        return len(self._columns["score"])

    @overload
    def __getitem__(self, index: str) -> Array: ...
    @overload
    def __getitem__(self, index: int) -> EventVerdict: ...
    @overload
    def __getitem__(self, index: slice | Array) -> Self: ...
    def __getitem__(self, index: str | int | slice | Array) -> Array | EventVerdict | Self:
        if isinstance(index, str):
            return self._columns[index]
        if isinstance(index, slice | np.ndarray):
            return type(self)({name: column[index] for name, column in self._columns.items()}, self.streams)
        plain = {name: self._columns[name][index] for name in COLUMNS if name != "part"}
        cells = {name: cell.item() if isinstance(cell, np.generic) else cell for name, cell in plain.items()}
        return EventVerdict(
            **cells, why=str(self._part(index, int(self["part"][index]))), parts=self.parts(index)
        )

    def __iter__(self) -> Iterator[EventVerdict]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"EventVerdicts({len(self):,} events, {int(self['notice'].sum()):,} told)"

    def parts(self, row: int) -> list[Part]:
        """What the streams made of a row, strongest first; streams that found nothing unusual are left out."""
        surprise = self._columns["surprise"][row]
        order = np.argsort(-surprise, kind="stable")
        return [self._part(row, j) for j in order.tolist() if surprise[j] > 0]

    def _part(self, row: int, j: int) -> Part:
        cells = {name: float(self._columns[name][row, j]) for name in PARTS}
        return Part(stream=self.streams[j], **cells)

    @classmethod
    def concat(cls, tables: Iterable[Self]) -> Self:
        """Return the rows of all tables, which are of the same streams; at least one table."""
        parts = list(tables)
        names = parts[0]._columns
        return cls(
            {name: np.concatenate([part._columns[name] for part in parts]) for name in names},
            parts[0].streams,
        )

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table; ``surprise``, ``observed`` and ``expected`` become lists of one cell a stream."""
        columns: dict[str, Any] = {name: pa.array(self._columns[name]) for name in COLUMNS if name != "part"}
        texts = [name for name, kind in COLUMNS.items() if kind is object]
        columns |= {name: pa.array(self._columns[name].tolist(), pa.string()) for name in texts}
        width = len(self.streams)
        columns["part"] = pa.array(self._columns["part"])
        for name in PARTS:
            flat = pa.array(self._columns[name].ravel())
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, width)
        return pa.table(columns).replace_schema_metadata({"streams": msgspec.json.encode(self.streams)})

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Self:
        """Return the verdicts that :meth:`to_arrow` put into a table, also after Parquet."""
        metadata = table.schema.metadata or {}
        if b"streams" not in metadata:
            raise ValueError("not a table of the verdicts of events: it does not name their streams")
        streams = msgspec.json.decode(metadata[b"streams"], type=tuple[str, ...])
        columns: dict[str, Array] = {}
        for name, kind in COLUMNS.items():
            cells = table[name].combine_chunks()
            columns[name] = (
                np.array([*cells.to_pylist(), None], object)[:-1]
                if kind is object
                else cells.to_numpy(zero_copy_only=False).astype(kind)
            )
        for name in PARTS:
            flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            columns[name] = flat.reshape(len(table), len(streams))
        return cls(columns, streams)
