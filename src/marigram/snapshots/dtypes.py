"""Array types as JSON, and the bytes of a record that belong to no field."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.errors import SnapshotError

Array: TypeAlias = NDArray[Any]

_SIMPLE = re.compile(r"[<|>][biufcSUmM][0-9]+(\[[0-9]*[a-zA-Z]+\])?")


def encode_dtype(dtype: np.dtype[Any]) -> Any:
    """Return a dtype as JSON: a string for a plain one, ``[base, shape]`` for a subarray, an object for a record."""
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [encode_dtype(base), list(shape)]
    if dtype.names is not None and dtype.fields is not None:
        fields = [[name, encode_dtype(dtype.fields[name][0]), dtype.fields[name][1]] for name in dtype.names]
        return {"fields": fields, "itemsize": dtype.itemsize, "aligned": dtype.isalignedstruct}
    if dtype.hasobject or not _SIMPLE.fullmatch(dtype.str):
        raise SnapshotError(
            f"an array of {dtype} cannot be saved: only numbers, fixed-size text and records of them"
        )
    return dtype.str


def decode_dtype(form: Any) -> np.dtype[Any]:
    """Return the dtype that ``encode_dtype`` described; ``SnapshotError`` for anything else."""
    try:
        if isinstance(form, str) and _SIMPLE.fullmatch(form):
            return np.dtype(form)
        if isinstance(form, list):
            base, shape = form
            return np.dtype((decode_dtype(base), tuple(int(size) for size in shape)))
        fields = form["fields"]
        names, formats, offsets = (
            [f[0] for f in fields],
            [decode_dtype(f[1]) for f in fields],
            [f[2] for f in fields],
        )
        layout = {"names": names, "formats": formats, "offsets": offsets, "itemsize": form["itemsize"]}
        return np.dtype(layout, align=bool(form["aligned"]))  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, KeyError, IndexError, RecursionError) as error:
        raise SnapshotError(
            f"the snapshot describes an array type that is not known here: {form!r}"
        ) from error


@cache
def unused_bytes(dtype: np.dtype[Any]) -> list[slice]:
    """Return the stretches of an item's bytes where no field lies."""
    edges = np.flatnonzero(np.diff(_unused(dtype), prepend=False, append=False))
    return [slice(start, stop) for start, stop in edges.reshape(-1, 2).tolist()]


def _unused(dtype: np.dtype[Any]) -> NDArray[np.bool_]:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.tile(_unused(base), int(np.prod(shape)))
    if dtype.fields is None or dtype.names is None:
        return np.zeros(dtype.itemsize, np.bool_)
    unused = np.ones(dtype.itemsize, np.bool_)
    for name in dtype.names:
        inner, offset = dtype.fields[name][:2]
        unused[offset : offset + inner.itemsize] = _unused(inner)
    return unused


__all__ = ["decode_dtype", "encode_dtype", "unused_bytes"]
