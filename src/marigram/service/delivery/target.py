r"""What a URL says, read in one way only.

Many requests that reach a forbidden place do so because two readers disagree on a URL: ``http://a@b``,
``http://0x7f.1``, ``http://a\@b``, a host in full-width digits.  So whatever could be read in a second way is refused,
and the host is either a name of letters, digits and hyphens or an address in its usual form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from marigram.errors import ParameterError
from marigram.service.delivery.addresses import Address

MOST = 2048
"""Characters of a URL."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_PORTS = {"http": 80, "https": 443}
_TEXT = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    """A name in lower case, or an address as text, without brackets."""
    address: Address | None
    """The host, when it is an address."""
    port: int
    path: str
    """Path and query, as they go into the request."""

    @property
    def authority(self) -> str:
        """The ``Host`` header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Return what a URL says; ``ParameterError`` for one that could be read in two ways.

    Examples
    --------
    >>> target_of("https://hooks.example.com/a?b=1")
    Target(scheme='https', host='hooks.example.com', address=None, port=443, path='/a?b=1')
    >>> target_of("http://0x7f.1/")
    Traceback (most recent call last):
    marigram.errors.ParameterError: the URL's host '0x7f.1' is neither a name nor an address in its usual form
    """
    if not 0 < len(url) <= MOST or not _TEXT.fullmatch(url):
        raise ParameterError(
            f"a URL has 1 to {MOST} ASCII characters without spaces; write a name in other letters as xn--…"
        )
    if "\\" in url or "#" in url:
        raise ParameterError("a URL here has neither a backslash nor a fragment")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ParameterError(f"this is no URL: {error}") from error
    if parts.scheme not in _PORTS or not url.lower().startswith(f"{parts.scheme}://"):
        raise ParameterError("a URL here begins with http:// or https://")
    if "@" in parts.netloc:
        raise ParameterError("a URL here names no user: send a token in a header")
    if port is None:
        port = _PORTS[parts.scheme]
        if parts.netloc.endswith(":"):
            raise ParameterError("the URL's port is empty")
    if port == 0:
        raise ParameterError("the URL's port must be 1 to 65535")
    host, address = _host(parts.hostname or "", bracketed=parts.netloc.startswith("["))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, address, port, path)


def host_of(text: str) -> tuple[str, Address | None]:
    """Return a host given alone, such as that of a mail server, and the address that it is, if it is one."""
    if not _TEXT.fullmatch(text):
        raise ParameterError("a host is written in ASCII, without spaces")
    return _host(text.lower(), bracketed=":" in text)


def _host(host: str, bracketed: bool) -> tuple[str, Address | None]:
    try:
        address = IPv6Address(host) if bracketed else IPv4Address(host)
        return str(address), address
    except ValueError:
        pass
    labels = host.split(".")
    named = len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
    if bracketed or not named or _NUMBER.fullmatch(labels[-1]):
        raise ParameterError(f"the URL's host {host!r} is neither a name nor an address in its usual form")
    return host, None


__all__ = ["Target", "host_of", "target_of"]
