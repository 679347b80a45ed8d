"""Every notice arrives at least once, under one id, whatever the receiver does."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import apsw
from tests.service.delivery.places import SECOND, Books, Heard, answering, heard, listening, notice, said

from marigram.service.delivery import outbox
from marigram.service.delivery.channels import Mail, Slack, Webhook
from marigram.service.delivery.courier import ATTEMPTS, LONGEST, Courier
from marigram.service.delivery.signing import is_genuine

T = TypeVar("T")

SECRETS = {"HOOK_SECRET": "a secret of some length"}
NAMED = {"secret_env": "HOOK_SECRET"}


def hook(port: int, name: str = "hook", **options: object) -> Webhook:
    return Webhook(name=name, url=f"http://127.0.0.1:{port}/", allow=("127.0.0.0/8",), **options)  # type: ignore[arg-type]


def put(books: Books, number: int, channel: str = "hook", group: str = "", due: int | None = None) -> None:
    outbox.put(
        books.connection, notice(number, group), channel, books.time if due is None else due, "waiting", ""
    )


def states(books: Books) -> dict[str, int]:
    return {state: n for state, n in outbox.counts(books.connection).items() if n}


def test_a_signed_notice_arrives_and_is_settled() -> None:
    books, log = Books(), []

    async def scene() -> None:
        async with listening(answering(lambda _: said(204), log)) as port:
            courier = Courier(books, [hook(port, **NAMED)], environment=SECRETS)
            put(books, 1)
            assert await courier.carry_one(courier._channels[0])
            assert not await courier.carry_one(courier._channels[0])

    asyncio.run(scene())
    assert states(books) == {"sent": 1}
    assert is_genuine(SECRETS["HOOK_SECRET"], log[0].headers, log[0].body, books.time // SECOND)
    assert not is_genuine("another of some length", log[0].headers, log[0].body, books.time // SECOND)


def attempts_of(answers: Callable[[Heard], bytes], most: int = 40) -> tuple[Books, list[Heard], list[float]]:
    """Carry one notice until it is settled; returns the pauses between attempts too."""
    books, log, pauses = Books(), [], []

    async def scene() -> None:
        async with listening(answering(answers, log)) as port:
            courier = Courier(books, [hook(port)], chance=lambda: 0.999999)
            put(books, 1)
            for _ in range(most):
                await courier.carry_one(courier._channels[0])
                (entry,) = outbox.listed(books.connection)
                if entry.state != "waiting":
                    return
                pauses.append((entry.due - books.time) / SECOND)
                books.time = entry.due

    asyncio.run(scene())
    return books, log, pauses


def test_failures_are_tried_again_under_the_same_id_with_growing_pauses() -> None:
    failing = iter([503, 500, 404, 302])
    books, log, pauses = attempts_of(lambda _: said(next(failing, 200)))
    assert states(books) == {"sent": 1}
    assert len(log) == 5
    assert len({request.id for request in log}) == 1
    assert [round(pause) for pause in pauses] == [1, 2, 4, 8]


def test_after_the_last_attempt_a_letter_is_dead_and_can_be_revived() -> None:
    books, log, pauses = attempts_of(lambda _: said(500, b"out of order"))
    assert (len(log), max(pauses)) == (ATTEMPTS, max(min(pauses[-1], LONGEST), pauses[-2]))
    (entry,) = outbox.listed(books.connection, state="dead")
    assert entry.reason == "answered 500: out of order"
    assert outbox.revive(books.connection, entry.id, books.time)
    assert states(books) == {"waiting": 1}
    assert not outbox.revive(books.connection, entry.id, books.time)


def test_a_receiver_can_ask_for_time_and_can_be_gone() -> None:
    answers = iter([said(429, Retry_After="120"), said(410)])
    books, log, pauses = attempts_of(lambda _: next(answers))
    assert (len(log), [round(pause) for pause in pauses]) == (2, [120])
    assert states(books) == {"dead": 1}


def test_a_forbidden_place_is_a_dead_letter_at_once() -> None:
    books = Books()
    courier = Courier(books, [Webhook(name="hook", url="http://169.254.169.254/")])
    put(books, 1)
    asyncio.run(courier.carry_one(courier._channels[0]))
    (entry,) = outbox.listed(books.connection, state="dead")
    assert "link-local" in entry.reason


def test_a_group_goes_in_one_envelope_and_others_do_not() -> None:
    books, log = Books(), []

    async def scene() -> None:
        async with listening(answering(lambda _: said(200), log)) as port:
            courier = Courier(books, [hook(port)])
            for number in range(1, 4):
                put(books, number, group="web")
            put(books, 4, group="db")
            put(books, 5, group="web", due=books.time + SECOND)
            while await courier.carry_one(courier._channels[0]):
                pass

    asyncio.run(scene())
    told = [[one["id"] for one in json.loads(request.body)["notices"]] for request in log]
    assert told == [["n1", "n2", "n3"], ["n4"]]
    assert states(books) == {"sent": 4, "waiting": 1}


def test_after_a_crash_the_same_envelope_goes_again_and_is_not_enlarged() -> None:
    books = Books()
    put(books, 1)
    before = outbox.claim(books.connection, "hook", books.time)
    put(books, 2)  # and then the process dies between sending and settling
    after = outbox.claim(books.connection, "hook", books.time)
    assert before == after
    assert after is not None
    outbox.settle_sent(books.connection, after.id, books.time)
    following = outbox.claim(books.connection, "hook", books.time)
    assert following is not None
    assert [one.id for one in following.notices] == ["n2"]


def test_a_receiver_that_hangs_keeps_no_other_waiting() -> None:
    books, log = Books(), []

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        await asyncio.sleep(30)

    async def scene() -> None:
        async with listening(hang) as dead, listening(answering(lambda _: said(200), log)) as alive:
            courier = Courier(books, [hook(dead, "dead"), hook(alive, "alive")], idle=0.05)
            stop = asyncio.Event()
            running = asyncio.create_task(courier.run(stop))
            for number in range(5):
                put(books, number, "dead", group=str(number))
                put(books, number, "alive", group=str(number))
            courier.nudge()
            async with asyncio.timeout(20):
                while states(books).get("sent") != 5:
                    await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(scene())
    assert len(log) == 5
    assert states(books) == {"sent": 5, "waiting": 5}


def test_a_full_disk_ends_no_courier_and_what_was_sent_but_not_settled_goes_again_under_its_id() -> None:
    class Full(Books):
        def __init__(self) -> None:
            super().__init__()
            self.left = 2  # the claim, then the disk is full

        async def quietly(self, work: Callable[[Any], T]) -> T:
            self.left -= 1
            if self.left in (0, -1):
                raise apsw.FullError("database or disk is full")
            return await super().quietly(work)

    books, log = Full(), []

    async def scene() -> None:
        async with listening(answering(lambda _: said(200), log)) as port:
            courier = Courier(books, [hook(port)], idle=0.02)
            stop = asyncio.Event()
            running = asyncio.create_task(courier.run(stop))
            put(books, 1)
            async with asyncio.timeout(20):
                while states(books) != {"sent": 1}:
                    await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(scene())
    assert len(log) == 2
    assert len({request.id for request in log}) == 1


def test_what_has_no_form_is_a_dead_letter_and_ends_no_courier() -> None:
    books, log = Books(), []

    async def scene() -> None:
        async with listening(answering(lambda _: said(200), log)) as port:
            courier = Courier(books, [hook(port, **NAMED)], environment=SECRETS)
            put(books, 1)
            books.connection.execute("UPDATE alert_outbox SET envelope = 'é', id = 'é'")
            put(books, 2)
            while await courier.carry_one(courier._channels[0]):
                pass

    asyncio.run(scene())
    assert states(books) == {"dead": 1, "sent": 1}


def test_a_slack_form_goes_to_the_secret_url() -> None:
    books, log = Books(), []

    async def scene() -> None:
        async with listening(answering(lambda _: said(200), log)) as port:
            channel = Slack(name="chat", url_env="CHAT", allow=("127.0.0.0/8",))
            courier = Courier(books, [channel], environment={"CHAT": f"http://127.0.0.1:{port}/services/x"})
            put(books, 1, "chat")
            await courier.carry_one(channel)

    asyncio.run(scene())
    assert log[0].line == "POST /services/x HTTP/1.1"
    assert "anomaly of web-7" in json.loads(log[0].body)["text"]


def test_a_mail_is_handed_over() -> None:
    books, lines = Books(), []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        data = False
        while raw := await reader.readline():
            line = raw.decode().rstrip("\r\n")
            lines.append(line)
            if line in (".", "data"):
                data = line == "data"
                writer.write(b"354 go\r\n" if data else b"250 taken\r\n")
            elif not data:
                writer.write(b"221 bye\r\n" if line == "QUIT" else b"250 fine\r\n")

    async def scene() -> None:
        async with listening(serve) as port:
            channel = Mail(
                name="post", host="127.0.0.1", port=port, security="none", allow=("127.0.0.0/8",),
                sender="a@example.com", to=("b@example.com",),
            )  # fmt: skip
            courier = Courier(books, [channel])
            put(books, 1, "post")
            await courier.carry_one(channel)

    asyncio.run(scene())
    assert states(books) == {"sent": 1}
    assert "Subject: [marigram] New alert: anomaly of web-7" in lines


def test_a_mail_server_inside_is_not_called() -> None:
    books = Books()
    with socket.create_server(("127.0.0.1", 0)) as server:
        channel = Mail(
            name="post",
            host="127.0.0.1",
            port=server.getsockname()[1],
            sender="a@example.com",
            to=("b@example.com",),
        )
        put(books, 1, "post")
        asyncio.run(Courier(books, [channel]).carry_one(channel))
        server.setblocking(False)
        try:
            connected = bool(server.accept())
        except BlockingIOError:
            connected = False
    assert not connected
    assert states(books) == {"dead": 1}
