"""Serving: uvicorn with bounds on what it reads before the application sees it, and an end that comes soon."""

from __future__ import annotations

import gc
import socket
import sys
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from marigram.errors import ParameterError
from marigram.service.access import is_loopback
from marigram.service.app import build
from marigram.service.memory import one_heap
from marigram.service.tenants import Settings

HEAD: Final = 1 << 16
"""Bytes of the head of a request."""
GRACE: Final = 3
"""Seconds for which requests, and pages that are open, may hold up the end."""
_CONNECTIONS: Final = 1000


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests have a head of bounded size."""

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head: int | None = 0

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._head = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take bytes; hang up on a head without end."""
        super().data_received(data)
        head = getattr(self, "_head", None)
        if head is not None:
            self._head = head + len(data)
            if self._head > HEAD:
                self.send_400_response("The head of the request is too large.")


def check_address(host: str, settings: Settings, *, has_token: bool) -> None:
    """Refuse to be reached from elsewhere while everybody could do everything."""
    if not is_loopback(host) and not has_token:
        raise ParameterError(
            f"{host} can be reached from other machines, and no token exists yet: make one with "
            f"`marigram token add NAME --scope admin --state {settings.state}`"
        )


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until a signal says to stop; what was taken in is finished then.

    Raises
    ------
    ParameterError
        The address is taken, or would be open to others without a token.
    """
    one_heap()
    app = build(settings)
    gc.freeze()  # what is there now stays; the command switched the collector off while it was made
    gc.enable()
    try:
        check_address(host, settings, has_token=not app.state.gate.is_open)
        listener = _listening(host, port)
    except BaseException:
        app.state.tenants.close()
        raise
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
        proxy_headers=False,
    )
    told = listener.getsockname()
    name = f"[{told[0]}]" if ":" in told[0] else told[0]
    print(f"marigram serves http://{name}:{told[1]} from {settings.state}", file=sys.stderr, flush=True)  # noqa: T201 - told to who started it
    uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise ParameterError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


__all__ = ["BoundedProtocol", "check_address", "serve"]
