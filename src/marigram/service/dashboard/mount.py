"""The way in: who may see the pages, and NiceGUI not imported before somebody wants to.

In front of everything under ``/ui`` stands :class:`Door`.  It asks who a request comes from, also when a web socket is
opened, refuses what another site's page sends (``Origin``), and sets the policy under which a page may load nothing
from elsewhere.  Login exchanges a token for a cookie that scripts cannot read and other sites cannot send.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from html import escape
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marigram.errors import MarigramError
from marigram.service.dashboard.panel import Panel

Enter: TypeAlias = Callable[[HTTPConnection], Panel | None]
Login: TypeAlias = Callable[[str], str | None]

SCOPE: Final = "marigram.panel"
"""Where the door leaves the panel of who was let in: a function that asks again."""
_MOST_FORM: Final = 8192
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_FORM: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Log in · marigram</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>body {{ margin: 15vh auto 0; max-width: 24rem; padding: 0 1rem; color: #1f2328; background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Arial, sans-serif; }}
h1 {{ font-size: 1.4rem; }} label {{ display: block; color: #57606a; }}
input, button {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem; border-radius: 6px;
  border: 1px solid #8c959f; }} button {{ margin-top: .75rem; background: #1f2328; color: #fff; }}
:focus-visible {{ outline: 3px solid #0969da; outline-offset: 2px; }} .wrong {{ color: #a40e26; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e6edf3; background: #0d1117; }} label {{ color: #9aa4af; }}
  input {{ color: inherit; background: #161b22; }} button {{ background: #e6edf3; color: #0d1117; }}
  .wrong {{ color: #ff8f88; }} }}</style></head>
<body><main><h1>marigram</h1><form method="post" action="login">{told}
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button></form></main></body></html>
"""
_WRONG: Final = '<p class="wrong" role="alert">{}</p>'


class Door:
    """The pages as an ASGI application that begins when it is first asked, and lets in whom it should.

    Parameters
    ----------
    enter
        Gives the panel of who a connection comes from, or None.
    build
        Gives the application of the pages; importing NiceGUI is its cost.
    """

    def __init__(self, enter: Enter, build: Callable[[], FastAPI]) -> None:
        self._enter, self._build = enter, build
        self._app: FastAPI | None = None
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or web socket."""
        connection = HTTPConnection(scope)
        if not same_origin(connection):
            await _refuse(scope, receive, send, PlainTextResponse("of another origin", 403))
        elif self._enter(connection) is None:
            prefix = scope.get("root_path", "").removesuffix("/ui")
            await _refuse(scope, receive, send, RedirectResponse(f"{prefix}/login", 303))
        elif scope["type"] == "http" and connection.url.path.rstrip("/").endswith("/ui"):
            await RedirectResponse(f"{scope.get('root_path', '')}/overview", 303)(scope, receive, send)
        else:
            app = await self._begun()
            scope[SCOPE] = lambda: self._enter(connection)
            await app(scope, receive, _guarded(send))

    async def close(self) -> None:
        """End the pages, if they ever began."""
        await self._stack.aclose()

    async def _begun(self) -> ASGIApp:
        async with self._lock:
            if self._app is None:
                app = await asyncio.to_thread(self._build)
                await self._stack.enter_async_context(app.router.lifespan_context(app))
                self._app = app
        return self._app


def mount(
    app: FastAPI, enter: Enter, login: Login, logout: Callable[[str], None], cookie: str = "marigram_session"
) -> None:
    """Add the pages to an application: ``/`` and ``/ui``, ``/login`` and ``/logout``.

    Parameters
    ----------
    app
        The application; its lifespan is extended.
    enter
        Gives the panel of who a connection comes from, or None for who is not let in.
    login, logout
        Exchanges a token for the value of the cookie, or None, or a ``MarigramError`` that says why not; ends a
        session.
    cookie
        The cookie's name.
    """

    def build() -> FastAPI:
        from marigram.service.dashboard.site import pages

        return pages()

    door = Door(enter, build)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(outer: Any) -> AsyncIterator[Any]:
        async with inner(outer) as state:
            try:
                yield state
            finally:
                await door.close()

    app.router.lifespan_context = lifespan
    _add_login(app, login, logout, cookie)
    app.mount("/ui", door)


def _add_login(app: FastAPI, login: Login, logout: Callable[[str], None], cookie: str) -> None:
    """Add the ways in and out."""

    async def home(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/ui/overview", 303)

    async def form(_: Request) -> Response:
        return _page("")

    async def enter(request: Request) -> Response:
        if not same_origin(request):
            return PlainTextResponse("of another origin", 403)
        body = await request.body()
        fields = parse_qs(body.decode("utf-8", "replace")) if len(body) <= _MOST_FORM else {}
        try:
            session = await asyncio.to_thread(login, fields.get("token", [""])[0].strip())
        except MarigramError as error:
            return _page(_WRONG.format(escape(str(error))), 403)
        if session is None:
            return _page(_WRONG.format("No such token, or it is no longer valid."), 401)
        answer = RedirectResponse(f"{request.scope.get('root_path', '')}/ui/overview", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(cookie, session, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    async def leave(request: Request) -> Response:
        if not same_origin(request):
            return PlainTextResponse("of another origin", 403)
        logout(request.cookies.get(cookie, ""))
        answer = RedirectResponse(f"{request.scope.get('root_path', '')}/login", 303)
        answer.delete_cookie(cookie, path="/", httponly=True, samesite="strict")
        return answer

    for path, serve, method in (
        ("/", home, "GET"),
        ("/login", form, "GET"),
        ("/login", enter, "POST"),
        ("/logout", leave, "POST"),
    ):
        app.add_route(path, serve, methods=[method], include_in_schema=False)


def same_origin(connection: HTTPConnection) -> bool:
    """Does this come from our own page, or not from a page at all?

    A page of another site is known by its ``Origin``, which browsers send with every web socket and every change, or
    by ``Sec-Fetch-Site`` on a change.
    """
    origin = connection.headers.get("origin")
    if origin is not None:
        scheme, _, host = origin.partition("://")
        return scheme in ("http", "https") and host == connection.headers.get("host")
    changes = connection.scope["type"] == "http" and connection.scope["method"] not in ("GET", "HEAD")
    site = connection.headers.get("sec-fetch-site", "none")
    return not changes or site in ("none", "same-origin")


def _page(told: str, status: int = 200) -> Response:
    answer = HTMLResponse(_FORM.format(told=told), status)
    for name, value in _HEADERS:
        answer.headers[name.decode()] = value.decode()
    answer.headers["cache-control"] = "no-store"
    return answer


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    else:
        await answer(scope, receive, send)


def _guarded(send: Send) -> Send:
    """Return a sender that adds our headers to every answer."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in _HEADERS}
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in own]
            message = {**message, "headers": [*kept, *_HEADERS]}
        await send(message)

    return guarded


__all__ = ["SCOPE", "Door", "mount", "same_origin"]
