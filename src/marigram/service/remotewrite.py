"""Prometheus remote write 1.0: a WriteRequest, Snappy around protobuf, to samples of series.

Reference: https://prometheus.io/docs/specs/prw/remote_write_spec/.  A stale marker, which says that a series ended, is
no sample: silence is told by the key's own cadence.
"""

from __future__ import annotations

import struct
from http import HTTPStatus
from typing import Final

import pyarrow as pa

from marigram.service.errors import RefusedError
from marigram.service.limits import Limits
from marigram.service.series import Samples, series_name
from marigram.service.wire import double, fields, signed, text, varint

_SNAPPY: Final = pa.Codec("snappy")
_STALE: Final = struct.pack("<Q", 0x7FF0_0000_0000_0002)
_MILLISECOND: Final = 1_000_000
_LAST: Final = (2**63 - 1) // _MILLISECOND


def samples_of(body: bytes, limits: Limits) -> list[Samples]:
    """Return the samples of a request.

    Raises
    ------
    RefusedError
        It is no such request, or too large.
    """
    try:
        size, _ = varint(memoryview(body), 0)  # Snappy's block format begins with it
        if size > limits.body:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {limits.body:,} bytes unpacked"
            )
        message = memoryview(_SNAPPY.decompress(body, size, asbytes=True)) if size else memoryview(b"")
        found = [
            _series(value) for number, value in fields(message) if number == 1 and not isinstance(value, int)
        ]
    except (ValueError, OSError, pa.ArrowException) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"no remote write request: {error}") from error
    if sum(len(series.times) for series in found) > limits.lines:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {limits.lines:,} samples")
    return found


def _series(message: memoryview) -> Samples:
    labels: dict[str, str] = {}
    times, values = list[int](), list[float]()
    for number, value in fields(message):
        if isinstance(value, int):
            continue
        if number == 1:
            pair = dict(fields(value))
            labels[text(pair.get(1, memoryview(b"")))] = text(pair.get(2, memoryview(b"")))
        elif number == 2:
            sample = dict(fields(value))
            raw, stamp = sample.get(1, memoryview(bytes(8))), sample.get(2, 0)
            at = signed(stamp) if isinstance(stamp, int) else 0
            if abs(at) > _LAST:
                raise ValueError(f"a time of {at} ms is outside the years 1677 to 2262")
            if not isinstance(raw, int) and bytes(raw) == _STALE:
                continue
            times.append(at * _MILLISECOND)
            values.append(double(raw))
    name = labels.pop("__name__", "")
    if not name and not labels:
        raise ValueError("a series without labels")
    return Samples(series_name(name, labels), times, values)


__all__ = ["samples_of"]
