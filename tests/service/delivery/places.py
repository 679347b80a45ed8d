"""Receivers and books for the tests of delivery: real sockets on this machine, a database in memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import apsw
import msgspec

from marigram.service.delivery import outbox
from marigram.service.delivery.guard import system_dial
from marigram.service.delivery.messages import Notice

T = TypeVar("T")
SECOND = 1_000_000_000


@dataclass
class Dials:
    """Opens real sockets, and counts."""

    made: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, address: str, port: int) -> socket.socket:
        self.made.append((address, port))
        return await system_dial(address, port)


def names(known: dict[str, Sequence[str]]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """Return a resolver of these names."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host not in known:
            raise OSError(f"{host} is not known")
        return known[host]

    return resolve


@dataclass
class Heard:
    """One request as the receiver read it."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@contextlib.asynccontextmanager
async def listening(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Listen while the block runs; gives the port."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(begin, host, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def heard(reader: asyncio.StreamReader) -> Heard:
    """Read one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    return Heard(head[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def answering(
    answers: Callable[[Heard], bytes], log: list[Heard]
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Return what reads a request, keeps it in ``log`` and says what ``answers`` gives."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await heard(reader)
        log.append(request)
        writer.write(answers(request))
        await writer.drain()

    return handle


def said(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer as bytes."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Books:
    """A database in memory, and a clock that the test moves."""

    def __init__(self, ddl: Sequence[str] = outbox.DDL) -> None:
        self.connection: Any = apsw.Connection(":memory:")
        self.time = 1_700_000_000 * SECOND
        for statement in ddl:
            self.connection.execute(statement)

    async def read(self, question: Callable[[Any], T]) -> T:
        return question(self.connection)

    async def quietly(self, work: Callable[[Any], T]) -> T:
        with self.connection:
            return work(self.connection)

    def now(self) -> int:
        return self.time


def notice(number: int = 1, group: str = "", key: str = "web-7", **fields: Any) -> Notice:
    """Return a notice; every other field may be given."""
    given: dict[str, Any] = {
        "id": f"n{number}",
        "alert": f"a{number}",
        "what": "opened",
        "made": 1_700_000_000 * SECOND + number,
        "key": key,
        "kind": "anomaly",
        "severity": 5.0,
        "opened": 1_700_000_000 * SECOND,
        "closed": None,
        "team": "",
        "group": group,
        "labels": {"service": "web"},
        "text": f"{key} anomaly 93.1 expected 40.2 to 61.7",
        "verdict": msgspec.Raw(b'{"value":93.1}'),
    }
    return Notice(**given | fields)
