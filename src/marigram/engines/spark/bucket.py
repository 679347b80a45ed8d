"""One bucket through one batch: order, lateness, keys to records, kernel, verdicts.  Knows nothing of Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from marigram.engines.spark.design import Design
from marigram.engines.spark.ordering import held_back, in_order
from marigram.engines.spark.pages import Pages
from marigram.engines.spark.shelf import Store, shelf_of
from marigram.errors import ParameterError
from marigram.fleet.columns import NO_TIME
from marigram.verdicts import Verdicts


class State(Store, Protocol):
    """What is kept of one bucket from batch to batch."""

    def design(self) -> bytes | None:
        """Return what :meth:`keep_design` was told, None at the beginning."""

    def keep_design(self, content: bytes) -> None:
        """Keep what the state is of."""

    def held(self) -> bytes | None:
        """Return the events that wait."""

    def keep_held(self, content: bytes) -> None:
        """Replace the events that wait."""


def judged(
    design: Design,
    state: State,
    events: pa.Table,
    *,
    copies: Path | None = None,
    renew: bool = False,
    final: bool = False,
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
    copies
        Folder on this machine for what need not be asked of the state again; see `copies.py`.
    renew
        Rewrite every touched page and its names, so that both live as long, and keep no copy.
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
    keys, times, values = due.column("key"), _times(due, design), _values(due, design.d)
    with shelf_of(design, state, copies, whole=renew) as shelf:
        pages = Pages(design, shelf.roster.numbers(keys))
        pages.load(shelf.take(pages.keys))
        columns = pages.judge(values, times)
        shelf.keep(pages.words_of)
    ids = due.column("id").to_pylist() if "id" in due.column_names else None
    value = values[:, 0] if design.d == 1 else values
    return Verdicts(value=value, key=_objects(keys), id=ids, time=times, **columns)


def begun(design: Design, state: State, keys: pa.Table, *, renew: bool = False) -> None:
    """Take keys that have learned elsewhere into a bucket: columns ``key`` and ``record``, its bytes."""
    _check(design, state)
    with shelf_of(design, state, None, whole=renew) as shelf:
        pages = Pages(design, shelf.roster.numbers(keys.column("key")))
        pages.load(shelf.take(pages.keys))
        pages.put(keys.column("record").to_pylist())
        shelf.keep(pages.words_of)


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
