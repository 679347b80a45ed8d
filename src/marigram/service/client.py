"""A client of `marigram serve`: batches, and the same batch again under the same name until it is acknowledged.

It needs nothing but the standard library and msgspec, so that whoever sends events need not install the service.
"""

from __future__ import annotations

import http.client
import random
import ssl
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from marigram.errors import MarigramError, ParameterError

_AGAIN: Final = frozenset(
    (
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
        HTTPStatus.INSUFFICIENT_STORAGE,
    )
)
_LONGEST: Final = 30.0


class ServiceError(MarigramError):
    """The service refused, or could not be reached.

    Attributes
    ----------
    status
        Of the answer; 0 when there was none.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason if not status else f"status {status}: {reason}")
        self.status = status


class Rejection(msgspec.Struct, frozen=True):
    """A line that the service could not use; ``line`` counts the events that were sent, from 1."""

    line: int
    reason: str


class Sent(msgspec.Struct):
    """What became of the events that were sent."""

    accepted: int = 0
    duplicate: int = 0
    rejected: list[Rejection] = []


class Client:
    """Sends events to a service, and asks it.

    Parameters
    ----------
    url
        Of the service.
    token
        Of scope ``ingest`` to send, ``read`` to ask; None when the service has none.
    batch
        Events of a request, 1 to 50,000.
    attempts
        How often a request is tried before :class:`ServiceError` is raised; waits grow from 0.1 to 30 seconds.
    timeout
        Seconds for one attempt.
    sleep
        Waits so many seconds.

    Examples
    --------
    >>> client = Client("http://127.0.0.1:8765")
    >>> client.send([{"host": "web-1", "load": 0.5}])  # doctest: +SKIP
    Sent(accepted=1, duplicate=0, rejected=[])
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8765",
        token: str | None = None,
        *,
        batch: int = 1000,
        attempts: int = 10,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ParameterError(f"the url of a service begins with http:// or https://, not {url!r}")
        if not 1 <= batch <= 50_000:
            raise ParameterError(f"batch must be 1 to 50,000 events, not {batch}")
        if attempts < 1 or not timeout > 0:
            raise ParameterError("attempts and timeout must be positive")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._place = parts.netloc.rpartition("@")[2]
        self._path = parts.path.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._batch, self._attempts, self._timeout, self._sleep = batch, attempts, timeout, sleep
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, events: Iterable[Mapping[str, Any] | bytes], name: str | None = None) -> Sent:
        """Send events, batch by batch; when it returns, they are on the service's disk.

        Parameters
        ----------
        events
            Mappings, or JSON objects as bytes, one event each.
        name
            Of the whole: sent again under its name, what was accepted is not counted again.  None: a new one.
        """
        told, stream, base = Sent(), iter(events), name or uuid.uuid4().hex
        number = 0
        while batch := list(islice(stream, self._batch)):
            answer = self.post(batch, f"{base}-{number}")
            number += 1
            before = (number - 1) * self._batch
            told.accepted += answer.accepted
            told.duplicate += answer.duplicate
            told.rejected += [Rejection(one.line + before, one.reason) for one in answer.rejected]
        return told

    def post(self, events: Sequence[Mapping[str, Any] | bytes], name: str) -> Sent:
        """Send one batch under its name, again and again until it is acknowledged or refused."""
        lines = [event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events]
        return self._post(b"\n".join(lines), "application/x-ndjson", name)

    def post_stream(self, stream: bytes, name: str) -> Sent:
        """Send one batch like :meth:`post`, as an Arrow stream: its times need no unit."""
        return self._post(stream, "application/vnd.apache.arrow.stream", name)

    def stats(self) -> dict[str, Any]:
        """Return the service's counts."""
        return self._asked("/v1/stats")  # type: ignore[no-any-return]

    def key(self, key: str) -> dict[str, Any]:
        """Return what the service expects of a key."""
        return self._asked(f"/v1/keys/{quote(key, safe='')}")  # type: ignore[no-any-return]

    def verdicts(self, key: str, last: int = 1000) -> list[dict[str, Any]]:
        """Return the last stored verdicts of a key, the oldest first."""
        return self._asked("/v1/verdicts?" + urlencode({"key": key, "last": last}))  # type: ignore[no-any-return]

    def alerts(self, **filters: Any) -> list[dict[str, Any]]:
        """Return alerts, the newest first; filters are those of ``GET /v1/alerts``."""
        asked = {name: value for name, value in filters.items() if value is not None}
        return self._asked("/v1/alerts?" + urlencode(asked))["alerts"]  # type: ignore[no-any-return]

    def alert(self, id: str) -> dict[str, Any]:  # noqa: A002 - the field is called so
        """Return one alert with its evidence."""
        return self._asked(f"/v1/alerts/{quote(id, safe='')}")  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes, kind: str, name: str) -> Sent:
        headers = {"Content-Type": kind, "Idempotency-Key": name}
        return msgspec.json.decode(self._request("POST", "/v1/events", body, headers), type=Sent)

    def _asked(self, path: str) -> Any:
        return msgspec.json.decode(self._request("GET", path, None, {}))

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> bytes:
        failure, after = ServiceError(0, "not tried"), 0.0
        for attempt in range(self._attempts):
            if attempt:
                growing = min(_LONGEST, 0.1 * 2.0 ** min(attempt - 1, 20))
                self._sleep(max(after, growing * random.uniform(0.5, 1.0)))  # noqa: S311 - no secret
            try:
                status, told, content = self._once(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                failure, after = ServiceError(0, f"{self._place} does not answer: {error}"), 0.0
                continue
            if status < HTTPStatus.BAD_REQUEST:
                return content
            failure = ServiceError(status, _reason(content))
            if status not in _AGAIN:
                break
            after = float(told) if told.isdecimal() else 0.0
        raise failure

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        if self._connection is None:
            if self._secure:
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(
                    self._host, self._port, timeout=self._timeout, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._connection.request(method, self._path + path, body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        return answer.status, answer.headers.get("Retry-After", ""), answer.read()


def _reason(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content, type=dict[str, Any]).get("detail", ""))
    except msgspec.DecodeError:
        return content[:200].decode("utf-8", "replace")


__all__ = ["Client", "Rejection", "Sent", "ServiceError"]
