"""What the columns of tables mean for a graph: stated in TOML, or guessed from names, types and values (``guess``).

Two forms. Tables of nodes and of edges have one :class:`TableSchema` each. Rows of events have an
:class:`EventSchema`, which says which columns name entities; entities become nodes.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from marigram.errors import ParameterError
from marigram.graph.data import toml

Unit = Literal["s", "ms", "us", "ns", "step"]


class TableSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which column of a table is what; a column that is not named is not read.

    Parameters
    ----------
    id
        Of nodes: the column of their names, unique. Without it a node's name is its row number.
    source, target
        Of edges: the columns of their ends.
    time, unit
        The column of the time, and what its numbers count: ``s``, ``ms``, ``us``, ``ns`` since 1970, or ``step``.
        Timestamps and ISO 8601 need no unit.
    label, labels
        The column of the label, and the source's labels -> 1 anomalous, 0 normal, -1 unknown; ``*`` stands for all
        others. Null is unknown.
    split
        A column of ``train``, ``val`` and ``test``.
    numeric, categorical, text
        The columns that are attributes.
    buckets
        Columns that each text column is hashed into, 1 to 4096.
    """

    id: str | None = None
    source: str | None = None
    target: str | None = None
    time: str | None = None
    unit: Unit | None = None
    label: str | None = None
    labels: dict[str, int] = {}
    split: str | None = None
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    buckets: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.buckets <= 4096:
            raise ParameterError(f"buckets must lie in 1 .. 4096, not {self.buckets}")
        wrong = {name: value for name, value in self.labels.items() if value not in (-1, 0, 1)}
        if wrong:
            raise ParameterError(f"labels must be 1, 0 or -1, not {wrong}")


class GraphSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which column is what in tables of nodes and of edges.

    Parameters
    ----------
    nodes
        Node type -> its table.
    edges
        ``"source relation target"`` -> its table.
    """

    nodes: dict[str, TableSchema] = {}
    edges: dict[str, TableSchema] = {}

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Read ``[nodes.TYPE]`` and ``[edges."source relation target"]``; refuses what it does not know."""
        schema: Self = _convert(_parse(path), cls, path)
        return schema

    def to_toml(self) -> str:
        """Return the TOML that :meth:`from_toml` reads."""
        return toml.dump(msgspec.to_builtins(self))


class EventSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which columns of events are entities, and what else there is.

    Parameters
    ----------
    entities
        Node type -> the columns that name nodes of this type. Columns of one type share their nodes.
    event
        None: an event is an edge between each pair of its entities, with the event's time, attributes and label.
        A name: events are nodes of this type, with an edge to each of their entities.
    pairs
        Relation -> the two columns that it joins. Empty: every pair of columns, each called ``a-b``. Only without
        ``event``.
    time, unit, label, labels, split, numeric, categorical, text, buckets
        As of :class:`TableSchema`, of events.
    """

    entities: dict[str, tuple[str, ...]]
    event: str | None = None
    pairs: dict[str, tuple[str, str]] = {}
    time: str | None = None
    unit: Unit | None = None
    label: str | None = None
    labels: dict[str, int] = {}
    split: str | None = None
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    buckets: int = 32

    def __post_init__(self) -> None:
        columns = self.columns
        if len(set(columns)) != len(columns):
            raise ParameterError(f"a column names entities twice among {', '.join(columns)}")
        if not columns or (self.event is None and len(columns) < 2):
            raise ParameterError("a graph needs two columns that name entities, or `event` and one")
        if self.event is not None and (self.pairs or self.event in self.entities):
            raise ParameterError("with `event` there are no pairs, and no entity type of the same name")
        for relation, pair in self.pairs.items():
            for name in pair:
                if name not in columns:
                    raise ParameterError(f"pair {relation!r}: {name!r} is not a column of entities")
        self.row  # noqa: B018 - checks what both kinds of schema share

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that name entities."""
        return tuple(name for names in self.entities.values() for name in names)

    @property
    def row(self) -> TableSchema:
        """What an event has beside its entities."""
        shared = (name for name in TableSchema.__struct_fields__ if name not in ("id", "source", "target"))
        return TableSchema(**{name: getattr(self, name) for name in shared})

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Read the settings from the top level of a TOML file; refuses what it does not know."""
        schema: Self = _convert(_parse(path), cls, path)
        return schema

    def to_toml(self) -> str:
        """Return the TOML that :meth:`from_toml` reads."""
        return toml.dump(msgspec.to_builtins(self))


def _parse(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{os.fspath(path)} is not TOML: {error}") from error


def _convert(document: Mapping[str, Any], kind: Any, path: str | os.PathLike[str]) -> Any:
    """A schema from TOML; an unknown setting is refused with the nearest name."""
    if kind is EventSchema and (unknown := set(document) - set(kind.__struct_fields__)):
        name = sorted(unknown)[0]
        near = difflib.get_close_matches(name, kind.__struct_fields__, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ParameterError(f"{os.fspath(path)}: there is no setting {name!r}{hint}")
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ParameterError(f"{os.fspath(path)}: {error}") from error


__all__ = ["EventSchema", "GraphSchema", "TableSchema"]
