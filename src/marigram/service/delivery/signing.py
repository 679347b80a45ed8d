"""Signed webhooks, after the public specification "Standard Webhooks" 1.0, so that receivers have a library for it.

``webhook-signature: v1,base64(HMAC-SHA256(secret, id.timestamp.body))``.  A receiver compares the signature, refuses a
timestamp more than five minutes away, and takes each ``webhook-id`` once: ids are stable over retries.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from marigram.errors import ParameterError

TOLERANCE = 300
"""Seconds by which clocks may differ."""
_PREFIX = "whsec_"
_FEWEST = 16


def secret_bytes(secret: str) -> bytes:
    r"""Return the key that a secret stands for: base64 after ``whsec_``, or the text's own bytes, at least 16.

    Examples
    --------
    >>> secret_bytes("whsec_AAECAwQFBgcICQoLDA0ODw==")[:4]
    b'\x00\x01\x02\x03'
    """
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error as error:
            raise ParameterError(f"what follows {_PREFIX} in a secret is base64: {error}") from error
    if len(key) < _FEWEST:
        raise ParameterError(f"a secret has at least {_FEWEST} bytes, not {len(key)}")
    return key


def signature(secret: str, id: str, seconds: int, body: bytes) -> str:  # noqa: A002 - the header is called so
    """Return the signature of one message."""
    signed = f"{id}.{seconds}.".encode() + body
    digest = hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def signed_headers(secret: str, id: str, seconds: int, body: bytes) -> dict[str, str]:  # noqa: A002
    """Return the three headers of a signed webhook."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(secret, id, seconds, body),
    }


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now: int) -> bool:
    """Is this webhook from who holds the secret, and fresh?  For receivers written in Python, and for tests.

    Examples
    --------
    >>> headers = signed_headers("a secret of some length", "m1", 1000, b"{}")
    >>> is_genuine("a secret of some length", headers, b"{}", now=1010)
    True
    >>> is_genuine("a secret of some length", headers, b"[]", now=1010)
    False
    """
    seconds = headers.get("webhook-timestamp", "")
    if not seconds.isascii() or not seconds.isdigit() or abs(int(seconds) - now) > TOLERANCE:
        return False
    own = signature(secret, headers.get("webhook-id", ""), int(seconds), body).encode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(own, one.encode()) for one in given)


__all__ = ["TOLERANCE", "is_genuine", "secret_bytes", "signature", "signed_headers"]
