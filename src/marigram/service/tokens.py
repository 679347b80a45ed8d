"""Tokens: who may do what, for which tenant.  Only their hashes are stored.

==========  ==============================================
scope       may
==========  ==============================================
``ingest``  send events, nothing else
``read``    ask
``operate`` ask, acknowledge, label, silence, replay
``admin``   everything, tokens and settings included
==========  ==============================================
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import apsw

from marigram.errors import ParameterError

Scope: TypeAlias = Literal["ingest", "read", "operate", "admin"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
DEFAULT: Final = ""
"""The tenant of a service that has no others."""
PREFIX: Final = "mgt_"
_GRANTED: Final[dict[str, frozenset[str]]] = {
    "ingest": frozenset(("ingest",)),
    "read": frozenset(("read",)),
    "operate": frozenset(("read", "operate")),
    "admin": frozenset(SCOPES),
}
_TENANT: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Access(NamedTuple):
    """Whom a request comes from."""

    name: str
    scope: Scope
    tenant: str
    id: int

    def may(self, scope: str) -> bool:
        """Return whether that is allowed."""
        return scope in _GRANTED[self.scope]


EVERYBODY: Final = Access("local", "admin", DEFAULT, 0)
"""Who asks a service that listens on this machine only and has no token."""


def check_tenant(name: str) -> str:
    """Return the name of a tenant; ParameterError unless it can be the name of a folder on any system."""
    if name != DEFAULT and not _TENANT.fullmatch(name):
        raise ParameterError(
            f"the name of a tenant is 1 to 63 of a-z, 0-9 and - (not at its ends), not {name!r}"
        )
    return name


def create(
    connection: apsw.Connection,
    now: int,
    name: str,
    scope: str,
    tenant: str = DEFAULT,
    days: float | None = None,
) -> str:
    """Make a token and return it: the only time that it can be seen."""
    if scope not in SCOPES:
        raise ParameterError(f"scope is one of {', '.join(SCOPES)}, not {scope!r}")
    if not name.isprintable() or not 0 < len(name) <= 100:
        raise ParameterError("the name of a token is 1 to 100 printable characters")
    if days is not None and not 0 < days <= 36500:
        raise ParameterError(f"a token expires within 36,500 days, not {days}")
    token = PREFIX + secrets.token_urlsafe(32)
    expires = None if days is None else now + int(days * 86_400e9)
    connection.execute(
        "INSERT INTO token (name, hash, scope, tenant, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (name, hash_of(token), scope, check_tenant(tenant), now, expires),
    )
    return token


def revoke(connection: apsw.Connection, now: int, id: int) -> bool:  # noqa: A002 - the column is called so
    """End a token; False when there is none of that number that is valid."""
    before = connection.total_changes()
    connection.execute("UPDATE token SET revoked = ? WHERE id = ? AND revoked IS NULL", (now, id))
    return connection.total_changes() > before


def find(connection: apsw.Connection, now: int, token: str) -> Access | None:
    """Return whose token it is; None when it is not valid (any more)."""
    row = connection.execute(
        "SELECT name, scope, tenant, id FROM token WHERE hash = ? AND revoked IS NULL "
        "AND (expires IS NULL OR expires > ?)",
        (hash_of(token), now),
    ).fetchone()
    return None if row is None else Access(*row)


def any_token(connection: apsw.Connection) -> bool:
    """Return whether a token was ever made: from then on every request needs one."""
    return connection.execute("SELECT 1 FROM token LIMIT 1").fetchone() is not None


def listed(connection: apsw.Connection) -> Iterator[dict[str, Any]]:
    """Yield what is known of each token."""
    names = ("id", "name", "scope", "tenant", "created", "expires", "revoked")
    for row in connection.execute(f"SELECT {', '.join(names)} FROM token ORDER BY id"):  # noqa: S608
        yield dict(zip(names, row, strict=True))


def hash_of(token: str) -> bytes:
    """Return what is stored of a token; it has 256 random bits, so that no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


__all__ = [
    "DEFAULT",
    "EVERYBODY",
    "SCOPES",
    "Access",
    "Scope",
    "any_token",
    "check_tenant",
    "create",
    "find",
    "listed",
    "revoke",
]
