"""Arrays in the safetensors format, which every framework reads and in which nothing can run.

Eight bytes with the length of a header, the header as JSON, then the arrays one after another. The header names each
with its type, shape and place, and under ``__metadata__`` texts of our own. Written and read here, so that no package
is needed (https://github.com/huggingface/safetensors, "Format").
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import SnapshotError

_TYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "I16": np.int16, "I32": np.int32, "I64": np.int64,
    "F16": np.float16, "F32": np.float32, "F64": np.float64,
}  # fmt: skip
_NAMES = {np.dtype(known): name for name, known in _TYPES.items()}
_ABOUT = "__metadata__"


def pack_tensors(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str]) -> bytes:
    """Return a file of named arrays and texts; ``SnapshotError`` for a type that the format does not know."""
    sink = io.BytesIO()
    write_tensors(sink, arrays, about)
    return sink.getvalue()


def write_tensors(sink: BinaryIO, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str]) -> None:
    """Write what :func:`pack_tensors` returns, array by array."""
    header: dict[str, Any] = {_ABOUT: dict(about)}
    end = 0
    for name, array in in_order(arrays):
        if array.dtype not in _NAMES or name == _ABOUT:
            raise SnapshotError(f"an array {name!r} of {array.dtype} cannot be saved")
        place = [end, end := end + array.nbytes]
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": place}
    text = msgspec.json.encode(header)
    text += b" " * (-len(text) % 8)
    sink.write(len(text).to_bytes(8, "little") + text)
    for _, array in in_order(arrays):
        sink.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def in_order(arrays: Mapping[str, NDArray[Any]]) -> list[tuple[str, NDArray[Any]]]:
    """Return arrays as they lie in a file: the widest types first, so that each lies where its type wants it."""
    return sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))


def unpack_tensors(content: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays and texts of a file; ``SnapshotError`` when it is no such file or contradicts itself."""
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        if len(content) < 8 or start > len(content):
            raise ValueError("it is shorter than it says")
        header: dict[str, Any] = msgspec.json.decode(content[8:start])
        about = msgspec.convert(header.pop(_ABOUT, {}), dict[str, str])
        arrays, end = {}, 0
        for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            first, last = told["data_offsets"]
            if first != end or not first <= last <= len(content) - start:
                raise ValueError(f"{name!r} does not lie where the one before it ends")
            block: NDArray[Any] = np.frombuffer(content[start + first : start + last], _TYPES[told["dtype"]])
            arrays[name], end = block.reshape(told["shape"]).copy(), last
        if start + end != len(content):
            raise ValueError("bytes are left over")
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.MsgspecError) as error:
        raise SnapshotError(f"this is not a file of tensors: {error}") from error
    return arrays, about


__all__ = ["in_order", "pack_tensors", "unpack_tensors", "write_tensors"]
