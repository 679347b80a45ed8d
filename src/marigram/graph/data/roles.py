"""Columns of tables that are no attributes: times, labels, parts of a split, ids, and ends of edges.

Every refusal names the table, the row (from 0) and the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.cells import NANOSECONDS, epoch_unit, read_labels, read_times
from marigram.graph.data.graph import TimeUnit
from marigram.graph.data.tables import Labels, Part, Times, refuse_first


def encode_times(values: pa.Array, what: str, unit: str | None = None) -> tuple[Times, TimeUnit]:
    """Return a column of times as int64, and what they count.

    Parameters
    ----------
    values
        Timestamps, dates, ISO-8601 texts (UTC unless they say otherwise), or numbers.
    what
        Whose times, for messages.
    unit
        Of numbers: ``s``, ``ms``, ``us``, ``ns`` since 1970, or ``step``; None infers it: whole numbers that lie
        between 1980 and 2100 in one unit count from 1970, others are steps.

    Raises
    ------
    InputError
        A time is missing, no time, or of another unit than the rest.
    """
    refuse_first(_nulls(values), lambda row: f"{what}, row {row}: the time is missing")
    if pa.types.is_string(values.type):
        values = _parse_times(values, what)
    if pa.types.is_temporal(values.type):
        try:
            instants = values.cast(pa.timestamp("ns", getattr(values.type, "tz", None)))
        except pa.ArrowInvalid as error:
            raise InputError(0, f"{what}: a time is too far away to count in nanoseconds: {error}") from error
        return instants.cast(pa.int64()).to_numpy(zero_copy_only=False), "ns"
    numbers = values.to_numpy(zero_copy_only=False)
    if unit in NANOSECONDS and numbers.dtype.kind == "f":
        refuse_first(
            ~np.isfinite(numbers), lambda row: f"{what}, row {row}: time {numbers[row]} is not a number"
        )
        return np.round(numbers * NANOSECONDS[unit]).astype(np.int64), "ns"
    times, kind = read_times(numbers, what)
    known = unit or (epoch_unit(times, what) if kind == "step" else None)
    if known not in NANOSECONDS:
        return times, kind
    scale = NANOSECONDS[known]
    limit = np.iinfo(np.int64).max // scale
    refuse_first(
        np.abs(times) > limit, lambda row: f"{what}, row {row}: {times[row]} {known} is too far away"
    )
    return times * scale, "ns"


def _parse_times(values: pa.Array, what: str) -> pa.Array:
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            continue
    for row in range(len(values)):
        zones = (pa.timestamp("ns"), pa.timestamp("ns", "UTC"))
        if not any(_casts(values[row : row + 1], kind) for kind in zones):
            raise InputError(0, f"{what}, row {row}: {values[row].as_py()!r} is not a time (ISO 8601)")
    raise InputError(0, f"{what}: some times name their offset from UTC and some do not")


def _casts(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def encode_labels(values: pa.Array, what: str, mapping: Mapping[str, int] | None = None) -> Labels:
    """Return a column of labels as int8: 1, 0, and -1 for unknown, which null is too.

    Parameters
    ----------
    values
        Booleans, numbers, or texts that the mapping names.
    what
        Whose labels, for messages.
    mapping
        The source's labels, as text, -> 1, 0 or -1; ``*`` stands for all others, which stay without it.

    Raises
    ------
    InputError
        A label is NaN, or none of these.
    """
    null = _nulls(values)
    given = values
    if pa.types.is_floating(values.type):
        nan = pc.fill_null(pc.is_nan(values), False).to_numpy(zero_copy_only=False)
        refuse_first(nan, lambda row: f"{what}, row {row}: the label is NaN; unknown is -1 or null")
        whole = pc.fill_null(values, -1)
        given = whole.cast(pa.int64()) if _is_whole(whole) else values
    if pa.types.is_boolean(given.type):
        given = given.cast(pa.int8())
    if not pa.types.is_integer(given.type):
        given = given.cast(pa.string())
    encoded = given.dictionary_encode()
    theirs = encoded.dictionary.to_pylist()
    known = {str(key): value for key, value in (mapping or {}).items()}
    rest = known.get("*")
    ours = [known.get(str(value), _own(value) if rest is None else rest) for value in theirs]
    labels = np.where(
        null, -1, np.array(ours or [0])[pc.fill_null(encoded.indices, 0).to_numpy(zero_copy_only=False)]
    )
    refuse_first(
        (labels < -1) | (labels > 1),
        lambda row: (
            f"{what}, row {row}: label {values[row].as_py()!r} is none of 1 (anomalous), 0 (normal), -1 (unknown); "
            "name it in `labels`"
        ),
    )
    return read_labels(labels, what)


_NO_LABEL = 2


def _own(value: Any) -> int:
    """A label that the mapping does not name."""
    return int(value) if str(value) in {"-1", "0", "1"} else _NO_LABEL


def _is_whole(values: pa.Array) -> bool:
    numbers = values.to_numpy(zero_copy_only=False)
    return bool((numbers == np.round(numbers)).all())


def encode_parts(values: pa.Array, what: str) -> NDArray[np.int8]:
    """Return a column of ``train``, ``val`` and ``test`` (null: none) as one split, int8 ``(1, n)``."""
    names = [part.name.lower() for part in Part]
    text = pc.fill_null(values.cast(pa.string()), "none")
    codes = pc.index_in(text, pa.array(names))
    refuse_first(
        _nulls(codes), lambda row: f"{what}, row {row}: {text[row].as_py()!r} is none of {', '.join(names)}"
    )
    parts: NDArray[np.int8] = codes.to_numpy(zero_copy_only=False).astype(np.int8)[None, :]
    return parts


def unique_ids(values: pa.Array, what: str) -> pa.Array:
    """Return the ids as they are; refuses a missing, NaN or repeated one."""
    refuse_missing(values, f"{what}: the id")
    encoded = values.dictionary_encode()
    if len(encoded.dictionary) < len(values):
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        first = np.full(len(encoded.dictionary), -1)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        refuse_first(
            first[codes] != np.arange(len(codes)),
            lambda row: (
                f"{what}, row {row}: duplicate id {values[row].as_py()!r}, first in row {first[codes[row]]}"
            ),
        )
    return values


def refuse_missing(values: pa.Array, what: str) -> None:
    """Refuse null and NaN."""
    refuse_first(_nulls(values), lambda row: f"{what} of row {row} is missing")
    if pa.types.is_floating(values.type):
        refuse_first(
            pc.is_nan(values).to_numpy(zero_copy_only=False), lambda row: f"{what} of row {row} is NaN"
        )


def places_of(
    values: pa.Array, ids: pa.Array | None, count: int, what: str, node_type: str
) -> NDArray[np.int64]:
    """Return which node each value names; without ids the values are the numbers of the nodes.

    Raises
    ------
    InputError
        A value is missing, or no such node exists (a dangling edge).
    """
    refuse_missing(values, what)
    if ids is None:
        if not pa.types.is_integer(values.type):
            raise InputError(
                0, f"{what}: nodes of type {node_type!r} have no ids, so ends of edges must be row numbers"
            )
        places: NDArray[np.int64] = values.cast(pa.int64()).to_numpy(zero_copy_only=False)
        wrong = (places < 0) | (places >= count)
    else:
        if values.type != ids.type:
            values, ids = values.cast(pa.string()), ids.cast(pa.string())
        found = pc.index_in(values, ids)
        wrong = _nulls(found)
        places = pc.fill_null(found, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    refuse_first(
        wrong,
        lambda row: f"{what} of row {row}: there is no node {values[row].as_py()!r} of type {node_type!r}",
    )
    return places


def _nulls(values: pa.Array) -> NDArray[np.bool_]:
    if not values.null_count:
        return np.zeros(len(values), bool)
    missing: NDArray[np.bool_] = pc.is_null(values).to_numpy(zero_copy_only=False)
    return missing


__all__ = ["encode_labels", "encode_parts", "encode_times", "places_of", "refuse_missing", "unique_ids"]
