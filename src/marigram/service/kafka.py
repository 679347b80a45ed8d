"""Events from Kafka, each once: where a partition stands is committed together with the events before it.

Offsets are kept in the ledger, not by the brokers: after a crash the partition is read on from the event behind the
last one that is on the disk.  A message is one JSON object; one that cannot be used is a reject of its batch.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

import apsw

from marigram.engines.kafka.reader import Address, Piece, TopicReader
from marigram.errors import InputError
from marigram.service.sources import KafkaTopic
from marigram.service.tenants import Tenant
from marigram.store.books import Receipt
from marigram.store.database import FullError
from marigram.store.ledger import BusyError

_MOST: Final = 1000
"""Messages of a batch."""
_SECONDS: Final = 0.2
_log = logging.getLogger("marigram.kafka")


class KafkaFeed(threading.Thread):
    """Reads a topic into a tenant until it is told to stop.

    Parameters
    ----------
    tenant
        Whose events they are.
    topic
        What to read.

    Raises
    ------
    ParameterError
        The client of Kafka is not installed, or a setting is none of its.
    """

    def __init__(self, tenant: Tenant, topic: KafkaTopic) -> None:
        super().__init__(name=f"kafka {topic.topic}", daemon=True)
        self._tenant, self._topic = tenant, topic
        self._stopping = threading.Event()
        self._reader = TopicReader(Address(topic.servers, topic.topic, topic.options), missing="earliest")

    def run(self) -> None:
        """Read; what cannot be taken in now is tried again."""
        begun = False
        try:
            while not self._stopping.is_set():
                pieces = self._read() if begun else []
                begun = begun or self._begin()
                for piece in pieces:
                    self._take(piece)
        finally:
            self._reader.close()

    def stop(self) -> None:
        """End, after the batch in hand."""
        self._stopping.set()
        self.join()

    def _begin(self) -> bool:
        """Begin with all partitions where they stand; False while the brokers do not answer."""
        at: dict[str, str] = dict(self._tenant.ledger.read(_positions))
        try:
            partitions = self._reader.partitions(seconds=5.0)
        except InputError as error:
            self._wait(error)
            return False
        if not partitions:
            self._wait("there is no such topic yet")
            return False
        places = {one: int(at[self._source(one)]) for one in partitions if self._source(one) in at}
        self._reader.begin(partitions, places)
        return True

    def _read(self) -> list[Piece]:
        try:
            return self._reader.take(_MOST, _SECONDS)
        except InputError as error:
            self._wait(error)
            return []

    def _wait(self, error: Exception | str) -> None:
        _log.warning("%s: %s", self._topic.topic, error)
        self._stopping.wait(1.0)

    def _take(self, piece: Piece) -> Receipt | None:
        """Hand in messages of one partition; returns when they are on the disk, or the end has come."""
        batch, _ = self._tenant.decoded(b"\n".join(piece.values), "", "lines", "")
        source, span = self._source(piece.partition), f"{piece.offsets[0]}-{piece.offsets[-1]}"
        while not self._stopping.is_set():
            try:
                accepted = self._tenant.ledger.submit(batch, source, span, b"", str(piece.next_offset))
                return accepted.result()
            except (BusyError, FullError) as error:
                self._wait(error)
        return None

    def _source(self, partition: int) -> str:
        return f"kafka:{self._topic.topic}:{partition}"


def _positions(connection: apsw.Connection) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT source, value FROM position").fetchall()
    return [(str(source), str(value)) for source, value in rows]


__all__ = ["KafkaFeed"]
