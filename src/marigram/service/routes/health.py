"""`/healthz`, `/readyz`, `/metrics`: what those who run the service look at."""

from __future__ import annotations

import asyncio
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from marigram.service.access import read
from marigram.service.metrics import exposition
from marigram.service.routes.answers import REFUSALS, Problem, answer
from marigram.service.tenants import Tenant, Tenants
from marigram.service.tokens import Access

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the process works.", responses={503: {"model": Problem}})
async def healthz(request: Request) -> Response:
    """Status 503 when its writer stopped: start it again."""
    if all(tenant.ledger.healthy for tenant in _tenants(request).all()):
        return answer({"status": "ok"})
    return answer({"detail": "a writer stopped"}, 503)


@router.get("/readyz", summary="Whether batches are taken.", responses={503: {"model": Problem}})
async def readyz(request: Request) -> Response:
    """Status 503 while the disk is full or a writer stopped."""
    root = _tenants(request).root.ledger
    if not (root.healthy and root.has_room):
        return answer({"detail": "nothing can be written"}, 503)
    return answer({"status": "ready"})


@router.get(
    "/metrics",
    summary="Metrics for Prometheus.",
    responses={**REFUSALS, 200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
async def metrics(request: Request, _: Annotated[tuple[Access, Tenant], Depends(read)]) -> Response:
    """Lag, drops, rates; the promised and the observed rate of false alarms."""
    content, kind = await asyncio.to_thread(exposition, _tenants(request))
    return Response(content, media_type=kind)


def _tenants(request: Request) -> Tenants:
    return cast(Tenants, request.app.state.tenants)


__all__ = ["router"]
