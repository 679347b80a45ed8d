"""Turns `--schema` and the flags that name columns into a schema, and sources into one open source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marigram.cli._shard import Shard
from marigram.engines.kafka.reader import is_address
from marigram.errors import InputError, ParameterError
from marigram.events import Schema, Source, open_source

if TYPE_CHECKING:
    from marigram.engines.kafka.source import KafkaSource


def schema_of(file: Path | None, columns: Mapping[str, Any]) -> Schema:
    """The schema of the file `--schema`, of which flags replace what they name; None and empty leave it alone."""
    try:
        told = {} if file is None else Schema.from_toml(file).to_mapping()
    except OSError as error:
        raise ParameterError(f"--schema {file}: {error.strerror}") from error
    return Schema.from_mapping(told | {name: setting for name, setting in columns.items() if setting})


def opened(
    sources: Sequence[str], schema: Schema, *, shard: Shard | None = None, **options: Any
) -> Source | KafkaSource:
    """Open the sources; columns that are not there are the input's fault.

    `options` are those of `open_source`. A topic of Kafka is read alone, and only the partitions of the `shard`.
    """
    topics = [source for source in sources if is_address(source)]
    if topics and len(sources) > 1:
        raise ParameterError(f"{topics[0]}: a topic of Kafka is read alone, without other sources")
    try:
        if not topics:
            return open_source(sources, schema, **options)
        from marigram.engines.kafka.source import KafkaSource

        choose = list if shard is None else shard.partitions
        return KafkaSource(topics[0], schema, choose=choose, **options)
    except ParameterError as error:
        raise InputError(0, str(error)) from error


__all__ = ["opened", "schema_of"]
