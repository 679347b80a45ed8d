"""The application: routes, guards, tenants; made by :func:`build`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from marigram import __version__
from marigram.errors import MarigramError
from marigram.service.access import Gate, Guarded, operate_desk, read, read_desk
from marigram.service.dashboard.ledger import add_pages
from marigram.service.errors import status_of
from marigram.service.routes import azure, events, health, otlp, questions, replays, series, tokens
from marigram.service.routes.answers import REFUSALS, answer
from marigram.service.tenants import Settings, Tenant, Tenants
from marigram.service.tokens import Access
from marigram.service.warming import warm

_PATIENCE = 2.0
"""Seconds that a courier has to put down what it carries."""
_log = logging.getLogger("marigram.service")


def build(settings: Settings) -> FastAPI:
    """Return the application; its tenants are open, and are closed when it ends.

    Raises
    ------
    ParameterError, SnapshotError
        The folder is in use, of another configuration, or damaged.
    """
    tenants = Tenants(settings)
    app = FastAPI(
        title="marigram",
        version=__version__,
        summary="Tells anomalies from drifts in streams of events.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    try:
        app.state.feeds = _feeds(tenants)
    except BaseException:
        tenants.close()
        raise
    app.state.tenants, app.state.gate = tenants, Gate(tenants)
    for subject in (events, series, otlp, questions, replays, tokens, health, azure):
        app.include_router(subject.router)
    _add_alerts(app)
    add_pages(app, tenants, app.state.gate)
    app.add_api_route("/v1/openapi.json", _openapi, methods=["GET"], tags=["operation"], responses=REFUSALS)
    app.add_middleware(Guarded, gate=app.state.gate)
    app.add_exception_handler(MarigramError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    return app


def _feeds(tenants: Tenants) -> list[Any]:
    """Return what is fetched, not begun; each reader is imported when there is something for it."""
    sources, feeds = tenants.settings.sources, list[Any]()
    if sources.kafka:
        from marigram.service.kafka import KafkaFeed

        feeds += [KafkaFeed(tenants.root, topic) for topic in sources.kafka]
    if sources.tail:
        from marigram.service.tail import TailFeed

        feeds += [TailFeed(tenants.get(tail.tenant), tail) for tail in sources.tail]
    if sources.promql:
        from marigram.service.promql import PromFeed

        feeds += [PromFeed(tenants.get(query.tenant), query) for query in sources.promql]
    return feeds


def _add_alerts(app: FastAPI) -> None:
    from marigram.service.alerts.routes import alerts_router

    app.include_router(alerts_router(read_desk, operate_desk))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Deliver while the application runs; at its end finish what was taken in."""
    tenants: Tenants = app.state.tenants
    stop = asyncio.Event()
    for feed in app.state.feeds:
        feed.start()
    delivery = asyncio.create_task(_delivered(tenants, stop))
    warming = asyncio.create_task(asyncio.to_thread(warm))
    trimming = asyncio.create_task(tenants.heap.kept_small())
    try:
        yield
    finally:
        stop.set()
        trimming.cancel()
        await asyncio.gather(*(asyncio.to_thread(feed.stop) for feed in app.state.feeds))
        await asyncio.wait([delivery], timeout=_PATIENCE)
        await asyncio.to_thread(tenants.close)
        await warming


async def _delivered(tenants: Tenants, stop: asyncio.Event) -> None:
    """Let a courier carry the notices of each tenant, of one that comes later too."""
    from marigram.service.delivery import Courier

    couriers: dict[str, asyncio.Task[None]] = {}
    while tenants.settings.channels and not stop.is_set():
        for tenant in tenants.all():
            if tenant.name not in couriers:
                courier = Courier(tenant.desk, tenants.settings.channels)
                couriers[tenant.name] = asyncio.create_task(courier.run(stop))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)
    await asyncio.gather(*couriers.values())


async def _openapi(request: Request, _: Annotated[tuple[Access, Tenant], Depends(read)]) -> Response:
    """The description of this interface."""
    return answer(described(request.app))


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of the application."""
    document: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    schemes = document.setdefault("components", {}).setdefault("securitySchemes", {})
    schemes["token"] = {"type": "http", "scheme": "bearer", "description": "Needed once a token exists."}
    document["security"] = [{"token": []}, {}]
    return document


async def _refused(_: Request, error: Exception) -> Response:
    status, headers = status_of(error) if isinstance(error, MarigramError) else (HTTPStatus.BAD_REQUEST, {})
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s", error)
    return answer({"detail": str(error)}, status, headers)


async def _invalid(_: Request, error: Exception) -> Response:
    told = error.errors() if isinstance(error, RequestValidationError) else []
    where = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told)
    return answer({"detail": where or "the request is not valid"}, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.BAD_REQUEST
    headers = error.headers if isinstance(error, HTTPException) else None
    return answer({"detail": getattr(error, "detail", "") or HTTPStatus(status).phrase}, status, headers)


__all__ = ["build", "described"]
