"""What the loop keeps on the disk: events with what the streams said of them, labels, and the versions of the model.

::

    loop.json              the schema, and the parts that were taken; rewritten last, which is what commits a part
    events/000001.parquet  events, as they came
    verdicts/000001.parquet
    streams/000001.mg      the streams' state after that part
    labels.jsonl           see labels.py
    versions/0001/         one fitted model: model.mg, trial.mg, report.json
    current.json           which version is in use, and those before it

Everything is written to a new file or folder that takes its name when it is whole. What a crash left unnamed is
written over. One process changes the folder at a time; labels may be added by others meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marigram.bridge.loop.labels import LabelBook
from marigram.bridge.streams import EntityStreams
from marigram.bridge.verdicts import EventVerdicts
from marigram.errors import ParameterError, SnapshotError
from marigram.events.entities import EntitySchema
from marigram.snapshots.files import replace_file, sync_folder

INDEX: Final = "loop.json"
CURRENT: Final = "current.json"


class TakenPart(msgspec.Struct, frozen=True):
    """One part: its number, where it came from, the digest of what came, and its rows."""

    number: int
    source: str
    digest: str
    rows: int


class Index(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The schema's settings, the form of the files (:class:`~marigram.bridge.Preset`), and the parts in order."""

    schema: dict[str, Any]
    reader: str = "table"
    parts: tuple[TakenPart, ...] = ()


class Current(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version in use, 0 for the streams alone, and those that were in use before it, the latest last."""

    version: int = 0
    before: tuple[int, ...] = ()


@final
class LoopFolder:
    """A folder of the loop.

    Parameters
    ----------
    path
        Where.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.labels = LabelBook(self.path / "labels.jsonl")

    @property
    def exists(self) -> bool:
        """Whether a loop was begun here."""
        return (self.path / INDEX).is_file()

    def begin(self, schema: EntitySchema, reader: str = "table") -> None:
        """Make the folder; ParameterError when it has another schema."""
        told = msgspec.json.decode(msgspec.json.encode(schema.to_mapping()))
        if self.exists:
            if self.index().schema != told:
                raise ParameterError(
                    f"{self.path} was begun with another schema; use another folder for this one"
                )
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._replace(INDEX, msgspec.json.format(msgspec.json.encode(Index(told, reader))))

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder; ParameterError when another process does."""
        handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ParameterError(f"another process is at work in {self.path}; try again soon") from None
            yield
        finally:
            os.close(handle)

    def index(self) -> Index:
        """Return what was taken."""
        found: Index = self._read(INDEX, Index)
        return found

    def schema(self) -> EntitySchema:
        """Return the schema."""
        return EntitySchema.from_mapping(self.index().schema, str(self.path / INDEX))

    # --- events -------------------------------------------------------------------------------------------------

    def take(self, table: pa.Table, source: str, digest: str) -> EventVerdicts | None:
        """Judge events and keep them; None when these were taken before. Only within :meth:`changing`.

        Of a source that has grown only the events are taken whose ids are new.
        """
        index = self.index()
        if any(part.digest == digest for part in index.parts):
            return None
        table = self._new_of(table, [part for part in index.parts if part.source == source])
        if not table.num_rows:
            return None
        number = len(index.parts) + 1
        streams = self._streams(number - 1)
        verdicts = streams.update(table)
        for folder in ("events", "verdicts", "streams"):
            (self.path / folder).mkdir(exist_ok=True)
        named = f"{number:06d}"
        self._table(f"events/{named}.parquet", table)
        self._table(f"verdicts/{named}.parquet", verdicts.to_arrow())
        streams.save(self.path / "streams" / f"{named}.mg")
        part = TakenPart(number, source, digest, table.num_rows)
        whole = msgspec.structs.replace(index, parts=(*index.parts, part))
        self._replace(INDEX, msgspec.json.format(msgspec.json.encode(whole)))
        for old in (self.path / "streams").glob("*.mg"):
            if old.name < f"{number - 1:06d}.mg":
                old.unlink()
        return verdicts

    def _new_of(self, table: pa.Table, before: list[TakenPart]) -> pa.Table:
        """The rows whose ids are not in the parts that the same source gave before."""
        name = self.schema().id
        if not before or name is None or name not in table.column_names:
            return table
        parts = [pq.read_table(self.path / "events" / f"{part.number:06d}.parquet") for part in before]
        known = [part[name].cast(pa.string()) for part in parts if name in part.column_names]
        if not known:
            return table
        ids = pa.chunked_array([chunk for column in known for chunk in column.chunks], pa.string())
        old = pc.is_in(table[name].cast(pa.string()), value_set=ids.drop_null().combine_chunks())
        return table.filter(pc.invert(old))

    def events(self) -> tuple[pa.Table, EventVerdicts] | None:
        """Return all events and what the streams said of them; None before the first part."""
        parts = [f"{part.number:06d}.parquet" for part in self.index().parts]
        if not parts:
            return None
        events = [pq.read_table(self.path / "events" / name) for name in parts]
        told = [EventVerdicts.from_arrow(pq.read_table(self.path / "verdicts" / name)) for name in parts]
        return pa.concat_tables(events, promote_options="permissive"), EventVerdicts.concat(told)

    def _streams(self, number: int) -> EntityStreams:
        if number:
            return EntityStreams.load(self.path / "streams" / f"{number:06d}.mg")
        return EntityStreams(self.schema())

    # --- versions -----------------------------------------------------------------------------------------------

    def current(self) -> Current:
        """Return which version is in use."""
        return self._read(CURRENT, Current) if (self.path / CURRENT).is_file() else Current()

    def use(self, current: Current) -> None:
        """Say which version is in use. Only within :meth:`changing`."""
        self._replace(CURRENT, msgspec.json.encode(current))

    def versions(self) -> list[int]:
        """Return the numbers of the versions that are there."""
        return sorted(int(found.name) for found in (self.path / "versions").glob("[0-9]*") if found.is_dir())

    def version(self, number: int) -> Path:
        """Return the folder of a version."""
        return self.path / "versions" / f"{number:04d}"

    def add_version(self, write: Callable[[Path], None]) -> int:
        """Let ``write`` fill a new version's folder; it has its name when it is whole. Only within :meth:`changing`."""
        number = max(self.versions(), default=0) + 1
        target = self.version(number)
        draft = target.with_name(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        write(draft)
        for written in draft.rglob("*"):
            if written.is_file():
                _sync(written)
        sync_folder(draft)
        os.replace(draft, target)
        sync_folder(target.parent)
        return number

    def _table(self, name: str, table: pa.Table) -> None:
        replace_file(self.path / name, lambda sink: pq.write_table(table, sink, compression="zstd"))

    def _replace(self, name: str, content: bytes) -> None:
        replace_file(self.path / name, lambda sink: sink.write(content))

    def _read(self, name: str, kind: Any) -> Any:
        path = self.path / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            raise ParameterError(
                f"there is no loop in {self.path}: `marigram loop --state {self.path} EVENTS` begins one"
            ) from None
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise SnapshotError(f"{path} is damaged: {error}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


__all__ = ["CURRENT", "INDEX", "Current", "Index", "LoopFolder", "TakenPart"]
