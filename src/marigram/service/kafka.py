"""Events from Kafka, each once: where a partition stands is committed together with the events before it.

Offsets are kept in the ledger, not by the brokers: after a crash the partition is read on from the event behind the
last one that is on the disk.  A message is one JSON object; one that cannot be used is a reject of its batch.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import apsw
import msgspec

from marigram.errors import ParameterError
from marigram.service.tenants import KafkaTopic, Tenant
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
        self._consumer = _consumer(topic)

    def run(self) -> None:
        """Read; what cannot be taken in now is tried again."""
        assigned = False
        try:
            while not self._stopping.is_set():
                if not assigned:
                    assigned = self._assign()
                    continue
                messages = [one for one in self._consumer.consume(_MOST, _SECONDS) if one.error() is None]
                messages.sort(key=lambda one: (one.partition(), one.offset()))
                for partition, part in groupby(messages, key=lambda one: one.partition()):
                    self._take(partition, list(part))
        finally:
            self._consumer.close()

    def stop(self) -> None:
        """End, after the batch in hand."""
        self._stopping.set()
        self.join()

    def _assign(self) -> bool:
        """Begin with all partitions where they stand; False while the brokers do not answer."""
        import confluent_kafka as kafka

        try:
            found = self._consumer.list_topics(self._topic.topic, timeout=5.0).topics[self._topic.topic]
        except kafka.KafkaException as error:
            _log.warning("%s: %s", self._topic.topic, error)
            self._stopping.wait(1.0)
            return False
        at: dict[str, str] = dict(self._tenant.ledger.read(_positions))
        places = []
        for partition in sorted(found.partitions):
            known = at.get(self._source(partition))
            offset = kafka.OFFSET_BEGINNING if known is None else int(known)
            places.append(kafka.TopicPartition(self._topic.topic, partition, offset))
        self._consumer.assign(places)
        return bool(places)

    def _take(self, partition: int, messages: Sequence[Any]) -> Receipt | None:
        """Hand in messages of one partition; returns when they are on the disk, or the end has come."""
        lines = [(one.value() or b"").replace(b"\n", b" ") for one in messages]
        batch, _ = self._tenant.decoded(b"\n".join(lines), "", "lines", "")
        first, last = messages[0].offset(), messages[-1].offset()
        while not self._stopping.is_set():
            try:
                accepted = self._tenant.ledger.submit(
                    batch, self._source(partition), f"{first}-{last}", b"", str(last + 1)
                )
                return accepted.result()
            except (BusyError, FullError) as error:
                _log.warning("%s: %s", self._topic.topic, error)
                self._stopping.wait(1.0)
        return None

    def _source(self, partition: int) -> str:
        return f"kafka:{self._topic.topic}:{partition}"


def _positions(connection: apsw.Connection) -> list[tuple[str, str]]:
    rows = connection.execute("SELECT source, value FROM position").fetchall()
    return [(str(source), str(value)) for source, value in rows]


def topics_of(config: object) -> tuple[KafkaTopic, ...]:
    """Return the topics that a configuration lists; ``ParameterError`` says what is wrong with one."""
    try:
        return msgspec.convert(config, tuple[KafkaTopic, ...])
    except msgspec.ValidationError as error:
        raise ParameterError(f"[[kafka]]: {error}") from error


def _consumer(topic: KafkaTopic) -> Any:
    try:
        import confluent_kafka as kafka
    except ImportError as error:
        raise ParameterError('Kafka needs its client: pip install "marigram[kafka]"') from error
    settings = {
        "isolation.level": "read_committed",
        **topic.options,
        "bootstrap.servers": topic.servers,
        "group.id": "marigram",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    }
    try:
        return kafka.Consumer(settings)
    except kafka.KafkaException as error:
        raise ParameterError(f"[[kafka]] {topic.topic}: {error}") from error


__all__ = ["KafkaFeed", "topics_of"]
