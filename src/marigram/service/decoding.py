"""The body of a request to a batch: JSON lines, one JSON array, or an Arrow stream.

Lines go through the readers of :mod:`marigram.events`, in compiled code; every line that cannot be used is told with
its number and the reason.  Nothing is believed of a body: it is bounded in bytes and lines, Arrow is checked before
anything is computed with it, and may not be packed within (a few bytes could say that they are gigabytes).
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from marigram.errors import InputError, ParameterError
from marigram.events import Batch, Reject, Schema, infer
from marigram.events._bytes import PADDING
from marigram.events.decode import LineDecoder, Part
from marigram.events.dialect import sample_of_json
from marigram.events.infer import SAMPLE_ROWS
from marigram.events.inputs import check_columns
from marigram.events.keys import KeyNames
from marigram.events.lines import Block
from marigram.events.tables import TableDecoder, plain_cells
from marigram.service.errors import RefusedError
from marigram.service.limits import Limits

Form: TypeAlias = Literal["lines", "array", "arrow"]

NAME: Final = "request"
_ROWS: Final = 1 << 14
_MOST_NAMES: Final = 1 << 20
_CLIP: Final = 256
"""Bytes of a line that cannot be used that are kept."""
_LINES: Final = ("application/x-ndjson", "application/jsonl", "text/plain")
_EITHER: Final = ("", "application/json", "application/octet-stream", "application/x-www-form-urlencoded")
"""The last is what curl says when it is told nothing."""
_RECORDS, _DICTIONARY = 3, 2
"""Types of a message of Arrow."""


def form_of(content_type: str, body: bytes) -> Form:
    """Return what a body is, by its type and its first byte.

    Raises
    ------
    RefusedError
        It is of a type that is not taken.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/vnd.apache.arrow.stream":
        return "arrow"
    if kind in _LINES:
        return "lines"
    if kind not in _EITHER:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/x-ndjson, application/json or application/vnd.apache.arrow.stream",
        )
    return "array" if body.lstrip(b" \t\r\n")[:1] == b"[" else "lines"


class Decoder:
    """Reads the bodies of one tenant.

    Parameters
    ----------
    schema
        What is known of the columns; the rest is inferred from the first body that has rows.

    Attributes
    ----------
    schema
        Complete once a body was read.
    reasons
        How the schema was inferred.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.reasons: list[str] = []
        self._lock = threading.Lock()
        self._begin()

    def decode(self, body: bytes, form: Form, limits: Limits) -> Batch:
        """Return the events of a body.

        Raises
        ------
        RefusedError
            It is no such body, or has too many lines.
        InputError, ParameterError
            Its columns cannot be understood.
        """
        with self._lock:
            if len(self._names) > _MOST_NAMES:
                self._begin()
            if form == "arrow":
                return self._joined(list(self._tables(body, limits)))
            text = _lines_of(body) if form == "array" else body
            if text.count(b"\n") >= limits.lines:
                raise RefusedError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"a body may have {limits.lines:,} lines; send smaller batches",
                )
            return self._joined(list(self._parts(text)))

    def _begin(self) -> None:
        """Take a new list of keys, whose table is made at once: another thread reads it while it grows."""
        self._names = KeyNames()
        self._names.codes_in(np.zeros(0, np.uint8), np.zeros((0, 2), np.int64))
        self._decoder: LineDecoder | None = None

    def _complete(self, rows: list[Any]) -> bool:
        if not self.schema.is_complete:
            if not rows:
                return False
            self.schema, self.reasons = infer(rows, self.schema)
            self._decoder = None
        return True

    def _parts(self, text: bytes) -> Iterator[Part]:
        lines = [line for line in text.split(b"\n", 2 * SAMPLE_ROWS)[: 2 * SAMPLE_ROWS] if line.strip()]
        if not self.schema.is_complete and not self._complete(sample_of_json(lines)):
            yield self._unread(text)
            return
        if self._decoder is None:
            self._decoder = LineDecoder(self.schema, NAME, None, self._names, _ROWS, slow_bytes=0)
        raw = bytearray(text)
        if not raw.endswith(b"\n"):
            raw += b"\n"
        end = len(raw)
        raw += bytes(PADDING)
        yield from self._decoder.decode(Block(np.frombuffer(raw, np.uint8), raw, 0, end, 0, 1))

    def _unread(self, text: bytes) -> Part:
        """Reject every line: none shows what the columns are."""
        reason = "none of the first lines is a JSON object that shows which columns there are"
        rejects = [
            Reject(NAME, number, reason, line[:_CLIP])
            for number, line in enumerate(text.split(b"\n"), 1)
            if line.strip()
        ]
        return Part(np.empty((0, 1)), None, None, None, rejects, 0, 1, 0)

    def _tables(self, body: bytes, limits: Limits) -> Iterator[Part]:
        try:
            _check_messages(body)
            with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
                fields, row, decoder = reader.schema, 1, None
                for batch in reader:
                    if row - 1 + batch.num_rows > limits.lines:
                        raise RefusedError(
                            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {limits.lines:,} rows"
                        )
                    batch.validate(full=True)
                    if decoder is None:
                        decoder = self._table_decoder(batch, fields)
                    yield decoder.decode(batch.select(list(self.schema.columns)), row)
                    row += batch.num_rows
        except (pa.ArrowException, OSError, struct.error, ValueError) as error:
            if isinstance(error, ParameterError):
                raise
            told = str(error).partition("\n")[0]
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"no readable Arrow stream: {told}") from error

    def _table_decoder(self, batch: pa.RecordBatch, fields: pa.Schema) -> TableDecoder:
        if not self.schema.is_complete:
            cells = {name: plain_cells(batch.column(name).slice(0, SAMPLE_ROWS)) for name in fields.names}
            self._complete([dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)])
        check_columns(self.schema, fields.names, NAME)
        return TableDecoder(self.schema, NAME, fields, self._names)

    def _joined(self, parts: list[Part]) -> Batch:
        schema = self.schema
        values = np.concatenate([part.values for part in parts]) if parts else np.empty((0, schema.d or 1))
        rejects = [
            msgspec.structs.replace(reject, raw=reject.raw[:_CLIP])
            for part in parts
            for reject in part.rejects
        ]
        return Batch(
            values=values[:, 0] if values.shape[1] == 1 else values,
            times=_column([part.times for part in parts]) if schema.time else None,
            key_codes=_column([part.codes for part in parts]) if schema.key else None,
            key_names=self._names,
            ids=_column([part.ids for part in parts]) if schema.id else None,
            rejects=rejects,
            lines=len(values) + len(rejects),
            offset={},
        )


def _column(parts: list[Any]) -> Any:
    told = [part for part in parts if part is not None]
    return np.concatenate(told) if told else np.empty(0, np.int64)


def _lines_of(body: bytes) -> bytes:
    """Return the elements of a JSON array as lines."""
    try:
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"no JSON array: {error}") from error
    return b"\n".join(bytes(element).replace(b"\n", b" ") for element in elements)


def _check_messages(body: bytes) -> None:
    """Refuse an Arrow stream in which buffers are packed; the layout is that of its Message.fbs."""
    source = pa.BufferReader(body)
    for message in pa.ipc.MessageReader.open_stream(source):
        table = message.metadata.to_pybytes()
        root = struct.unpack_from("<I", table, 0)[0]
        kind = _field(table, root, 1)
        header = _field(table, root, 2)
        if kind is None or header is None:
            continue
        which = table[kind]
        records = header + struct.unpack_from("<I", table, header)[0]
        if which == _DICTIONARY:
            data = _field(table, records, 1)
            if data is None:
                continue
            records = data + struct.unpack_from("<I", table, data)[0]
        if which in (_RECORDS, _DICTIONARY) and _field(table, records, 3) is not None:
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "packed Arrow buffers are not taken; pack the whole body and say so in Content-Encoding",
            )


def _field(table: bytes, at: int, number: int) -> int | None:
    """Return where a field of a flatbuffer's table lies, None when it is absent."""
    virtual = at - struct.unpack_from("<i", table, at)[0]
    size = struct.unpack_from("<H", table, virtual)[0]
    place = 4 + 2 * number
    offset = struct.unpack_from("<H", table, virtual + place)[0] if place < size else 0
    return at + offset if offset else None


__all__ = ["Decoder", "Form", "InputError", "form_of"]
