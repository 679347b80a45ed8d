"""Which addresses of the network a server may be told to call.

Who may configure a webhook could otherwise make the service call what only the service can reach: the machine itself,
its neighbours, the cloud's metadata at 169.254.169.254 (server-side request forgery, CWE-918).  So an address is judged
before it is connected to, and everything that is not plainly the public internet is refused: the special-purpose
registries of IANA (RFC 6890), and every IPv4 address that is hidden inside an IPv6 one (mapped, compatible, NAT64,
6to4, Teredo, ISATAP).  A deployment that wants its neighbours names their networks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

from marigram.errors import ParameterError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_SPECIAL_4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared between carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_SPECIAL_6 = {
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
}
_BLOCKED_4 = [(IPv4Network(text), reason) for text, reason in _SPECIAL_4.items()]
_BLOCKED_6 = [(IPv6Network(text), reason) for text, reason in _SPECIAL_6.items()]
_GLOBAL_6 = IPv6Network("2000::/3")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_TEREDO = IPv6Network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)
_LOW = 0xFFFFFFFF


def refusal(address: Address, allowed: Iterable[Network] = ()) -> str | None:
    """Return why an address may not be called, or None when it may.

    An address in ``allowed`` may; an IPv4 network there does not allow the IPv6 addresses that hide its addresses.

    Examples
    --------
    >>> from ipaddress import ip_address
    >>> refusal(ip_address("169.254.169.254"))
    'link-local'
    >>> refusal(ip_address("::ffff:127.0.0.1"))
    'hides 127.0.0.1: loopback'
    >>> refusal(ip_address("10.1.2.3"), networks(["10.0.0.0/8"])) is None
    True
    """
    if any(address in network for network in allowed if network.version == address.version):
        return None
    if isinstance(address, IPv4Address):
        return next((reason for network, reason in _BLOCKED_4 if address in network), None)
    if address.scope_id is not None:
        return "bound to an interface"
    for inner in _hidden(address):
        reason = next((why for network, why in _BLOCKED_4 if inner in network), None)
        if reason is not None:
            return f"hides {inner}: {reason}"
    if address not in _GLOBAL_6:
        return "loopback" if address.is_loopback else "not of the public internet"
    return next((reason for network, reason in _BLOCKED_6 if address in network), None)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that a configuration names; ``ParameterError`` for what is none."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError as error:
            raise ParameterError(f"a network is written as 10.0.0.0/8, not {text!r}: {error}") from error
    return tuple(found)


def _hidden(address: IPv6Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that a translator or a tunnel could make of an IPv6 address."""
    number = int(address)
    if number >> 32 in (0, 0xFFFF, 0xFFFF0000) and number > 1:  # compatible, mapped, translated
        yield IPv4Address(number & _LOW)
    if any(address in network for network in _NAT64):
        yield IPv4Address(number & _LOW)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address in _TEREDO:
        yield IPv4Address(~number & _LOW)
        yield IPv4Address(number >> 64 & _LOW)
    if number >> 32 & _LOW in _ISATAP:
        yield IPv4Address(number & _LOW)


__all__ = ["Address", "Network", "networks", "refusal"]
