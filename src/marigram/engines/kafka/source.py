"""A topic as a source of batches: the same columns, rejects and offsets as a file's.

A reject's file is ``kafka://host:port/topic/partition``, and its line the number of the message, from 1: its offset
and one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, final

import msgspec
import numpy as np

from marigram.engines.kafka.reader import Address, Piece, TopicReader
from marigram.errors import InputError, ParameterError
from marigram.events import Batch, KeyNames, Schema, infer
from marigram.events._bytes import PADDING
from marigram.events.decode import LineDecoder, Part
from marigram.events.dialect import sample_of_json
from marigram.events.infer import SAMPLE_ROWS
from marigram.events.lateness import reordered
from marigram.events.lines import Block
from marigram.events.reading import empty_part

_SECONDS: Final = 0.2
_MOST_NAMES: Final = 1 << 20
Choose = Callable[[Sequence[int]], list[int]]


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where each partition stands; as plain JSON values it is what a batch carries."""

    topic: str
    partitions: dict[str, int] = {}
    lines: int = 0
    rejects: int = 0
    blank: int = 0
    ahead: dict[str, int] | None = None


@final
class KafkaSource:
    """An open topic of JSON objects; iterate over it once.

    Parameters
    ----------
    address
        ``kafka://host:port/topic``.
    schema
        What is known of the columns; the rest is inferred from the first messages.
    start
        ``offset`` of the last batch dealt with: the source goes on exactly behind it.
    follow
        Wait for more where all partitions end.
    lateness
        Nanoseconds, as for files; for one partition alone, because the order between several is no part of an offset.
    batch_rows
        Most events of a batch.
    strict
        Raise InputError at the first message that cannot be used.
    choose
        Which of the topic's partitions to read; all of them by default.

    Attributes
    ----------
    schema
        Complete.
    reasons
        Why each column was chosen; empty when nothing was inferred.
    lines, rejects, blank
        Counts so far: ``rows + rejects == lines``; messages without a value are blank.

    Raises
    ------
    InputError
        The brokers do not answer, there is no such topic, it has nothing to infer a schema from, or what follows
        ``start`` is gone.
    ParameterError
        The client is not installed, a setting is wrong, or ``start`` belongs to another topic.
    """

    def __init__(
        self,
        address: str,
        schema: Schema | None = None,
        *,
        start: Mapping[str, Any] | None = None,
        follow: bool = False,
        lateness: int | None = None,
        batch_rows: int = 32_768,
        strict: bool = False,
        choose: Choose = list,
    ) -> None:
        self._address = Address.parse(address)
        self._follow, self._lateness, self._rows, self._strict = follow, lateness, batch_rows, strict
        self.schema, self.reasons = schema or Schema(), list[str]()
        self._start = Place(str(self._address)) if start is None else _place(start, self._address)
        self.lines, self.rejects, self.blank = self._start.lines, self._start.rejects, self._start.blank
        self._at = dict(self._start.partitions)
        self._names = KeyNames()
        self._ahead: list[Piece] = []
        self._stopped = False
        self._reader = TopicReader(self._address)
        try:
            self._begin(choose)
            self._complete()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Batch]:
        if self._lateness is None:
            return self._batches()
        start = msgspec.to_builtins(self._start)
        return reordered(
            self._batches(), self._lateness, start, ended=lambda: not self._follow, rows=self._rows
        )

    def close(self) -> None:
        """Let the brokers go."""
        self._reader.close()

    def _begin(self, choose: Choose) -> None:
        found = self._reader.partitions()
        if not found:
            raise InputError(0, f"{self._address}: there is no such topic")
        self._chosen = choose(found)
        if self._lateness is not None and (self._lateness < 0 or len(self._chosen) > 1):
            told = (
                f"{self._address} has {len(self._chosen)} partitions, and the order between them is not kept"
            )
            raise ParameterError(
                f"lateness cannot be kept: {told}; read one a process, as with --shard"
                if self._lateness >= 0
                else f"lateness cannot be kept: {self._lateness} ns is negative"
            )
        at = {int(partition): offset for partition, offset in self._at.items()}
        for partition in self._chosen:
            low, high = self._reader.marks(partition)
            if partition in at and not low <= at[partition] <= high:
                raise InputError(
                    0,
                    f"{self._address}, partition {partition}: the last run stood at {at[partition]}, and there are now "
                    f"messages {low} to {high}: what follows it is gone",
                )
        self._reader.begin(self._chosen, at)

    @property
    def _at_end(self) -> bool:
        return self._reader.ended >= set(self._chosen)

    def _complete(self) -> None:
        """Infer what was not told from the first messages, which are kept for later."""
        while not self.schema.is_complete:
            self._ahead += self._reader.take(self._rows, _SECONDS)
            lines = [line for piece in self._ahead for line in piece.values if line.strip()]
            rows = sample_of_json(lines[: 2 * SAMPLE_ROWS])
            if rows and (len(rows) >= SAMPLE_ROWS or self._at_end):
                self.schema, self.reasons = infer(rows, self.schema)
            elif self._at_end and not self._follow:
                raise InputError(0, f"no rows in {self._address}")
        self.schema = msgspec.structs.replace(self.schema, format="jsonl")
        if self._lateness is not None and not self.schema.time:
            raise ParameterError("lateness cannot be kept: no column is the time")

    def _batches(self) -> Iterator[Batch]:
        try:
            while True:
                pieces, self._ahead = self._ahead or self._reader.take(self._rows, _SECONDS), []
                for piece in pieces:
                    yield from self._of_piece(piece)
                if not pieces:
                    if self._at_end and not self._follow:
                        return
                    yield self._batch(empty_part(self.schema, 0, 1), None, None)
        finally:
            self.close()

    def _of_piece(self, piece: Piece) -> Iterator[Batch]:
        """Yield the events of one partition's messages."""
        if len(self._names) > _MOST_NAMES:
            self._names = KeyNames()
        name = f"{self._address}/{piece.partition}"
        decoder = LineDecoder(self.schema, name, None, self._names, self._rows, slow_bytes=0)
        raw = bytearray(b"\n".join(piece.values) + b"\n")
        end = len(raw)
        raw += bytes(PADDING)
        before = 0
        for part in decoder.decode(Block(np.frombuffer(raw, np.uint8), raw, 0, end, 0, 1)):
            part.rejects = [
                msgspec.structs.replace(one, line=piece.offsets[one.line - 1] + 1) for one in part.rejects
            ]
            done = part.line - 1
            yield self._batch(part, piece.partition, piece.offsets[done - 1] + 1 if done > before else None)
            before = done

    def _batch(self, part: Part, partition: int | None, next_offset: int | None) -> Batch:
        if part.rejects and self._strict:
            first = part.rejects[0]
            raise InputError(first.line, f"{first.reason} ({first.file})")
        self.lines += len(part.values) + len(part.rejects)
        self.rejects += len(part.rejects)
        self.blank += part.blank
        if partition is not None and next_offset is not None:
            self._at[str(partition)] = next_offset
        place = Place(str(self._address), dict(self._at), self.lines, self.rejects, self.blank)
        return Batch(
            values=part.values[:, 0] if self.schema.d == 1 else part.values,
            times=part.times,
            key_codes=part.codes,
            key_names=self._names,
            ids=part.ids,
            rejects=part.rejects,
            lines=self.lines,
            offset=msgspec.to_builtins(place),
            notices=part.notices,
        )


def _place(start: Mapping[str, Any], address: Address) -> Place:
    """Read the place to resume at, and make sure that it is one of this topic."""
    try:
        place = msgspec.convert(start, Place)
    except msgspec.ValidationError as error:
        raise ParameterError(f"start is no offset of a topic: {error}") from error
    if place.topic != str(address):
        raise ParameterError(f"cannot resume: the last run read {place.topic}, and now it is {address}")
    return place


__all__ = ["KafkaSource", "Place"]
