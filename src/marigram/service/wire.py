"""Just enough of the protobuf wire format to read remote write: fields of messages, nothing of it believed.

Reference: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_VARINT, _EIGHT, _TEXT, _FOUR = 0, 1, 2, 5
_LONGEST = 10


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (number, value) of each field: an integer, or bytes (those of a double too).

    Raises
    ------
    ValueError
        The bytes are no message.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = varint(message, at)
            yield number, value
            continue
        size = {_EIGHT: 8, _FOUR: 4}.get(kind)
        if kind == _TEXT:
            size, at = varint(message, at)
        if size is None or number == 0 or at + size > end:
            raise ValueError(f"no message: field {number} of type {kind} at byte {at}")
        yield number, message[at : at + size]
        at += size


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the integer that begins at a byte, and where it ends."""
    value = 0
    for i in range(_LONGEST):
        if at + i >= len(message):
            raise ValueError("no message: it ends within a number")
        byte = message[at + i]
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + i + 1
    raise ValueError("no message: a number without end")


def signed(value: int) -> int:
    """Return an int64 that was sent as a varint."""
    return value - (1 << 64) if value >> 63 else value


def double(value: int | memoryview) -> float:
    """Return a double."""
    if isinstance(value, int) or len(value) != 8:
        raise ValueError("no message: a double has eight bytes")
    number: float = struct.unpack("<d", value)[0]
    return number


def text(value: int | memoryview) -> str:
    """Return a string; ValueError unless it is UTF-8."""
    if isinstance(value, int):
        raise ValueError("no message: a text is no number")
    return str(value, "utf-8")


__all__ = ["double", "fields", "signed", "text", "varint"]
