"""Schemas for the logs that most people have, each a TOML file beside this one."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection
from pathlib import Path

import msgspec
import pyarrow as pa

from marigram.errors import InputError, ParameterError
from marigram.events.entities import EntitySchema

__all__ = ["PRESETS", "Preset", "preset"]

_FOLDER = Path(__file__).parent
PRESETS = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""Names of the presets."""
ALIASES = {"netflow": "connections", "vpcflow": "vpc-flow", "openssh": "syslog", "ssh": "syslog"}
"""Other names of theirs."""


class Preset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a log is and how it is read.

    Parameters
    ----------
    about
        What it is for, in a sentence.
    reader
        The form of its text: ``cloudtrail``, ``flow``, ``syslog``, or ``table`` for CSV, JSON lines, Parquet and Arrow,
        which every preset reads too.
    schema
        Which column is what; those that a table does not have are done without.
    aliases
        What others call its columns -> the column.
    name
        Of the preset.
    """

    about: str
    reader: str
    schema: EntitySchema
    aliases: dict[str, str] = {}
    name: str = ""

    def fitted(self, table: pa.Table, absent: Collection[str] | None = None) -> EntitySchema:
        """Return the schema for tables like this: without the columns of which it has nothing, with its kind of time.

        Parameters
        ----------
        table
            The first events.
        absent
            Columns that are left out; None: those that are empty here. In the first of many files a column may be
            empty that later ones have, such as that of errors.

        Raises
        ------
        InputError
            No column names an entity, or nothing has a time.
        """
        schema = self.schema
        none = [name for name in schema.columns if not len(table) or table[name].null_count == len(table)]
        if schema.time in none or set(schema.entities) <= set(none):
            which = repr(schema.time) if schema.time in none else " or ".join(map(repr, schema.entities))
            raise InputError(0, f"preset {self.name}: there is no column {which}, or it is empty")
        empty = none if absent is None else [name for name in schema.columns if name in absent]
        kind = table[schema.time].type if schema.time else pa.int64()
        schema = schema.leaving_out(dict.fromkeys(empty, "absent or empty" if absent is None else "absent"))
        return msgspec.structs.replace(schema, unit=None if pa.types.is_temporal(kind) else "step")


def preset(name: str) -> Preset:
    """Return a preset.

    Raises
    ------
    ParameterError
        There is none of this name.

    Examples
    --------
    >>> preset("cloudtrail").schema.acting
    'principal'
    """
    name = ALIASES.get(name, name)
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"there is no preset {name!r}: there are {', '.join(PRESETS)}{hint}")
    settings = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    schema = EntitySchema.from_mapping(settings.pop("schema"), f"preset {name}")
    return Preset(**settings, schema=schema, name=name)
