"""What one request, and all requests together, may take: bytes, lines, events a second."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pyarrow as pa

from marigram.errors import ParameterError
from marigram.service.errors import RefusedError
from marigram.store.ledger import BusyError

_STEP = 1 << 16


@dataclass(frozen=True)
class Limits:
    """Bounds of what is taken in.

    Parameters
    ----------
    body
        Bytes of one request, as sent and unpacked.
    lines
        Lines, or rows, of one request.
    bodies
        Bytes of all requests that are being read.
    rate
        Events a second of one tenant, in the mean; None for no bound.
    burst
        Seconds of that rate that may come at once.
    """

    body: int = 1 << 24
    lines: int = 50_000
    bodies: int = 1 << 27
    rate: float | None = None
    burst: float = 10.0

    def __post_init__(self) -> None:
        if min(self.body, self.lines, self.bodies) < 1 or self.bodies < self.body:
            raise ParameterError("body, lines and bodies must be at least 1, and bodies no less than body")
        if self.rate is not None and not self.rate > 0:
            raise ParameterError(f"rate must be positive, not {self.rate}")


class Budget:
    """Bytes that requests hold together."""

    def __init__(self, most: int) -> None:
        self._most, self.held = most, 0

    def take(self, count: int) -> None:
        """Hold more; raises BusyError when there is no room."""
        if self.held + count > self._most:
            raise BusyError(1)
        self.held += count

    def give(self, count: int) -> None:
        """Let go of some."""
        self.held -= count


class Rate:
    """A bucket of events that fills at a rate.

    Parameters
    ----------
    limits
        Rate and burst.
    clock
        Seconds that never go back.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = limits.rate, clock
        self._most = self._level = 0.0 if limits.rate is None else limits.rate * limits.burst
        self._at = clock()

    def take(self, events: int) -> None:
        """Take so many events out; raises BusyError while the bucket is empty: it may become less than empty."""
        if self._rate is None:
            return
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now
        if self._level <= 0.0:
            raise BusyError(max(1, round(-self._level / self._rate + 0.5)))
        self._level -= events


async def whole(chunks: AsyncIterator[bytes], announced: str | None, limits: Limits, budget: Budget) -> bytes:
    """Read a body; the budget is given back when it is read, and its caller holds what it keeps."""
    too_large = RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {limits.body:,} bytes; send smaller batches"
    )
    if announced is not None and (not announced.isdecimal() or int(announced) > limits.body):
        raise too_large
    parts, size = [], 0
    try:
        async for chunk in chunks:
            if size + len(chunk) > limits.body:
                raise too_large
            budget.take(len(chunk))
            size += len(chunk)
            parts.append(chunk)
    finally:
        budget.give(size)
    return b"".join(parts)


@contextmanager
def held(budget: Budget, count: int) -> Any:
    """Hold bytes of a budget for a while."""
    budget.take(count)
    try:
        yield
    finally:
        budget.give(count)


def unpack(body: bytes, encoding: str, limits: Limits) -> bytes:
    """Take gzip or zstd off a body, never beyond the bound.

    Raises
    ------
    RefusedError
        It is damaged, grows beyond the bound, or is packed in another way.
    """
    if encoding in ("", "identity"):
        return body
    try:
        if encoding == "gzip":
            unpacked = _gunzip(body, limits.body + 1)
        elif encoding == "zstd":
            unpacked = _unzstd(body, limits.body + 1)
        else:
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Content-Encoding must be gzip, zstd or identity",
                {"Accept-Encoding": "gzip, zstd"},
            )
    except (zlib.error, EOFError, OSError, pa.ArrowException) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the {encoding} data are damaged: {error}") from error
    if len(unpacked) > limits.body:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {limits.body:,} bytes when it is unpacked"
        )
    return unpacked


def _gunzip(body: bytes, most: int) -> bytes:
    out, rest = bytearray(), body
    while rest and len(out) < most:
        member = zlib.decompressobj(wbits=31)
        out += member.decompress(rest, most - len(out))
        if not member.eof and len(out) < most:
            raise EOFError("they end in the middle")
        rest = member.unused_data
    return bytes(out)


def _unzstd(body: bytes, most: int) -> bytes:
    out = bytearray()
    with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
        while len(out) < most and (piece := stream.read(min(_STEP, most - len(out)))):
            out += piece
    return bytes(out)


__all__ = ["Budget", "Limits", "Rate", "held", "unpack", "whole"]
