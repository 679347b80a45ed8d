"""A name becomes addresses, each address is judged, and what was judged is what is connected to.

A check before the connection is worth nothing when the name is asked for again by whoever connects: between the two the
answer can change (DNS rebinding).  Here the name is resolved once, one forbidden address among the answers refuses the
whole name, the socket is opened to an address that was judged, and its other end is compared with it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from marigram.errors import MarigramError
from marigram.service.delivery.addresses import Address, Network, refusal

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
Dial: TypeAlias = Callable[[str, int], Awaitable[socket.socket]]

_MOST = 8
"""Addresses of one name that are tried."""


class RefusedError(MarigramError):
    """A place that the service may not call; nothing was sent there."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def system_dial(address: str, port: int) -> socket.socket:
    """Return a connected socket that does not block."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


@dataclass(frozen=True, slots=True)
class Guard:
    """The only way out: names and addresses in, connected sockets out.

    Parameters
    ----------
    allowed
        Networks that may be called although they are not public.
    resolve, dial
        How a name becomes addresses, and an address a socket; the system's ways, other ones in tests.
    """

    allowed: tuple[Network, ...] = ()
    resolve: Resolve = system_resolve
    dial: Dial = system_dial

    async def connect(self, host: str, address: Address | None, port: int) -> socket.socket:
        """Return a socket to a place that may be called.

        Raises
        ------
        RefusedError
            The host, or one address of its name, may not be called.
        OSError
            No address answers, or the name is unknown.
        """
        judged = self._judged(host, [address] if address is not None else await self._answers(host, port))
        failure: OSError = ConnectionError(f"{host} has no address")
        for one in judged[:_MOST]:
            try:
                made = await self.dial(str(one), port)
            except OSError as error:
                failure = error
                continue
            peer = ip_address(made.getpeername()[0])
            if peer != one:
                made.close()
                raise RefusedError(f"{host} was to be called at {one}, but {peer} answered")
            return made
        raise failure

    async def _answers(self, host: str, port: int) -> list[Address]:
        try:
            return [ip_address(text) for text in await self.resolve(host, port)]
        except UnicodeError as error:
            raise RefusedError(f"{host} is no name: {error}") from error

    def _judged(self, host: str, found: list[Address]) -> list[Address]:
        for one in found:
            reason = refusal(one, self.allowed)
            if reason is not None:
                raise RefusedError(f"{host} may not be called: {one} is {reason}")
        return list(dict.fromkeys(found))


__all__ = ["Dial", "Guard", "RefusedError", "Resolve"]
