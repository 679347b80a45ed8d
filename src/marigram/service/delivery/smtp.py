"""Mail through a socket that the guard opened."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
from email.message import EmailMessage

from marigram.service.delivery.channels import Mail
from marigram.service.delivery.guard import Guard
from marigram.service.delivery.http import NoAnswerError
from marigram.service.delivery.target import host_of


async def send_mail(
    mail: EmailMessage, channel: Mail, password: str | None, guard: Guard, trust: ssl.SSLContext | None = None
) -> None:
    """Hand a mail over to its server.

    Raises
    ------
    RefusedError
        The server may not be called.
    NoAnswerError
        No connection, no valid certificate, or the server did not take it.
    """
    host, address = host_of(channel.host)
    try:
        async with asyncio.timeout(channel.seconds):
            made = await guard.connect(host, address, channel.port)
            await asyncio.to_thread(_talk, made, host, mail, channel, password, trust)
    except TimeoutError as error:
        raise NoAnswerError(f"{host} did not answer within {channel.seconds:g} seconds") from error
    except (OSError, smtplib.SMTPException) as error:
        raise NoAnswerError(f"{host}: {error}") from error


def _talk(
    made: socket.socket,
    host: str,
    mail: EmailMessage,
    channel: Mail,
    password: str | None,
    trust: ssl.SSLContext | None,
) -> None:
    made.settimeout(channel.seconds)
    context = trust or ssl.create_default_context()
    try:
        if channel.security == "tls":
            made = context.wrap_socket(made, server_hostname=host)
        with _Client(made, host) as client:
            if channel.security == "starttls":
                client.starttls(context=context)
            if channel.user is not None and password is not None:
                client.login(channel.user, password)
            client.send_message(mail)
    finally:
        made.close()


class _Client(smtplib.SMTP):
    """The standard library's client on a socket that is open already."""

    def __init__(self, made: socket.socket, host: str) -> None:
        self._made = made
        super().__init__(host, local_hostname="marigram.invalid", timeout=made.gettimeout() or 10.0)

    def _get_socket(self, _host: str, _port: int, _timeout: float) -> socket.socket:
        return self._made


__all__ = ["send_mail"]
