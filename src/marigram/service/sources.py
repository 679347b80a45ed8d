"""What the service fetches by itself, as it is configured: topics of Kafka, files that grow, queries of Prometheus."""

from __future__ import annotations

from typing import Final

import msgspec

from marigram.errors import ParameterError
from marigram.service.delivery.addresses import networks
from marigram.service.delivery.target import target_of

_YEAR: Final = 366 * 86_400.0


class KafkaTopic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic whose messages are events.

    Parameters
    ----------
    servers
        Where brokers are: ``host:port``, several between commas.
    topic
        Its name.
    options
        Settings of librdkafka, such as those for TLS.
    """

    servers: str
    topic: str
    options: dict[str, str | int | bool] = {}


class FileTail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that grows, JSON lines or CSV; rotated or cut off, it is read on.

    Parameters
    ----------
    path
        Of the file; it may come later.
    lateness
        Seconds for which events are held back, to be judged in the order of their times; None for not at all.
    tenant
        Whose events they are; the service's own when it is empty.
    """

    path: str
    lateness: float | None = None
    tenant: str = ""

    def __post_init__(self) -> None:
        if not self.path:
            raise ParameterError("a tail needs a path")
        if self.lateness is not None and not 0 <= self.lateness <= _YEAR:
            raise ParameterError(f"tail {self.path}: lateness must be 0 s to a year, not {self.lateness}")


class PromQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query that a Prometheus, or whoever speaks its HTTP interface, is asked again and again.

    Parameters
    ----------
    url
        Of the server, without ``/api/v1/query_range``.
    query
        In PromQL; each series that it gives is a key.
    name
        Of the key of a series without a name, which functions such as ``rate`` make; the query unless it is given.
    step
        Seconds between two samples.
    delay
        Seconds for which a sample is waited for: what the server has not scraped by then is missing.
    since
        Seconds before the present at which the first run begins.
    allow
        Networks that may be called although they are not public.
    bearer_env
        The environment variable that holds a bearer token.
    tenant
        Whose samples they are; samples and other events do not mix.
    """

    url: str
    query: str
    name: str = ""
    step: float = 60.0
    delay: float = 30.0
    since: float = 3600.0
    allow: tuple[str, ...] = ()
    bearer_env: str | None = None
    tenant: str = ""

    def __post_init__(self) -> None:
        target_of(self.url)
        networks(self.allow)
        if not self.query.strip():
            raise ParameterError(f"promql {self.url}: the query is empty")
        for name, low in (("step", 1.0), ("delay", 0.0), ("since", 0.0)):
            if not low <= getattr(self, name) <= _YEAR:
                raise ParameterError(f"promql {self.url}: {name} must be {low:g} s to a year")
        if self.step % 1:
            raise ParameterError(f"promql {self.url}: step must be whole seconds, not {self.step}")


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, as the tables of a configuration are called."""

    kafka: tuple[KafkaTopic, ...] = ()
    tail: tuple[FileTail, ...] = ()
    promql: tuple[PromQuery, ...] = ()


def sources_of(tables: object) -> Sources:
    """Return the sources that a configuration lists; ``ParameterError`` says what is wrong with one."""
    try:
        return msgspec.convert(tables, Sources)
    except msgspec.ValidationError as error:
        raise ParameterError(f"the sources of the configuration: {error}") from error


__all__ = ["FileTail", "KafkaTopic", "PromQuery", "Sources", "sources_of"]
