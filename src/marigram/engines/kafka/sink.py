"""Verdicts as messages of a topic: JSON, under the event's key, each once although nothing can be taken back.

What a file would be cut back to after a crash is in the topic for good. But the verdicts that follow a state are the
same however often they are made. So a sink that goes on from a position reads what the topic has behind it, and leaves
out each verdict (a key and its ``seq``) that is there already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import msgspec
import numpy as np

from marigram.engines.kafka.reader import Address, TopicReader, client
from marigram.errors import InputError, ParameterError
from marigram.verdicts import Verdicts

_MOST = 10_000
_SECONDS = 60.0


class _Told(msgspec.Struct):
    """What of a message says which verdict it is."""

    key: str | int | None = None
    seq: int = -1


@final
class KafkaSink:
    """Writes verdicts to a topic; a sink as those of files are.

    Parameters
    ----------
    address
        ``kafka://host:port/topic``.  The topic must exist, unless the brokers make it with its first message.
    start
        The position that the last ``flush`` returned: verdicts that the topic has behind it are not written again.

    Raises
    ------
    ParameterError
        The client is not installed, a setting is wrong, or ``start`` is no position of this sink.
    InputError
        The brokers do not answer.
    """

    def __init__(self, address: str, *, start: Mapping[str, int] | None = None) -> None:
        self._address = Address.parse(address)
        settings = {"linger.ms": 20, "compression.type": "lz4", **self._address.options}
        self._producer = client("Producer", self._address, settings | {"enable.idempotence": True})
        self._failure: str | None = None
        self._there = set() if start is None else self._behind(start)

    def write(self, verdicts: Verdicts) -> None:
        """Hand on rows; raises ``InputError`` when earlier ones could not be delivered."""
        keys, seqs = verdicts["key"], verdicts["seq"].tolist()
        for key, seq, line in zip(keys, seqs, verdicts.json_lines().splitlines(), strict=True):
            plain = key.item() if isinstance(key, np.generic) else key
            if self._there and (plain, seq) in self._there:
                self._there.discard((plain, seq))
                continue
            self._produce(line, None if plain is None else str(plain).encode())
        self._producer.poll(0)
        self._refuse_if_failed()

    def flush(self) -> dict[str, int]:
        """Wait until everything is with the brokers; return where each partition then ends."""
        left = self._producer.flush(_SECONDS)
        self._refuse_if_failed()
        if left:
            raise InputError(0, f"{self._address}: {left} verdicts were not taken within {_SECONDS:.0f} s")
        reader = TopicReader(self._address)
        try:
            return {str(partition): reader.marks(partition)[1] for partition in reader.partitions()}
        finally:
            reader.close()

    def close(self) -> None:
        """Deliver what is left."""
        self.flush()

    def _produce(self, line: bytes, key: bytes | None) -> None:
        while True:
            try:
                self._producer.produce(self._address.topic, line, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(0.1)
                self._refuse_if_failed()
            else:
                return

    def _delivered(self, error: Any, _: Any) -> None:
        if error is not None and self._failure is None:
            self._failure = str(error.str())

    def _refuse_if_failed(self) -> None:
        if self._failure is not None:
            raise InputError(0, f"{self._address}: verdicts could not be delivered: {self._failure}")

    def _behind(self, start: Mapping[str, int]) -> set[tuple[str | int | None, int]]:
        """Return which verdicts the topic has behind a position."""
        try:
            at = {int(partition): int(offset) for partition, offset in start.items()}
        except ValueError as error:
            raise ParameterError(f"start is no position of a topic: {dict(start)}") from error
        reader = TopicReader(self._address)
        try:
            partitions = reader.partitions()
            reader.begin(partitions, {one: at.get(one, 0) for one in partitions})
            found: set[tuple[str | int | None, int]] = set()
            while not reader.ended >= set(partitions):
                for piece in reader.take(_MOST, 0.2):
                    told = (_told(value) for value in piece.values)
                    found.update((one.key, one.seq) for one in told if one is not None)
            return found
        finally:
            reader.close()


def _told(value: bytes) -> _Told | None:
    """Which verdict a message is; None when it is none, because others may write to the topic, too."""
    try:
        return msgspec.json.decode(value, type=_Told)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


__all__ = ["KafkaSink"]
