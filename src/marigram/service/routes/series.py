"""`POST /api/v1/write`: Prometheus sends its samples here, with `remote_write` in its configuration."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from marigram.service.access import ingest
from marigram.service.limits import held
from marigram.service.remotewrite import samples_of
from marigram.service.routes.answers import REFUSALS, Problem
from marigram.service.routes.events import body_of
from marigram.service.series import Samples, batch_of
from marigram.service.tenants import Tenant
from marigram.service.tokens import Access

router = APIRouter(tags=["events"])
_BODY = {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    "/api/v1/write",
    status_code=204,
    summary="Prometheus remote write 1.0.",
    responses={**REFUSALS, 413: {"model": Problem}},
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def post_write(
    request: Request, admitted: Annotated[tuple[Access, Tenant], Depends(ingest)]
) -> Response:
    """Each series is a key; the same request again is a duplicate."""
    tenant = admitted[1]
    body = await body_of(request, tenant)
    with held(tenant.budget, len(body)):
        samples = await asyncio.to_thread(samples_of, body, tenant.settings.limits)
        await accept_samples(tenant, samples, "remote_write", body)
    return Response(status_code=204)


async def accept_samples(tenant: Tenant, samples: list[Samples], source: str, body: bytes) -> None:
    """Take samples in under the name that their bytes give them."""
    digest = hashlib.blake2b(body, digest_size=16)
    tenant.take_series()
    await tenant.accept(batch_of(samples), source, digest.hexdigest(), digest.digest())


__all__ = ["accept_samples", "router"]
