"""What a row means: which column is the time, which make up the key, which hold the values.

A schema comes from flags, from a TOML file, or from the first rows (:mod:`marigram.events.infer`); what is left open
in it (None) is inferred, what is empty (``time = ""``, ``key = []``) is known to be absent.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, Self

import msgspec

from marigram.errors import ParameterError

from .times import Zone

__all__ = ["Format", "Schema"]

Format = Literal["csv", "jsonl", "parquet", "arrow"]
_FORBIDDEN_DELIMITERS = frozenset('"\n\r .+-eE0123456789')


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which columns of an input are what.

    Parameters
    ----------
    time
        Column of the time; ``""`` when events have none.
    time_unit
        ``iso``, or ``s``, ``ms``, ``us``, ``ns`` since 1970.  Columns of a Parquet or Arrow timestamp type need none.
    tz
        Zone of ISO times that name no offset, as in ``Europe/Berlin``.
    key
        Columns that together name the entity; empty when there is only one.
    values
        Columns of the numbers; more than one makes events of several coordinates.
    id
        Column of the event's own id, carried into its verdict; ``""`` when there is none.
    format
        ``csv``, ``jsonl``, ``parquet`` or ``arrow``; normally told by the first bytes of the file.
    delimiter, header
        Of CSV: the byte between cells, and whether the first line names the columns (else they are c1, c2, …).

    Examples
    --------
    >>> Schema.from_mapping({"time": "ts", "key": "host", "values": ["cpu"]}).key
    ('host',)
    >>> Schema.from_mapping({"tme": "ts"})
    Traceback (most recent call last):
    marigram.errors.ParameterError: schema: there is no setting 'tme' (did you mean 'time'?)
    """

    time: str | None = None
    time_unit: Literal["iso", "s", "ms", "us", "ns"] | None = None
    tz: str = "UTC"
    key: tuple[str, ...] | None = None
    values: tuple[str, ...] | None = None
    id: str | None = None
    format: Format | None = None
    delimiter: str | None = None
    header: bool | None = None

    def __post_init__(self) -> None:
        if self.values is not None and not self.values:
            raise ParameterError("schema: values must name at least one column")
        chosen = [
            column for column in (self.time, self.id, *(self.key or ()), *(self.values or ())) if column
        ]
        twice = sorted({column for column in chosen if chosen.count(column) > 1})
        if twice:
            raise ParameterError(f"schema: {twice[0]!r} is used for two things")
        if "" in (self.key or ()) or "" in (self.values or ()):
            raise ParameterError("schema: a column of the key or the values has an empty name")
        if self.delimiter is not None:
            _check_delimiter(self.delimiter)
        Zone(self.tz)

    @property
    def is_complete(self) -> bool:
        """Whether nothing remains to be inferred, the looks of a CSV file aside."""
        told = self.time is not None and self.id is not None and self.key is not None
        return told and self.values is not None and (self.time == "" or self.time_unit is not None)

    @property
    def d(self) -> int:
        """Number of coordinates of an event."""
        return len(self.values or ())

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read: time, id, parts of the key, values."""
        named = (self.time or "", self.id or "", *(self.key or ()), *(self.values or ()))
        return tuple(column for column in named if column)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """Return the schema that these settings describe; ``key`` and ``values`` may be one name each.

        Raises
        ------
        ParameterError
            When a setting is unknown or has a value that it may not have.
        """
        known = cls.__struct_fields__
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else f"; there are {', '.join(known)}"
                raise ParameterError(f"schema: there is no setting {name!r}{hint}")
        told = dict(settings)
        for name in ("key", "values"):
            if isinstance(told.get(name), str):
                told[name] = [told[name]] if told[name] else []
        try:
            return msgspec.convert(told, cls)
        except msgspec.ValidationError as error:
            raise ParameterError(f"schema: {error}") from error

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Self:
        """Return the schema of a TOML file: its table ``[schema]``, or the whole file when it has no such table."""
        try:
            with open(path, "rb") as file:
                settings = tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise ParameterError(f"{os.fspath(path)}: not TOML: {error}") from error
        table = settings.get("schema", settings)
        if not isinstance(table, dict):
            raise ParameterError(f"{os.fspath(path)}: schema must be a table")
        return cls.from_mapping(table)

    def to_mapping(self) -> dict[str, Any]:
        """Return the settings that are not at their default, as JSON and :meth:`from_mapping` take them."""
        settings: dict[str, Any] = msgspec.to_builtins(self)
        return settings

    def to_toml(self) -> str:
        """Return the table ``[schema]`` that :meth:`from_toml` reads back."""
        lines = [f"{name} = {_toml(value)}" for name, value in self.to_mapping().items()]
        return "\n".join(["[schema]", *lines, ""])


def _check_delimiter(delimiter: str) -> None:
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in _FORBIDDEN_DELIMITERS:
        raise ParameterError(f"schema: {delimiter!r} cannot stand between cells; use one of , ; | or a tab")


def _toml(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
