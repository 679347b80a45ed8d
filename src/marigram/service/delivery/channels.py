"""Where notices go: what a user says of a receiver, checked before anything is sent.

Secrets are never written into the configuration: it names the environment variable that holds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias

import msgspec

from marigram.errors import ParameterError
from marigram.service.delivery.addresses import networks
from marigram.service.delivery.messages import WHATS, What
from marigram.service.delivery.signing import secret_bytes
from marigram.service.delivery.target import host_of, target_of

_NAME = "abcdefghijklmnopqrstuvwxyz0123456789-_"


class Channel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What all receivers share."""

    name: str
    """Letters, digits, ``-`` and ``_``; part of the ids of what is sent."""
    match: dict[str, str] = {}
    """Patterns of labels: ``{service = "web-*"}``; all must fit. Without one every alert goes here."""
    when: tuple[What, ...] = WHATS
    """What it is told of."""
    wait: float = 1.0
    """Seconds in which notices of one group are gathered, 0 to 600."""
    seconds: float = 10.0
    """For one attempt, 1 to 60."""
    allow: tuple[str, ...] = ()
    """Networks that may be called although they are not public."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 40 or set(self.name.lower()) - set(_NAME):
            raise ParameterError(f"a channel's name is 1 to 40 letters, digits, - and _, not {self.name!r}")
        if not 0 <= self.wait <= 600 or not 1 <= self.seconds <= 60:
            raise ParameterError(f"channel {self.name}: wait must be 0 to 600 seconds, seconds 1 to 60")
        networks(self.allow)

    def takes(self, what: What, labels: Mapping[str, str]) -> bool:
        """Is this channel told of this?"""
        return what in self.when and fits(self.match, labels)


class Webhook(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="webhook"):
    """A receiver of JSON, signed after Standard Webhooks when there is a secret."""

    url: str
    secret_env: str | None = None
    bearer_env: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        target_of(self.url)


class Alertmanager(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="alertmanager"):
    """Prometheus' Alertmanager, by its API version 2."""

    url: str
    """Its address, without ``/api/v2/alerts``."""
    bearer_env: str | None = None
    hold: float = 24.0
    """Hours after which Alertmanager forgets an alert that nobody closed, above 0, at most 720."""

    def __post_init__(self) -> None:
        super().__post_init__()
        target_of(self.url)
        if not 0 < self.hold <= 720:
            raise ParameterError(f"channel {self.name}: hold must be above 0, at most 720 hours")


class Slack(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slack"):
    """An incoming webhook of Slack, or of who takes the same form; the URL is a secret."""

    url_env: str
    when: tuple[What, ...] = ("opened", "raised", "drift", "reminder")


class Mail(Channel, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="smtp"):
    """A mail server."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_env: str | None = None
    when: tuple[What, ...] = ("opened", "raised", "drift", "reminder")

    def __post_init__(self) -> None:
        super().__post_init__()
        host_of(self.host)
        if not 1 <= self.port <= 65535:
            raise ParameterError(f"channel {self.name}: port must be 1 to 65535, not {self.port}")
        if not self.to or not all(_is_mailbox(address) for address in (self.sender, *self.to)):
            raise ParameterError(f"channel {self.name}: sender and to are addresses such as a@example.com")
        if (self.user is None) != (self.password_env is None):
            raise ParameterError(f"channel {self.name}: user and password_env go together")
        if self.user is not None and self.security == "none":
            raise ParameterError(f"channel {self.name}: a password is sent over TLS only")


AnyChannel: TypeAlias = Webhook | Alertmanager | Slack | Mail


def channels_of(config: object) -> tuple[AnyChannel, ...]:
    """Return the channels that a configuration lists; ``ParameterError`` says what is wrong with one."""
    try:
        found = msgspec.convert(config, tuple[AnyChannel, ...])
    except msgspec.ValidationError as error:
        raise ParameterError(f"channels: {error}") from error
    names = [channel.name for channel in found]
    if len(set(names)) != len(names):
        raise ParameterError("two channels have the same name")
    return found


def secrets_of(channel: AnyChannel, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets of a channel by the name of their setting; ``ParameterError`` for one that is not set."""
    found = {}
    for setting in ("url_env", "secret_env", "bearer_env", "password_env"):
        variable: Any = getattr(channel, setting, None)
        if variable is None:
            continue
        value = environment.get(variable)
        if not value:
            raise ParameterError(f"channel {channel.name}: {setting} names {variable}, which is not set")
        if setting == "url_env":
            target_of(value)
        if setting == "secret_env":
            secret_bytes(value)
        found[setting] = value
    return found


def fits(match: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Do labels fit patterns with ``*``, ``?`` and ``[…]``?  A label that is not there is an empty text.

    Examples
    --------
    >>> fits({"service": "web-*"}, {"service": "web-7", "region": "eu"}), fits({"region": "us"}, {})
    (True, False)
    """
    return all(fnmatchcase(labels.get(name, ""), pattern) for name, pattern in match.items())


def _is_mailbox(text: str) -> bool:
    local, at, host = text.rpartition("@")
    return (
        bool(local and at and host)
        and text.isascii()
        and text.isprintable()
        and not set(text) & set(' <>,;"')
    )


__all__ = [
    "Alertmanager",
    "AnyChannel",
    "Channel",
    "Mail",
    "Slack",
    "Webhook",
    "channels_of",
    "fits",
    "secrets_of",
]
