"""Who may do what: tokens in a header, sessions in a cookie, and what a browser may be made to do by another page.

While no token exists, a service that listens on this machine only is open to whoever is on it, but not to a page of
another site in its browser: the ``Host`` must be this machine and the ``Origin``, where there is one, the service.
"""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, cast

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marigram.service import tokens
from marigram.service.alerts.desk import Visit
from marigram.service.errors import RefusedError
from marigram.service.tenants import Tenant, Tenants
from marigram.service.tokens import DEFAULT, EVERYBODY, Access

COOKIE: Final = "marigram_session"
TENANT: Final = "marigram-tenant"
AZURE_KEY: Final = "ocp-apim-subscription-key"
"""Where clients of Azure Anomaly Detector have their key."""
PUBLIC: Final = ("/healthz", "/readyz")
_SESSION_SECONDS: Final = 12 * 3600.0
_SESSIONS: Final = 1000
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Gate:
    """Knows whom a request comes from.

    Parameters
    ----------
    tenants
        The tokens are in the database of the first of them.
    """

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants
        self._closed = False
        self._sessions: dict[str, tuple[str, float]] = {}

    @property
    def is_open(self) -> bool:
        """Whether no token was ever made."""
        if not self._closed:
            self._closed = self._tenants.root.ledger.read(tokens.any_token)
        return not self._closed

    def who(self, connection: HTTPConnection) -> Access | None:
        """Return whom a request, or the opening of a socket, comes from; None for nobody that is known."""
        if self.is_open:
            return EVERYBODY
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return self._find(token.strip())
        if (key := connection.headers.get(AZURE_KEY)) is not None:
            return self._find(key)
        session = self._sessions.get(connection.cookies.get(COOKIE, ""))
        if session is None or session[1] < time.monotonic():
            return None
        return self._find(session[0])

    def login(self, token: str) -> str | None:
        """Return the value of a session's cookie for a valid token, None for another.

        Raises
        ------
        RefusedError
            The token may send events and see nothing.
        """
        access = self._find(token)
        if access is None:
            return None
        if not access.may("read"):
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                f"This token has the scope {access.scope}: it sends events and sees no pages. "
                "Log in with one of scope read, operate or admin.",
            )
        now = time.monotonic()
        live = sorted((until, name) for name, (_, until) in self._sessions.items() if until > now)
        kept = {name for _, name in live[-_SESSIONS + 1 :]}
        self._sessions = {name: value for name, value in self._sessions.items() if name in kept}
        name = secrets.token_urlsafe(32)
        self._sessions[name] = (token, now + _SESSION_SECONDS)
        return name

    def logout(self, session: str) -> None:
        """End a session."""
        self._sessions.pop(session, None)

    def admit(self, request: HTTPConnection, scope: str) -> tuple[Access, Tenant]:
        """Return who asks, and of which tenant; RefusedError unless that is allowed."""
        access = self.who(request)
        if access is None:
            given = "authorization" in request.headers
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "the token is not known, was revoked or has expired"
                if given
                else "a token is needed: Authorization: Bearer …",
                {"WWW-Authenticate": "Bearer"},
            )
        if not access.may(scope):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, f"this needs a token of scope {scope}, not {access.scope}"
            )
        wanted = request.headers.get(TENANT, access.tenant)
        if wanted != access.tenant and not (access.tenant == DEFAULT and access.scope == "admin"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "this token is of another tenant")
        return access, self._tenants.get(wanted)

    def _find(self, token: str) -> Access | None:
        ledger = self._tenants.root.ledger
        now = ledger.now()
        return ledger.read(lambda connection: tokens.find(connection, now, token))


def gate_of(connection: HTTPConnection) -> Gate:
    """Return the gate of the service that a request came to."""
    return cast(Gate, connection.app.state.gate)


class Needs:
    """A dependency of a route: the token must have this scope; gives who asks, and of which tenant."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> tuple[Access, Tenant]:
        """Admit the request or refuse it."""
        return gate_of(request).admit(request, self.scope)


class DeskFor(Needs):
    """The same, for routes that work at a tenant's desk."""

    async def __call__(self, request: Request) -> Visit:  # type: ignore[override]
        """Admit the request or refuse it."""
        access, tenant = gate_of(request).admit(request, self.scope)
        return Visit(tenant.desk, access.name)


ingest, read, operate, admin = (Needs(scope) for scope in tokens.SCOPES)
read_desk, operate_desk = DeskFor("read"), DeskFor("operate")


class Guarded:
    """Refuses what a page of another site makes a browser send, and adds the headers that every answer needs.

    Parameters
    ----------
    app
        What is guarded.
    gate
        Knows whether the service is open.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or a socket through, or answer it with 403."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        reason = self._refusal(HTTPConnection(scope))
        if reason is None:
            await self._app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            body = b'{"detail":"' + reason.encode() + b'"}'
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": [*headers, *_HEADERS]})
            await send({"type": "http.response.body", "body": body})

    def _refusal(self, connection: HTTPConnection) -> str | None:
        host = connection.headers.get("host", "")
        if self._gate.is_open and connection.scope["path"] not in PUBLIC and not is_loopback(_name_of(host)):
            return "without a token only this machine is served"
        origin = connection.headers.get("origin")
        changes = connection.scope.get("method", "WEBSOCKET") not in _SAFE
        if origin is not None and changes and origin.partition("://")[2] != host:
            return "the Origin is another site"
        if origin is None and changes and COOKIE in connection.cookies:
            return "a change by cookie needs an Origin"
        return None


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return wrapped


__all__ = [
    "COOKIE",
    "DeskFor",
    "Gate",
    "Guarded",
    "Needs",
    "admin",
    "gate_of",
    "ingest",
    "is_loopback",
    "operate",
    "operate_desk",
    "read",
    "read_desk",
]
