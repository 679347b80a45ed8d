"""Who carries envelopes: each channel in its own task, so that a dead receiver keeps nobody waiting.

A failure is tried again after ``min(2^attempt, 3600)`` seconds, shortened by a random factor in [1/2, 1] so that many
senders do not come back at once; after 16 attempts, about five hours, the letter is dead and listed as such.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

import apsw

from marigram.errors import MarigramError
from marigram.service.delivery import forms, outbox
from marigram.service.delivery.addresses import networks
from marigram.service.delivery.channels import Alertmanager, AnyChannel, Mail, Slack, Webhook, secrets_of
from marigram.service.delivery.guard import Guard, RefusedError
from marigram.service.delivery.http import Answer, NoAnswerError, fetch
from marigram.service.delivery.messages import Envelope
from marigram.service.delivery.outbox import Connection
from marigram.service.delivery.signing import signed_headers
from marigram.service.delivery.smtp import send_mail

T = TypeVar("T")

_log = logging.getLogger("marigram.service.delivery")

ATTEMPTS: Final = 16
LONGEST: Final = 3600.0
_GONE: Final = 410
_SECOND: Final = 1_000_000_000


class Books(Protocol):
    """Who reads and writes the outbox; each call is one transaction."""

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the database."""

    async def quietly(self, work: Callable[[Connection], T]) -> T:
        """Change the database; it is committed when this returns."""

    def now(self) -> int:
        """Nanoseconds since 1970 UTC."""


class AttemptError(Exception):
    """An attempt that did not succeed."""

    def __init__(self, reason: str, after: float = 0.0, final: bool = False) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds that the receiver asked to be left alone."""
        self.final = final
        """Whether trying again is of no use."""


class Courier:
    """Empties the outbox.

    Parameters
    ----------
    books
        Where the outbox is.
    channels
        Receivers.
    environment
        Where their secrets are.
    guard
        What opens connections, given the networks a channel allows.
    chance
        Numbers in [0, 1) for the jitter.
    idle
        Seconds after which an idle channel looks again; :meth:`nudge` makes it look at once.
    trust
        Whom to believe about TLS; the system's authorities unless told otherwise.
    """

    def __init__(
        self,
        books: Books,
        channels: Sequence[AnyChannel],
        *,
        environment: Mapping[str, str] = os.environ,
        guard: Callable[[AnyChannel], Guard] | None = None,
        chance: Callable[[], float] = random.random,
        idle: float = 1.0,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._books = books
        self._channels = tuple(channels)
        self._secrets = {channel.name: secrets_of(channel, environment) for channel in channels}
        self._guard = guard or (lambda channel: Guard(networks(channel.allow)))
        self._chance, self._idle, self._trust = chance, idle, trust
        self._news = {channel.name: asyncio.Event() for channel in channels}

    def nudge(self) -> None:
        """Say that there is something new; from the event loop's thread."""
        for event in self._news.values():
            event.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Carry until ``stop`` is set; an attempt that is under way then is given up, and made again later."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._serve(channel)) for channel in self._channels]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def _serve(self, channel: AnyChannel) -> None:
        news = self._news[channel.name]
        while True:
            news.clear()
            try:
                if await self.carry_one(channel):
                    continue
            except (
                MarigramError,
                OSError,
                apsw.Error,
            ) as error:  # a full disk, say; nothing is lost by waiting
                _log.warning("channel %s waits for the outbox: %s", channel.name, error)
            try:
                async with asyncio.timeout(self._idle):
                    await news.wait()
            except TimeoutError:
                continue

    async def carry_one(self, channel: AnyChannel) -> bool:
        """Make one attempt with one envelope; False when none is due."""
        now = self._books.now()
        if not await self._books.read(lambda connection: outbox.is_due(connection, channel.name, now)):
            return False
        envelope = await self._books.quietly(lambda connection: outbox.claim(connection, channel.name, now))
        if envelope is None:
            return False
        try:
            await self._send(channel, envelope)
        except AttemptError as failure:
            ended, told = self._books.now(), (str(failure), self._again(envelope, failure))
            due = None if told[1] is None else ended + int(told[1] * _SECOND)
            await self._books.quietly(
                lambda connection: outbox.settle_failed(connection, envelope.id, ended, due, told[0])
            )
        else:
            ended = self._books.now()
            await self._books.quietly(lambda connection: outbox.settle_sent(connection, envelope.id, ended))
        return True

    def _again(self, envelope: Envelope, failure: AttemptError) -> float | None:
        """Return the seconds until the next attempt, None for never."""
        if failure.final or envelope.attempts + 1 >= ATTEMPTS:
            return None
        pause = min(2.0**envelope.attempts, LONGEST) * (0.5 + 0.5 * self._chance())
        return max(pause, min(failure.after, LONGEST))

    async def _send(self, channel: AnyChannel, envelope: Envelope) -> None:
        """Make one attempt; :class:`AttemptError` says why it failed."""
        guard, secrets = self._guard(channel), self._secrets[channel.name]
        try:
            if isinstance(channel, Mail):
                mail = forms.mail_of(envelope, channel)
                await send_mail(mail, channel, secrets.get("password_env"), guard, self._trust)
                return
            url, headers, body = self._request(channel, envelope, secrets)
            answer = await fetch(
                url,
                guard,
                method="POST",
                headers=headers,
                body=body,
                seconds=channel.seconds,
                trust=self._trust,
            )
        except (RefusedError, ValueError) as error:  # a place that may not be called, or what has no form
            raise AttemptError(str(error), final=True) from error
        except NoAnswerError as error:
            raise AttemptError(str(error)) from error
        if not answer.good:
            raise AttemptError(
                f"answered {answer.status}{_told(answer)}", _retry_after(answer), answer.status == _GONE
            )

    def _request(
        self, channel: Webhook | Alertmanager | Slack, envelope: Envelope, secrets: Mapping[str, str]
    ) -> tuple[str, dict[str, str], bytes]:
        """Return URL, headers and body of an attempt."""
        headers = {"Content-Type": "application/json", "User-Agent": "marigram"}
        if "bearer_env" in secrets:
            headers["Authorization"] = f"Bearer {secrets['bearer_env']}"
        if isinstance(channel, Slack):
            return secrets["url_env"], headers, forms.slack_body(envelope)
        if isinstance(channel, Alertmanager):
            url = f"{channel.url.rstrip('/')}/api/v2/alerts"
            return url, headers, forms.alertmanager_body(envelope, channel)
        body = forms.webhook_body(envelope)
        seconds = self._books.now() // _SECOND
        if "secret_env" in secrets:
            headers |= signed_headers(secrets["secret_env"], envelope.id, seconds, body)
        else:
            headers["webhook-id"] = envelope.id
        return channel.url, headers, body


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def _told(answer: Answer) -> str:
    """Return the beginning of what a receiver said, as one printable line."""
    text = " ".join(answer.body[:200].decode("utf-8", "replace").split())
    return f": {text}" if text.isprintable() and text else ""


__all__ = ["ATTEMPTS", "AttemptError", "Books", "Courier"]
