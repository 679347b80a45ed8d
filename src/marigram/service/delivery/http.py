"""One request, one answer, over a socket that the guard opened.

No connection is kept, no proxy is asked, no redirect is followed (an answer of 3xx is an answer), nothing is unpacked,
and the whole exchange has one deadline, so that a receiver that sends a byte a minute holds nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import h11

from marigram.errors import MarigramError
from marigram.service.delivery.guard import Guard
from marigram.service.delivery.target import Target, target_of

SECONDS = 10.0
MOST_BYTES = 1 << 16
"""What is read of an answer's body, unless the caller wants more."""


class NoAnswerError(MarigramError):
    """The receiver could not be reached, or did not answer in time or in HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def good(self) -> bool:
        """Whether it took what was sent."""
        return 200 <= self.status < 300


async def fetch(
    url: str,
    guard: Guard,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    seconds: float = SECONDS,
    most: int = MOST_BYTES,
    trust: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request to a place that the guard allows and return the answer.

    Parameters
    ----------
    url, method, headers, body
        The request.
    guard
        What opens the connection.
    seconds
        For everything: name, connection, TLS, request and answer.
    most
        Bytes of the answer's body that are kept; the rest is not read.
    trust
        Whom to believe; the system's authorities unless told otherwise.

    Raises
    ------
    RefusedError
        The place may not be called.
    NoAnswerError
        No connection, no valid certificate, no HTTP, or too late.
    """
    target = target_of(url)
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(target, guard, method, headers or {}, body, most, trust)
    except TimeoutError as error:
        raise NoAnswerError(f"{target.host} did not answer within {seconds:g} seconds") from error
    except (OSError, h11.ProtocolError, EOFError) as error:
        raise NoAnswerError(f"{target.host}: {str(error) or type(error).__name__}") from error


async def _exchange(
    target: Target,
    guard: Guard,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    most: int,
    trust: ssl.SSLContext | None,
) -> Answer:
    made = await guard.connect(target.host, target.address, target.port)
    try:
        if target.scheme == "https":
            context = trust or ssl.create_default_context()
            reader, writer = await asyncio.open_connection(
                sock=made, ssl=context, server_hostname=target.host
            )
        else:
            reader, writer = await asyncio.open_connection(sock=made)
    except BaseException:
        made.close()
        raise
    try:
        wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_BYTES)
        own = {"Host": target.authority, "Content-Length": str(len(body)), "Connection": "close"}
        request = h11.Request(method=method, target=target.path, headers=list((own | dict(headers)).items()))
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(wire.send(event) or b"")
        await writer.drain()
        return await _answer(wire, reader, most)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _answer(wire: h11.Connection, reader: asyncio.StreamReader, most: int) -> Answer:
    status, headers, body = 0, {}, b""
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(1 << 14))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        if isinstance(event, h11.EndOfMessage) or len(body) >= most:
            return Answer(status, headers, body[:most])
        if isinstance(event, h11.ConnectionClosed):
            raise EOFError("the connection was closed before an answer")


__all__ = ["MOST_BYTES", "SECONDS", "Answer", "NoAnswerError", "fetch"]
