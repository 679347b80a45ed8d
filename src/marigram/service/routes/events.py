"""`POST /v1/events`: a batch in, each line of it answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Request, Response

from marigram.service.access import ingest
from marigram.service.errors import RefusedError
from marigram.service.limits import whole
from marigram.service.routes.answers import REFUSALS, Accepted, Problem, answer
from marigram.service.tenants import Tenant
from marigram.service.tokens import Access
from marigram.store.books import Receipt

_LONGEST_ID: Final = 255
_EVENT: Final = {"type": "object", "additionalProperties": True}
_BODIES: Final[dict[str, Any]] = {
    "application/x-ndjson": {"schema": {"type": "string", "description": "One JSON object a line."}},
    "application/json": {
        "schema": {"oneOf": [{"type": "array", "items": _EVENT}, _EVENT]},
        "example": [{"time": "2026-05-01T12:00:00Z", "host": "web-1", "latency": 12.5}],
    },
    "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
}

router = APIRouter()


@router.post(
    "/v1/events",
    tags=["events"],
    summary="Send a batch of events.",
    responses={
        **REFUSALS,
        200: {"model": Accepted, "description": "Every line is accepted, duplicate or rejected."},
        409: {"model": Problem, "description": "The name was given to other events before."},
        413: {"model": Problem, "description": "Too many bytes or lines; send smaller batches."},
        415: {"model": Problem, "description": "A form or a packing that is not taken."},
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
)
async def post_events(
    request: Request,
    admitted: Annotated[tuple[Access, Tenant], Depends(ingest)],
    idempotency_key: Annotated[
        str | None, Header(description="Names the batch; sent again under its name it is not counted again.")
    ] = None,
    content_encoding: Annotated[str | None, Header(description="`gzip` or `zstd`.")] = None,
) -> Response:
    """Take a batch in; when this answers, its events are on the disk, and judged unless lateness holds them back.

    The columns are inferred from the first batch unless the service was started with a schema.
    """
    tenant = admitted[1]
    if idempotency_key is not None and not 0 < len(idempotency_key) <= _LONGEST_ID:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"Idempotency-Key has 1 to {_LONGEST_ID} characters"
        )
    body = await body_of(request, tenant)
    encoding = (content_encoding or "").strip().lower()
    kind = request.headers.get("content-type", "")
    return answer(told(await tenant.ingest(body, encoding, None, kind, idempotency_key)))


async def body_of(request: Request, tenant: Tenant) -> bytes:
    """Return the body of a request, within the limits."""
    limits, announced = tenant.settings.limits, request.headers.get("content-length")
    return await whole(request.stream(), announced, limits, tenant.budget)


def told(receipt: Receipt) -> dict[str, Any]:
    """Return the answer to a batch."""
    return {
        "accepted": receipt.accepted,
        "duplicate": receipt.duplicate,
        "rejected": [{"line": line, "reason": reason} for line, reason in receipt.rejected],
    }


__all__ = ["body_of", "router", "told"]
