"""What can be asked: keys, their verdicts, counts, the configuration, the audit."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Response

from marigram.errors import ParameterError
from marigram.service.access import admin, read
from marigram.service.errors import RefusedError
from marigram.service.routes.answers import REFUSALS, answer
from marigram.service.tenants import Tenant
from marigram.service.tokens import Access
from marigram.store import audit
from marigram.verdicts import Verdicts

router = APIRouter(responses=REFUSALS)
Admitted = Annotated[tuple[Access, Tenant], Depends(read)]


@router.get("/v1/stats", tags=["state"], summary="Counts since ever, and of the present.")
async def get_stats(admitted: Admitted) -> Response:
    """Events accepted, duplicate, rejected, refused since ever; keys; what waits, what is held; bytes on the disk."""
    return answer(await asyncio.to_thread(admitted[1].ledger.stats))


@router.get("/v1/keys", tags=["state"], summary="The keys that spoke last, each with its newest verdict.")
async def get_keys(admitted: Admitted, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """The newest first."""
    return _verdicts(await asyncio.to_thread(admitted[1].ledger.latest, limit))


@router.get(
    "/v1/keys/{key:path}",
    tags=["state"],
    summary="One key: what is expected of it.",
    responses={404: {"description": "No event of this key was accepted."}},
)
async def get_key(key: str, admitted: Admitted) -> Response:
    """Events learned, the band of the newest verdict, and that verdict."""
    ledger = admitted[1].ledger
    try:
        state = await asyncio.wrap_future(ledger.ask(lambda books: books.fleet.state(key)))
    except ParameterError as error:
        raise RefusedError(HTTPStatus.NOT_FOUND, f"no key {key!r} is known") from error
    last = await asyncio.to_thread(ledger.history, key, 1)
    newest = msgspec.json.decode(last[-1].to_json()) if len(last) else None
    band = {name: None if newest is None else newest[name] for name in ("expected", "lower", "upper")}
    return answer({"key": key, "n": state["n"], **band, "episode": state["episode"], "last": newest})


@router.get("/v1/verdicts", tags=["state"], summary="The stored verdicts of one key, the oldest first.")
async def get_verdicts(
    admitted: Admitted,
    key: Annotated[str, Query(description="Empty when events have no key.")] = "",
    last: Annotated[int, Query(ge=1, le=10_000, description="So many of them at most.")] = 1000,
    before: Annotated[
        int | None, Query(ge=1, le=1 << 62, description="Of entries of the log before this one.")
    ] = None,
) -> Response:
    """Verdicts as everywhere: JSON objects with the same fields."""
    ledger = admitted[1].ledger
    return _verdicts(await asyncio.to_thread(ledger.history, key or None, last, before))


@router.get("/v1/configuration", tags=["state"], summary="The detector, and how the columns are read.")
async def get_configuration(admitted: Admitted) -> Response:
    """Parameters of the detector; the schema, and why it was inferred so."""
    tenant = admitted[1]
    return answer(await asyncio.to_thread(configuration, tenant))


@router.get("/v1/audit", tags=["audit"], summary="Who did what, the newest first.")
async def get_audit(
    admitted: Annotated[tuple[Access, Tenant], Depends(admin)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=1, le=1 << 62)] = None,
) -> Response:
    """Rows of the audit log."""
    return answer(await asyncio.to_thread(audit_rows, admitted[1], limit, before))


@router.get("/v1/audit/head", tags=["audit"], summary="Walk the chain of the audit log.")
async def get_audit_head(admitted: Annotated[tuple[Access, Tenant], Depends(admin)]) -> Response:
    """The head of the chain, to be written down elsewhere, and what is wrong with the chain, if anything."""
    head, wrong = await asyncio.to_thread(admitted[1].ledger.read, audit.verify)
    return answer({"rows": head.rows, "head": str(head), "wrong": wrong})


def configuration(tenant: Tenant) -> dict[str, Any]:
    """Return the configuration in force, as JSON values."""
    kept = tenant.ledger.ask(lambda books: (books.meta("detector"), books.meta("reasons"))).result()
    schema = tenant.decoder.schema
    return {
        "detector": kept[0],
        "lateness": tenant.ledger.lateness / 1e9,
        "schema": schema.to_mapping(),
        "schema_toml": schema.to_toml(),
        "reasons": kept[1] or [],
    }


def audit_rows(tenant: Tenant, limit: int, before: int | None = None) -> list[dict[str, Any]]:
    """Return the newest rows of the audit log."""
    names = ("id", "at", "actor", "action", "detail")
    rows = tenant.ledger.read(
        lambda connection: connection.execute(
            "SELECT id, at, actor, action, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
            ((1 << 62) if before is None else before, limit),
        ).fetchall()
    )
    told = [dict(zip(names, row, strict=True)) for row in rows]
    return [{**row, "detail": msgspec.json.decode(str(row["detail"]))} for row in told]


def _verdicts(verdicts: Verdicts) -> Response:
    lines = verdicts.json_lines().rstrip(b"\n").replace(b"\n", b",")
    return Response(b"[" + lines + b"]", media_type="application/json")


__all__ = ["audit_rows", "configuration", "router"]
