"""Messages of a topic from places that somebody else keeps: a state, a ledger; never the brokers.

What was read of a partition is committed together with what came of it, by whoever reads. After a crash the partition
is read on from there, so nothing is lost and nothing counted twice, whatever the brokers believe.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, Self, final
from urllib.parse import parse_qsl, unquote

from marigram.errors import InputError, ParameterError

SCHEME = "kafka:"
_ADDRESS = re.compile(
    r"kafka:/{1,2}(?P<servers>[^/?]+)/(?P<topic>[A-Za-z0-9._-]{1,249})(?:\?(?P<options>.*))?"
)
_OURS = frozenset(("bootstrap.servers", "group.id", "enable.auto.commit", "auto.offset.reset"))
_SECONDS = 10.0
_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Address:
    """A topic, its brokers, and settings of the client.

    Examples
    --------
    >>> Address.parse("kafka://a:9092,b:9092/load?client.id=tide")
    Address(servers='a:9092,b:9092', topic='load', options={'client.id': 'tide'})
    """

    servers: str
    topic: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``kafka://host:port[,…]/topic[?setting=value&…]``; raises ``ParameterError``.

        One slash is as good as two, because a path keeps only one.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ParameterError(f"{text!r} is no topic of Kafka: write kafka://host:port/topic")
        options = {unquote(name): value for name, value in parse_qsl(match["options"] or "")}
        taken = sorted(_OURS & options.keys())
        if taken:
            raise ParameterError(f"{text!r}: {taken[0]} is not for the caller to set")
        return cls(match["servers"], match["topic"], options)

    def __str__(self) -> str:
        return f"kafka://{self.servers}/{self.topic}"


def is_address(path: object) -> bool:
    """Return whether a path or text means a topic."""
    return str(path).startswith(SCHEME)


class Piece(NamedTuple):
    """Messages of one partition, in order; what is no message any more (a tombstone) is empty."""

    partition: int
    offsets: list[int]
    values: list[bytes]

    @property
    def next_offset(self) -> int:
        """Where to read on behind them."""
        return self.offsets[-1] + 1


@final
class TopicReader:
    """Reads partitions of a topic.

    Parameters
    ----------
    address
        What to read.
    missing
        What to do where messages are gone that were to be read: ``"earliest"`` goes on behind the gap, ``"error"``
        raises.

    Attributes
    ----------
    ended
        Partitions read to their present end.

    Raises
    ------
    ParameterError
        The client of Kafka is not installed, or a setting is none of its.
    """

    def __init__(self, address: Address, missing: str = "error") -> None:
        self._address = address
        self._last = LastWord()
        self._consumer = client(
            "Consumer",
            address,
            {
                "isolation.level": "read_committed",
                **address.options,
                "group.id": "marigram",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": missing,
            },
            self._last,
        )
        self.ended: set[int] = set()
        self._failure: InputError | None = None

    def partitions(self, seconds: float = _SECONDS) -> list[int]:
        """Return the topic's partitions, none when there is no such topic; ``InputError`` when no broker answers."""
        import confluent_kafka as kafka

        topic = self._address.topic
        try:
            found = self._consumer.list_topics(topic, timeout=seconds).topics[topic]
        except kafka.KafkaException as error:
            raise InputError(0, f"{self._address}: {self._why(error.args[0])}") from error
        if found.error is not None and found.error.code() != kafka.KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise InputError(0, f"{self._address}: {found.error.str()}")
        return sorted(found.partitions)

    def begin(self, partitions: Sequence[int], at: Mapping[int, int]) -> None:
        """Read these partitions from the offsets ``at``, others from their beginning."""
        import confluent_kafka as kafka

        self.ended.clear()
        self._consumer.assign(
            [
                kafka.TopicPartition(
                    self._address.topic, partition, at.get(partition, kafka.OFFSET_BEGINNING)
                )
                for partition in partitions
            ]
        )

    def marks(self, partition: int) -> tuple[int, int]:
        """Return the first offset that a partition still has, and the one that its next message will get."""
        import confluent_kafka as kafka

        place = kafka.TopicPartition(self._address.topic, partition)
        try:
            low, high = self._consumer.get_watermark_offsets(place, timeout=_SECONDS)
        except kafka.KafkaException as error:
            raise InputError(0, f"{self._address}: {error.args[0].str()}") from error
        return low, high

    def take(self, most: int, seconds: float) -> list[Piece]:
        """Return at most so many messages, waiting for them at most so long: partition by partition, in order.

        Raises
        ------
        InputError
            The client cannot go on, or what is to be read is gone; everything before was returned.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        messages = [one for one in self._consumer.consume(most, seconds) if self._is_message(one)]
        messages.sort(key=lambda one: (one.partition(), one.offset()))
        return [
            Piece(partition, [one.offset() for one in own], [_line(one.value()) for one in own])
            for partition, own in (
                (partition, list(part)) for partition, part in groupby(messages, lambda one: one.partition())
            )
        ]

    def close(self) -> None:
        """Let the brokers go."""
        self._consumer.close()

    def _why(self, error: Any) -> str:
        """Return why brokers could not be asked, in the client's last word on the connection if it has one."""
        self._consumer.poll(0)  # what the client has to tell is told here
        told = self._last.heard.partition("]: ")[2]
        return f"no broker answers ({told or error.str()})" if error.code() in _passing() else error.str()

    def _is_message(self, one: Any) -> bool:
        """Tell messages from news of the client, and take note of the latter."""
        import confluent_kafka as kafka

        error = one.error()
        if error is None:
            self.ended.discard(one.partition())
            return True
        if error.code() == kafka.KafkaError._PARTITION_EOF:
            self.ended.add(one.partition())
        elif error.code() == kafka.KafkaError._AUTO_OFFSET_RESET:
            told = f"partition {one.partition()}: the messages that follow what was dealt with are gone"
            self._failure = InputError(0, f"{self._address}, {told} ({error.str()})")
        elif error.fatal() or error.code() not in _passing():
            self._failure = InputError(0, f"{self._address}: {error.str()}")
        return False


def _passing() -> tuple[int, ...]:
    """Errors that waiting mends: brokers that are away come back."""
    import confluent_kafka as kafka

    told = kafka.KafkaError
    return told._ALL_BROKERS_DOWN, told._TRANSPORT, told._RESOLVE, told._TIMED_OUT


class LastWord(logging.Handler):
    """Passes on what the client logs to the logger of this module, and keeps its last warning."""

    heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message."""
        if record.levelno >= logging.WARNING:
            self.heard = record.getMessage()
        if _LOG.isEnabledFor(record.levelno):
            _LOG.handle(record)


def client(kind: str, address: Address, settings: Mapping[str, Any], log: LastWord | None = None) -> Any:
    """Return a ``Consumer`` or ``Producer``; ``ParameterError`` when there is none or a setting is none of its.

    The client logs to Python's logger ``marigram.engines.kafka.reader``, which is silent unless somebody listens.
    """
    try:
        import confluent_kafka as kafka
    except ImportError as error:
        raise ParameterError('Kafka needs its client: pip install "marigram[kafka]"') from error
    try:
        own = logging.Logger(_LOG.name)
        own.addHandler(log or LastWord())
        return getattr(kafka, kind)({**settings, "bootstrap.servers": address.servers}, logger=own)
    except kafka.KafkaException as error:
        raise ParameterError(f"{address}: {error.args[0].str()}") from error


def _line(value: bytes | None) -> bytes:
    """A message as a line; between the fields of an object a newline means nothing."""
    return (value or b"").replace(b"\n", b" ")


__all__ = ["SCHEME", "Address", "Piece", "TopicReader", "client", "is_address"]
