"""One request, one answer, one deadline."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.service.delivery.places import Heard, answering, heard, listening, said

from marigram.errors import ParameterError
from marigram.service.delivery.addresses import networks
from marigram.service.delivery.guard import Guard
from marigram.service.delivery.http import Answer, NoAnswerError, fetch

HERE = Guard(networks(["127.0.0.0/8"]))
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def fetched(handle: Handle, **options: object) -> Answer:
    async def attempt() -> Answer:
        async with listening(handle) as port:
            return await fetch(f"http://127.0.0.1:{port}/hook", HERE, **options)  # type: ignore[arg-type]

    return asyncio.run(attempt())


def test_method_headers_and_body_arrive() -> None:
    log: list[Heard] = []
    answer = fetched(
        answering(lambda _: said(200, b"fine", X_A="b"), log),
        method="POST",
        headers={"X-B": "c"},
        body=b"\x00{}",
    )
    assert (answer.status, answer.body, answer.headers["x-a"], answer.good) == (200, b"fine", "b", True)
    assert (log[0].line, log[0].headers["x-b"], log[0].body) == ("POST /hook HTTP/1.1", "c", b"\x00{}")


def test_a_long_answer_is_cut() -> None:
    assert len(fetched(answering(lambda _: said(500, b"x" * 300_000), []), most=1000).body) == 1000


def test_a_drip_has_a_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        while not writer.is_closing():
            writer.write(b"H")
            await asyncio.sleep(0.02)

    with pytest.raises(NoAnswerError, match=r"within 0\.3 seconds"):
        fetched(drip, seconds=0.3)


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"\xff\x00 no HTTP\r\n\r\n"]
)
def test_what_is_no_answer_is_said(answer: bytes) -> None:
    with pytest.raises(NoAnswerError):
        fetched(answering(lambda _: answer, []))


def test_a_header_cannot_smuggle_another() -> None:
    with pytest.raises(NoAnswerError):
        fetched(answering(lambda _: said(200), []), headers={"X-A": "b\r\nX-C: d"})


@pytest.mark.parametrize(
    "url", ["http://a b/", "http://exa_mple..com/", "https://x:0/", "https://x:/", "https://"]
)
def test_an_odd_url_is_a_parameter_error(url: str) -> None:
    with pytest.raises(ParameterError):
        asyncio.run(fetch(url, HERE))
