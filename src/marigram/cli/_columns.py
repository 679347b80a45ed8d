"""Turns `--schema` and the flags that name columns into a schema, and sources into one open source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from marigram.errors import InputError, ParameterError
from marigram.events import Schema, Source, open_source


def schema_of(file: Path | None, columns: Mapping[str, Any]) -> Schema:
    """The schema of the file `--schema`, of which flags replace what they name; None and empty leave it alone."""
    try:
        told = {} if file is None else Schema.from_toml(file).to_mapping()
    except OSError as error:
        raise ParameterError(f"--schema {file}: {error.strerror}") from error
    return Schema.from_mapping(told | {name: setting for name, setting in columns.items() if setting})


def opened(sources: Sequence[str], schema: Schema, **options: Any) -> Source:
    """Open the sources; columns that are not there are the input's fault.

    `options` are those of `open_source`.
    """
    try:
        return open_source(sources, schema, **options)
    except ParameterError as error:
        raise InputError(0, str(error)) from error


__all__ = ["opened", "schema_of"]
