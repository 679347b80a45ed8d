"""A state that moves: a fleet's file begins a query, and a query's checkpoint becomes a fleet's file.

Both hold the same records, so verdicts go on as if nothing had happened.  What a fleet keeps beside them for people
(flagged verdicts that may be labelled, the note) stays behind on the way to Spark.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from marigram.detectors.state import StateTable
from marigram.engines.spark.buckets import bucket_of, labels
from marigram.engines.spark.design import Design
from marigram.engines.spark.packing import BUCKET, PACKED_SCHEMA, Batches, packer
from marigram.engines.spark.pages import Patches, form_of, unpack_records
from marigram.engines.spark.processor import DESIGN, HELD, NAMES, PAGES, PATCHES
from marigram.engines.spark.roster import names_of
from marigram.errors import ParameterError, SnapshotError
from marigram.fleet import records, snapshot
from marigram.fleet.feedback import Flagged
from marigram.fleet.keys import key_index
from marigram.fleet.residents import Residents

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, GroupedData, SparkSession

RECORD = "record"
_STRETCH = 4096
"""Keys of a file that a task reads at a time."""


def initial_state(spark: SparkSession, path: str | os.PathLike[str], design: Design) -> GroupedData:
    """Return the state of a fleet's file as Spark takes it up, by bucket.

    Raises
    ------
    ParameterError
        The file is of another detector, other keys or other coordinates.
    SnapshotError
        It is damaged, or no fleet.
    """
    name = os.fspath(path)
    meta = snapshot.read(name).meta
    _check_file(name, meta, design)
    stretches = spark.range(0, meta.count, _STRETCH)
    key = "bigint" if design.keys == "int" else "string"
    keys = stretches.mapInArrow(_reader(name, design), f"key {key}, {RECORD} binary")
    rows = keys.withColumn(BUCKET, bucket_of(keys["key"], design.buckets))
    return rows.mapInArrow(packer(labels(design.buckets)), PACKED_SCHEMA).groupBy(BUCKET)


def _check_file(path: str, meta: snapshot.Meta, design: Design) -> None:
    told = {"detector": meta.parameters, "keys": meta.keys, "d": meta.d or design.d}
    asked = {"detector": design.parameters, "keys": design.keys, "d": design.d}
    for name, found in told.items():
        if found != asked[name]:
            raise ParameterError(f"{path} was saved with {name} {found}, and the query has {asked[name]}")
    if meta.seasonal and not design.seasonal:
        raise ParameterError(f"{path} has learned from events with times: the query needs their column too")


def _reader(path: str, design: Design) -> Any:
    """Return the function that reads stretches of a fleet's file."""

    def read(batches: Batches) -> Batches:
        saved = snapshot.read(path)
        index = key_index(design.keys)
        index.number(index.column_of(saved.arrays))
        wide = design.form()
        narrow = form_of(design.parameters, design.d, saved.meta.seasonal)
        found = saved.arrays["records"]
        if found.dtype != narrow:
            raise SnapshotError(f"{path} was written by a version whose state has another layout")
        words = found.view(np.uint64).reshape(len(found), -1)
        for batch in batches:
            for start in batch.column(0).to_pylist():
                rows = np.arange(start, min(start + _STRETCH, len(words)))
                some = np.array(words[rows])
                some = some if narrow == wide else records.widened(some, narrow, wide)
                cells = pa.array([row.tobytes() for row in some], pa.binary())
                yield pa.record_batch([pa.array(index.names(rows)), cells], ["key", RECORD])

    return read


def export_fleet(
    spark: SparkSession,
    checkpoint: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    batch: int | None = None,
) -> int:
    """Write a checkpoint's state as a fleet's file, for :meth:`marigram.Fleet.load`; returns the number of keys.

    Parameters
    ----------
    spark
        A session with the RocksDB state store.
    checkpoint
        Of a query that is not running, or as ``batch`` left it.
    path
        Of the file, all or nothing.
    batch
        Number of the micro-batch; None: the last one.

    Raises
    ------
    ParameterError
        Events are held back for lateness, which a fleet's file cannot hold; or the checkpoint has no state.
    SnapshotError
        The state is of another version.
    """
    state = _State(spark, os.fspath(checkpoint), batch)
    designs = {
        bytes(row["value"]["content"]) for row in state.of(DESIGN).select("value").distinct().collect()
    }
    if len(designs) != 1:
        raise ParameterError(f"{checkpoint} has no state of marigram, or more than one")
    design = Design.from_bytes(designs.pop())
    waiting = _waiting(state)
    if waiting:
        raise ParameterError(
            f"{waiting} events are held back for lateness and would be lost: let the stream end first"
        )
    index = key_index(design.keys)
    table = StateTable(design.parameters, design.d)
    if design.seasonal:
        table.make_seasonal()
    residents = Residents(table, index, None, None)
    for names, words in _pages(state, design):
        residents.adopt(index.number(names), words)
    meta = snapshot.Meta(
        version=snapshot.VERSION,
        parameters=design.parameters,
        keys=design.keys,
        count=len(index),
        d=design.d,
        seasonal=design.seasonal,
        memory=None,
        threads=1,
    )
    snapshot.write(path, meta, index, residents, Flagged(design.d))
    return len(index)


class _State:
    """The state variables of a checkpoint as tables."""

    def __init__(self, spark: SparkSession, checkpoint: str, batch: int | None) -> None:
        self._spark, self._checkpoint, self._batch = spark, checkpoint, batch

    def of(self, name: str) -> DataFrame:
        """Return one variable, a row for each entry."""
        reader = self._spark.read.format("statestore").option("stateVarName", name)
        if self._batch is not None:
            reader = reader.option("batchId", self._batch)
        return reader.load(self._checkpoint)


def _waiting(state: _State) -> int:
    rows = state.of(HELD).select("value").toLocalIterator()
    return sum(pa.ipc.open_stream(bytes(row["value"]["content"])).read_all().num_rows for row in rows)


def _pages(state: _State, design: Design) -> Iterator[tuple[Any, Any]]:
    """Yield the names and records of each page, what patches have of it put over them."""
    form = design.form()
    on = ["key", "user_map_key"]
    names = state.of(NAMES).selectExpr(*on, "user_map_value AS names")
    pages = state.of(PAGES).selectExpr(*on, "user_map_value AS records")
    patches = _PatchesByBucket(state.of(PATCHES).orderBy(*on).toLocalIterator(), form)
    for row in names.join(pages, on).orderBy(*on).toLocalIterator():
        found = names_of(design.keys, bytes(row["names"]["content"]))
        words, since = unpack_records(bytes(row["records"]["content"]), form)
        first = row["user_map_key"][0] * design.page
        yield found, patches.of(row["key"][0]).over(words, first, since)


class _PatchesByBucket:
    """The patches of all buckets, ascending, of which those of one are in hand."""

    def __init__(self, rows: Iterator[Any], form: np.dtype[Any]) -> None:
        self._form = form
        self._rest = groupby(rows, lambda row: row["key"][0])
        self._next = next(self._rest, None)
        self._bucket, self._held = -1, Patches([], form)

    def of(self, bucket: int) -> Patches:
        """Return the patches of a bucket; those are asked for in ascending order."""
        if bucket != self._bucket:
            self._bucket, self._held = bucket, Patches([], self._form)
            while self._next is not None and self._next[0] < bucket:
                self._next = next(self._rest, None)
            if self._next is not None and self._next[0] == bucket:
                rows = [(r["user_map_key"][0], bytes(r["user_map_value"]["content"])) for r in self._next[1]]
                self._held = Patches(rows, self._form)
        return self._held


__all__ = ["RECORD", "export_fleet", "initial_state"]
