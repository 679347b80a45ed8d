"""`POST /v1/metrics` and `POST /v1/logs`: OpenTelemetry collectors and programs send their points here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from google.protobuf import json_format
from google.protobuf.message import Message

from marigram.service import otlp
from marigram.service.access import ingest
from marigram.service.limits import held, unpack
from marigram.service.routes.answers import REFUSALS, Problem
from marigram.service.routes.events import body_of
from marigram.service.routes.series import accept_samples
from marigram.service.series import Samples
from marigram.service.tenants import Tenant
from marigram.service.tokens import Access

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"application/x-protobuf": _BINARY, "application/json": {"schema": {"type": "object"}}}
_MORE: dict[str, Any] = {
    "responses": {**REFUSALS, 413: {"model": Problem}, 415: {"model": Problem}},
    "openapi_extra": {"requestBody": {"required": True, "content": _BODY}},
}

router = APIRouter(tags=["events"])
Admitted = Annotated[tuple[Access, Tenant], Depends(ingest)]
Read = Callable[[bytes, str], tuple[list[Samples], int, str]]


@router.post("/v1/metrics", summary="OTLP metrics.", **_MORE)
async def post_metrics(request: Request, admitted: Admitted) -> Response:
    """Each series is a key; points that are no samples are told as a partial success."""
    return await _taken(request, admitted[1], otlp.metric_samples, otlp.metrics_answer)


@router.post("/v1/logs", summary="OTLP logs.", **_MORE)
async def post_logs(request: Request, admitted: Admitted) -> Response:
    """Attributes that are numbers are samples; records without one are told as a partial success."""
    return await _taken(request, admitted[1], otlp.log_samples, otlp.logs_answer)


async def _taken(
    request: Request, tenant: Tenant, read: Read, answer: Callable[[int, str], Message]
) -> Response:
    body, kind = await body_of(request, tenant), request.headers.get("content-type", "")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    with held(tenant.budget, len(body)):
        content = await asyncio.to_thread(unpack, body, encoding, tenant.settings.limits)
        samples, rejected, reason = await asyncio.to_thread(read, content, kind)
        await accept_samples(tenant, samples, "otlp", content)
    told = answer(rejected, reason)
    if kind.startswith("application/json"):
        return Response(json_format.MessageToJson(told, indent=None), media_type="application/json")
    return Response(told.SerializeToString(), media_type="application/x-protobuf")


__all__ = ["router"]
