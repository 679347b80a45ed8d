"""One bucket through one batch: order, lateness, keys to records, kernel, verdicts.  Knows nothing of Spark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from marigram.engines.spark.design import Design
from marigram.engines.spark.ordering import held_back, in_order
from marigram.engines.spark.pages import Pages
from marigram.engines.spark.roster import Roster
from marigram.errors import ParameterError
from marigram.fleet.columns import NO_TIME
from marigram.verdicts import Verdicts


class State(Protocol):
    """What is kept of one bucket from batch to batch."""

    def design(self) -> bytes | None:
        """Return what :meth:`keep_design` was told, None at the beginning."""

    def keep_design(self, content: bytes) -> None:
        """Keep what the state is of."""

    def names(self) -> Iterable[tuple[int, bytes]]:
        """Return all pages of names."""

    def page(self, page: int) -> bytes | None:
        """Return one page of records."""

    def keep_page(self, page: int, records: bytes) -> None:
        """Replace a page of records."""

    def keep_names(self, page: int, names: bytes) -> None:
        """Replace a page of names."""

    def held(self) -> bytes | None:
        """Return the events that wait."""

    def keep_held(self, content: bytes) -> None:
        """Replace the events that wait."""


def judged(
    design: Design, state: State, events: pa.Table, *, renew: bool = False, final: bool = False
) -> Verdicts | None:
    """Judge a bucket's events of one batch, and keep what was learned; None when none is due.

    Parameters
    ----------
    design
        As the query was begun with.
    state
        Of this bucket.
    events
        Columns ``key``, ``time`` (int64 ns), ``value`` (a number, or d in a list), ``id``, and what orders them.
    renew
        Write the names of a touched page as well, so that they live as long as its records.
    final
        Nothing follows: no event is held back.

    Raises
    ------
    ParameterError
        The state was begun with another design.
    SnapshotError
        The state is damaged, or of another version.
    """
    _check(design, state)
    if design.lateness is None:
        due = in_order(events)
    else:
        due, held = held_back(design, state.held(), events, final=final)
        state.keep_held(held)
    if not len(due):
        return None
    roster = Roster(design.keys, design.page, state.names())
    known = 0 if renew else len(roster)
    keys, times, values = due.column("key"), _times(due, design), _values(due, design.d)
    numbers = roster.numbers(keys)
    pages = Pages(design, numbers)
    pages.load(state.page)
    columns = pages.judge(values, times)
    _keep(state, roster, pages, known)
    ids = due.column("id").to_pylist() if "id" in due.column_names else None
    value = values[:, 0] if design.d == 1 else values
    return Verdicts(value=value, key=_objects(keys), id=ids, time=times, **columns)


def begun(design: Design, state: State, keys: pa.Table) -> None:
    """Take keys that have learned elsewhere into a bucket: columns ``key`` and ``record``, its bytes."""
    _check(design, state)
    roster = Roster(design.keys, design.page, state.names())
    pages = Pages(design, roster.numbers(keys.column("key")))
    pages.load(state.page)
    pages.put(keys.column("record").to_pylist())
    _keep(state, roster, pages, 0)


def _keep(state: State, roster: Roster, pages: Pages, known: int) -> None:
    """Write the touched pages back, and the names of those that hold keys behind the first ``known``."""
    for page, content in pages.store(roster.count):
        state.keep_page(page, content)
        if roster.end(page) > known:
            state.keep_names(page, roster.page(page))


def _check(design: Design, state: State) -> None:
    """Refuse a state that was begun otherwise; begin one that is empty."""
    found, own = state.design(), design.to_bytes()
    if found is None:
        state.keep_design(own)
    elif found != own:
        other = Design.from_bytes(found)
        raise ParameterError(
            f"the checkpoint was begun with another {' and '.join(design.differing(other))}; a query that is "
            "resumed may not change it: give it a checkpoint of its own"
        )


def _times(events: pa.Table, design: Design) -> Any:
    if not design.timed:
        return None
    times = events.column("time").fill_null(NO_TIME).to_numpy()
    return None if np.all(times == NO_TIME) else _own(times, np.int64)


def _values(events: pa.Table, d: int) -> Any:
    column = events.column("value").combine_chunks()
    flat = column if d == 1 else column.flatten()
    numbers = flat.fill_null(np.nan).to_numpy(zero_copy_only=False)
    return _own(numbers, np.float64).reshape(len(events), d)


def _own(column: Any, dtype: Any) -> Any:
    """Return a copy: Arrow's memory is read-only, and for such arrays Numba would compile the kernel once more."""
    return np.array(column, dtype, order="C")


def _objects(keys: pa.ChunkedArray) -> Any:
    return keys.to_numpy() if pa.types.is_integer(keys.type) else keys.to_numpy().astype(object)


def tables(verdicts: Verdicts, rows: int) -> Iterator[pa.Table]:
    """Yield the verdicts as Arrow tables of at most ``rows`` rows."""
    for start in range(0, len(verdicts), rows):
        yield verdicts[start : start + rows].to_arrow()


__all__ = ["State", "begun", "judged", "tables"]
