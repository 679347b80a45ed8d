"""Schemas for the logs that most people have, each a TOML file beside this one."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

import msgspec

from marigram.errors import ParameterError
from marigram.events.entities import EntitySchema

__all__ = ["PRESETS", "Preset", "preset"]

_FOLDER = Path(__file__).parent
PRESETS = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
"""Names of the presets."""


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
    name
        Of the preset.
    """

    about: str
    reader: str
    schema: EntitySchema
    name: str = ""


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
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"there is no preset {name!r}: there are {', '.join(PRESETS)}{hint}")
    settings = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    schema = EntitySchema.from_mapping(settings.pop("schema"), f"preset {name}")
    return Preset(**settings, schema=schema, name=name)
