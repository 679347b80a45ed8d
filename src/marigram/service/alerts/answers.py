"""What the routes of alerts have in common: bodies, answers, refusals, and how OpenAPI tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from fastapi import HTTPException, Request, Response

from marigram.errors import ParameterError
from marigram.service.alerts import schemas
from marigram.service.alerts.desk import ConflictError, UnknownError, Visit
from marigram.service.delivery.outbox import Connection

T = TypeVar("T")

SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of a file that is saved."""
_JSON: Final = "application/json"
_MOST_BODY: Final = 1 << 20


async def change(visit: Visit, action: str, detail: dict[str, object], work: Callable[[Connection], T]) -> T:
    """Change something; what is unknown is 404, what cannot be 409, what makes no sense 422."""
    try:
        return await visit.desk.change(visit.actor, action, detail, work)
    except UnknownError as error:
        raise HTTPException(404, str(error)) from error
    except ConflictError as error:
        raise HTTPException(409, str(error)) from error
    except ParameterError as error:
        raise HTTPException(422, str(error)) from error


async def body_of(request: Request, kind: type[T]) -> T:
    """Return the body as what it is to be; 422 says what is wrong with it."""
    body = await request.body()
    if len(body) > _MOST_BODY:
        raise HTTPException(413, f"a body has at most {_MOST_BODY} bytes here")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(422, str(error)) from error


def answer(value: Any) -> Response:
    """Return an answer in JSON."""
    return Response(
        msgspec.json.encode(value), media_type=_JSON, headers={"X-Content-Type-Options": "nosniff"}
    )


def gives(kind: Any, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Return the part of OpenAPI that tells of answers."""
    return {200: {"content": {_JSON: {"schema": schemas.schema_of(kind)}}}} | refuses(*refusals)


def refuses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the part of OpenAPI that tells of refusals."""
    told = {404: "nothing of this id", 409: "not as things are", 422: "not a request that makes sense"}
    problem = {_JSON: {"schema": schemas.schema_of(schemas.Problem)}}
    return {code: {"description": told[code], "content": problem} for code in codes}


def takes(kind: Any) -> dict[str, Any]:
    """Return the part of OpenAPI that tells of a body."""
    return {"requestBody": {"required": True, "content": {_JSON: {"schema": schemas.schema_of(kind)}}}}


__all__ = ["SAFE", "answer", "body_of", "change", "gives", "refuses", "takes"]
