"""Which columns of events name entities, and what else there is: one schema for streams and for graphs.

Where :class:`~marigram.events.Schema` says what one number is tracked for one key, this says what *happened between
whom*: a call by a principal, from an address, on a resource. From it come the streams of every entity and the graph
whose nodes they are.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from marigram.errors import ParameterError

from .names import hashed_name

__all__ = ["EntitySchema", "Purpose"]

Unit = Literal["s", "ms", "us", "ns", "step"]
_SINGLE = ("time", "id", "label")
_SEVERAL = ("attributes", "numbers", "text")


class Purpose(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody who does this may want, as the first word of a finding.

    Parameters
    ----------
    name
        As in ``Discovery``, ``CredentialAccess``.
    actions
        Patterns of the action with ``*``, compared without regard to case; the first purpose that fits is taken.
    weight
        How grave it is when it is unusual, from 0.1 to 10: the evidence of such an event counts so many times.
    """

    name: str
    actions: tuple[str, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.isalnum():
            raise ParameterError(f"a purpose is one word of letters and digits, not {self.name!r}")
        if not 0.1 <= self.weight <= 10.0:
            raise ParameterError(f"purpose {self.name}: weight must lie in 0.1 .. 10, not {self.weight}")


class EntitySchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which columns of a table of events are what; a column that is not named is not read.

    Parameters
    ----------
    time, unit
        Column of the time, and what its numbers count: ``s``, ``ms``, ``us``, ``ns`` since 1970, or ``step``.
        Timestamps and ISO 8601 need no unit.
    id
        Column of the event's own id, carried into its verdict.
    entities
        Column -> node type. Columns of one type name the same entities.
    actor
        The column of entities that says who acts; None: the first.
    action
        The column that says what is done; None: the first of the attributes, else the second of the entities.
    target
        The column of entities that says on whom, for the stream of edges; None: the last of the entities.
    attributes
        Columns of categories.
    numbers
        Columns of numbers.
    text
        Columns of free text.
    label, labels
        Column of the label, for those who have one; the source's labels -> 1 anomalous, 0 normal, -1 unknown, where
        ``*`` stands for all others. Streams never read it.
    left_out
        Column -> why it is not used. Such a column is refused everywhere else in the schema.
    hashed
        Columns of entities that enter as kind and hash only.
    event
        Node type of the events themselves.
    purposes
        What actions are for; see :class:`Purpose`.

    Raises
    ------
    ParameterError
        A column has two meanings, no entity is named, or a setting names a column that is no entity.

    Examples
    --------
    >>> schema = EntitySchema(time="at", entities={"user": "account", "ip": "address"}, attributes=("call",))
    >>> schema.acting, schema.acted, schema.node_types
    ('user', 'call', ('account', 'address'))
    """

    time: str | None = None
    unit: Unit | None = None
    id: str | None = None
    entities: dict[str, str] = {}
    actor: str | None = None
    action: str | None = None
    target: str | None = None
    attributes: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    label: str | None = None
    labels: dict[str, int] = {}
    left_out: dict[str, str] = {}
    hashed: tuple[str, ...] = ()
    event: str = "event"
    purposes: tuple[Purpose, ...] = ()

    def __post_init__(self) -> None:
        if not self.entities:
            raise ParameterError("schema: no column names entities")
        named = [*self.columns, *self.left_out]
        if "" in named or "" in self.entities.values():
            raise ParameterError("schema: a column or a node type has an empty name")
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            left = twice[0] in self.left_out
            raise ParameterError(f"schema: {twice[0]!r} is {'left out, and used' if left else 'used twice'}")
        if self.event in self.entities.values():
            raise ParameterError(f"schema: events and entities are both of the node type {self.event!r}")
        for setting in ("actor", "target"):
            if getattr(self, setting) not in (None, *self.entities):
                raise ParameterError(f"schema: {setting} {getattr(self, setting)!r} is no column of entities")
        if self.action not in (None, *self.entities, *self.attributes):
            raise ParameterError(f"schema: action {self.action!r} is no column of entities or attributes")
        for name in self.hashed:
            if name not in self.entities:
                raise ParameterError(f"schema: {name!r} is hashed, and is no column of entities")
        wrong = {name: value for name, value in self.labels.items() if value not in (-1, 0, 1)}
        if wrong:
            raise ParameterError(f"schema: labels must be 1, 0 or -1, not {wrong}")

    @property
    def acting(self) -> str:
        """Column of who acts."""
        return self.actor or next(iter(self.entities))

    @property
    def acted(self) -> str:
        """Column of what is done; that of who acts where there is nothing else."""
        others = [name for name in self.entities if name != self.acting]
        return self.action or next(iter([*self.attributes, *others]), self.acting)

    @property
    def reached(self) -> str:
        """Column of on whom it is done."""
        return self.target or next(
            (name for name in reversed(self.entities) if name != self.acting), self.acting
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        single = [getattr(self, name) for name in _SINGLE]
        several = [name for setting in _SEVERAL for name in getattr(self, setting)]
        return tuple(name for name in (*single[:2], *self.entities, *several, single[2]) if name is not None)

    @property
    def node_types(self) -> tuple[str, ...]:
        """Types of the entities, in the order of their first columns."""
        return tuple(dict.fromkeys(self.entities.values()))

    def of_type(self, node_type: str) -> tuple[str, ...]:
        """Columns that name entities of this type."""
        return tuple(name for name, kind in self.entities.items() if kind == node_type)

    def without_label(self) -> Self:
        """The same schema for events of which nobody knows a label."""
        return msgspec.structs.replace(self, label=None, labels={})

    def leaving_out(self, reasons: Mapping[str, str]) -> Self:
        """The same schema with these columns left out, each with its reason, wherever they were used."""

        def kept(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in names if name not in reasons)

        single = {
            name: None for name in (*_SINGLE, "actor", "action", "target") if getattr(self, name) in reasons
        }
        several = {name: kept(getattr(self, name)) for name in (*_SEVERAL, "hashed")}
        entities = {name: kind for name, kind in self.entities.items() if name not in reasons}
        left_out = {**self.left_out, **reasons}
        return msgspec.structs.replace(self, **single, **several, entities=entities, left_out=left_out)

    def name(self, column: str, value: str) -> str:
        """What an entity is called in everything that is written: its name, or its kind and hash."""
        return hashed_name(value) if column in self.hashed else value

    def check(self, table: Any) -> list[str]:
        """Make sure that a table has the columns; return a sentence for each that is not read, or names nothing.

        Raises
        ------
        InputError
            A column is absent, or is of a type that it may not have.
        """
        from .entity_guess import as_table, check_table

        return check_table(self, as_table(table))

    @classmethod
    def infer(cls, table: Any) -> tuple[Self, list[str]]:
        """Return the schema that a table probably has, and a reason for each column.

        Raises
        ------
        InputError
            There is no row, or no column that seems to name entities.
        """
        from .entity_guess import as_table, guess_settings

        settings, reasons = guess_settings(as_table(table))
        return cls(**settings), reasons

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any], what: str = "schema") -> Self:
        """Return the schema of these settings.

        Raises
        ------
        ParameterError
            A setting is unknown or has a value that it may not have.
        """
        for name in settings:
            if name not in cls.__struct_fields__:
                near = difflib.get_close_matches(name, cls.__struct_fields__, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise ParameterError(f"{what}: there is no setting {name!r}{hint}")
        try:
            return msgspec.convert(settings, cls)
        except msgspec.ValidationError as error:
            raise ParameterError(f"{what}: {error}") from error

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Read the settings from the top level of a TOML file; what it does not know is refused."""
        try:
            settings = tomllib.loads(Path(path).read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ParameterError(f"{os.fspath(path)}: not TOML: {error}") from error
        return cls.from_mapping(settings, os.fspath(path))

    def to_mapping(self) -> dict[str, Any]:
        """Return the settings that are not at their default, as JSON and :meth:`from_mapping` take them."""
        settings: dict[str, Any] = msgspec.to_builtins(self)
        return settings

    def to_toml(self) -> str:
        """Return the TOML that :meth:`from_toml` reads back."""
        settings = self.to_mapping()
        lines = [f"{name} = {_toml(value)}" for name, value in settings.items() if not _is_table(value)]
        for name, value in settings.items():
            if isinstance(value, dict):
                lines += ["", f"[{name}]", *(f"{_key(key)} = {_toml(cell)}" for key, cell in value.items())]
        for purpose in settings.get("purposes", ()):
            lines += ["", "[[purposes]]", *(f"{key} = {_toml(cell)}" for key, cell in purpose.items())]
        return "\n".join([*lines, ""])


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict)
    )


def _toml(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    plain = bool(name) and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if plain else _toml(name)
