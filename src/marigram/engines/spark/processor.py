"""The stateful operator: Spark calls it with a bucket's packed events, and keeps what it stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from pyspark.sql.streaming.stateful_processor import StatefulProcessor, StatefulProcessorHandle

from marigram.engines.spark.bucket import begun, judged, tables
from marigram.engines.spark.copies import folder_of_spark
from marigram.engines.spark.design import Design
from marigram.engines.spark.packing import PACKED, REJECT, packed, unpacked

if TYPE_CHECKING:
    from pyspark.sql.streaming.stateful_processor import TimerValues

DESIGN, NAMES, PAGES, HELD, PATCHES, VERSION = "design", "names", "pages", "held", "patches", "version"
"""Names of the state variables, which an export asks for."""
OUTPUT_SCHEMA = "packed binary"
ROWS = 1 << 15
"""Verdicts in a cell."""


class BucketProcessor(StatefulProcessor):
    """Judges buckets.

    Parameters
    ----------
    design
        What verdicts depend on.
    ttl
        Milliseconds after which a page none of whose keys spoke is forgotten; None for never.
    final
        All there is comes in one batch.
    """

    def __init__(self, design: Design, ttl: int | None = None, *, final: bool = False) -> None:
        self._design = design
        self._ttl = ttl
        self._final = final

    def init(self, handle: StatefulProcessorHandle) -> None:
        """Declare the state."""
        self._about = handle.getValueState(DESIGN, "content binary")
        self._held = handle.getValueState(HELD, "content binary")
        self._names = handle.getMapState(NAMES, "page int", "content binary", self._ttl)
        self._pages = handle.getMapState(PAGES, "page int", "content binary", self._ttl)
        self._patches = handle.getMapState(PATCHES, "number bigint", "content binary")
        self._version = handle.getValueState(VERSION, "content binary")
        self._copies = folder_of_spark()

    def handleInputRows(  # noqa: N802 - Spark calls it so
        self,
        key: Any,  # noqa: ARG002
        rows: Iterator[pd.DataFrame],
        timerValues: TimerValues,  # noqa: ARG002
    ) -> Iterator[pd.DataFrame]:
        """Judge one bucket's events of one batch."""
        cells = [unpacked(cell) for frame in rows for cell in frame[PACKED]]
        rejects = [cell for cell in cells if REJECT in cell.column_names]
        events = [cell for cell in cells if REJECT not in cell.column_names]
        told = [packed(cell) for cell in rejects]
        if events:
            table = pa.concat_tables(events, promote_options="default")
            renew = self._ttl is not None
            verdicts = judged(self._design, self, table, copies=self._copies, renew=renew, final=self._final)
            told += [] if verdicts is None else [packed(part) for part in tables(verdicts, ROWS)]
        if told:
            yield pd.DataFrame({PACKED: told})

    def handleInitialState(  # noqa: N802 - Spark calls it so
        self,
        key: Any,  # noqa: ARG002
        initialState: pd.DataFrame,
        timerValues: TimerValues,  # noqa: ARG002
    ) -> None:
        """Begin a bucket with records of a fleet's file."""
        for cell in initialState[PACKED]:
            begun(self._design, self, unpacked(cell), renew=self._ttl is not None)

    def design(self) -> bytes | None:
        """What this bucket's state was begun with."""
        return _content(self._about.get())

    def keep_design(self, content: bytes) -> None:
        """Note what the state is of."""
        self._about.update((content,))

    def names(self) -> Iterable[tuple[int, bytes]]:
        """All pages of names."""
        for page, content in self._names.iterator():
            yield page[0], bytes(content[0])

    def page(self, page: int) -> bytes | None:
        """One page of records."""
        return _content(self._pages.getValue((page,)))

    def keep_page(self, page: int, records: bytes) -> None:
        """Replace a page of records."""
        self._pages.updateValue((page,), (records,))

    def keep_names(self, page: int, names: bytes) -> None:
        """Replace a page of names."""
        self._names.updateValue((page,), (names,))

    def patches(self) -> Iterable[tuple[int, bytes]]:
        """All patches."""
        for number, content in self._patches.iterator():
            yield number[0], bytes(content[0])

    def keep_patch(self, number: int, records: bytes) -> None:
        """Add a patch."""
        self._patches.updateValue((number,), (records,))

    def drop_patches(self) -> None:
        """Remove all patches."""
        self._patches.clear()

    def version(self) -> bytes | None:
        """Where the records stand."""
        return _content(self._version.get())

    def keep_version(self, content: bytes) -> None:
        """Note where they stand."""
        self._version.update((content,))

    def held(self) -> bytes | None:
        """The events that wait."""
        return _content(self._held.get())

    def keep_held(self, content: bytes) -> None:
        """Replace the events that wait."""
        self._held.update((content,))


def _content(row: tuple[Any, ...] | None) -> bytes | None:
    return None if row is None else bytes(row[0])


__all__ = ["DESIGN", "HELD", "NAMES", "OUTPUT_SCHEMA", "PAGES", "PATCHES", "VERSION", "BucketProcessor"]
