"""`/v1/tokens`: made, listed and ended by whoever has one of scope admin."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

import apsw
from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from marigram.errors import ParameterError
from marigram.service import tokens
from marigram.service.access import TENANT, admin
from marigram.service.errors import RefusedError
from marigram.service.routes.answers import REFUSALS, answer
from marigram.service.tenants import Tenant
from marigram.service.tokens import DEFAULT, Access, Scope

router = APIRouter(responses=REFUSALS, tags=["tokens"])
Admitted = Annotated[tuple[Access, Tenant], Depends(admin)]


class NewToken(BaseModel):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=100, description="By which the audit names it.")
    scope: Scope
    tenant: str = Field(default=DEFAULT, max_length=63)
    days: float | None = Field(default=None, gt=0, le=36500, description="Until it expires; never if null.")


@router.get("/v1/tokens", summary="The tokens; not their texts, which are nowhere.")
async def get_tokens(admitted: Admitted) -> Response:
    """All of them, those that ended included."""
    ledger = _root(admitted).ledger
    return answer(await asyncio.to_thread(ledger.read, lambda connection: list(tokens.listed(connection))))


@router.post("/v1/tokens", status_code=201, summary="Make a token.")
async def post_token(asked: NewToken, admitted: Admitted) -> Response:
    """The answer is the only place where its text can be seen."""
    ledger, now = _root(admitted).ledger, _root(admitted).ledger.now()
    detail = {"name": asked.name, "scope": asked.scope, "tenant": asked.tenant}
    made = ledger.change(
        admitted[0].name,
        "token.create",
        detail,
        lambda connection: tokens.create(connection, now, asked.name, asked.scope, asked.tenant, asked.days),
    )
    return answer({"token": await asyncio.wrap_future(made), **detail}, 201)


@router.delete("/v1/tokens/{id}", summary="End a token.", responses={404: {"description": "None is valid."}})
async def delete_token(
    id: Annotated[int, Path(ge=1, le=1 << 62)],  # noqa: A002 - so it stands in the path
    admitted: Admitted,
) -> Response:
    """From now on it opens nothing."""
    ledger, now = _root(admitted).ledger, _root(admitted).ledger.now()

    def end(connection: apsw.Connection) -> None:
        if not tokens.revoke(connection, now, id):
            raise ParameterError(f"no token {id} is valid")

    try:
        await asyncio.wrap_future(ledger.change(admitted[0].name, "token.revoke", {"id": id}, end))
    except ParameterError as error:
        raise RefusedError(HTTPStatus.NOT_FOUND, str(error)) from error
    return answer({"revoked": id})


def _root(admitted: tuple[Access, Tenant]) -> Tenant:
    """Return the tenant that keeps the tokens; only its own admins may touch them."""
    access, tenant = admitted
    if access.tenant != DEFAULT or tenant.name != DEFAULT:
        raise RefusedError(HTTPStatus.FORBIDDEN, f"tokens are kept by the service itself: no {TENANT} here")
    return tenant


__all__ = ["router"]
