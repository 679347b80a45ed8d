"""The pages over a tenant's ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from marigram.errors import ParameterError
from marigram.service.access import COOKIE, Gate
from marigram.service.alerts.desk import Desk
from marigram.service.dashboard.mount import mount
from marigram.service.dashboard.panel import Panel
from marigram.service.replay import compare
from marigram.service.routes.questions import audit_rows, configuration
from marigram.service.tenants import Tenant, Tenants
from marigram.service.tokens import Access
from marigram.verdicts import Verdict

_SEARCHED: Final = 10_000
"""Keys that spoke last among which names are searched."""


class SpokenKey(msgspec.Struct, frozen=True):
    """One key, by its newest verdict."""

    key: str
    n: int
    time: int | None


class Deed(msgspec.Struct, frozen=True):
    """One row of the audit."""

    id: int
    at: int
    actor: str
    action: str
    detail: str


class LedgerPanel:
    """A :class:`Panel` over one tenant, for one token.

    Parameters
    ----------
    tenant, access
        Whose data, and who asks.
    """

    def __init__(self, tenant: Tenant, access: Access) -> None:
        self._tenant, self._access = tenant, access

    @property
    def desk(self) -> Desk:
        """Alerts and stored verdicts."""
        return self._tenant.desk

    @property
    def actor(self) -> str:
        """Who looks."""
        return self._access.name

    @property
    def may_operate(self) -> bool:
        """May they acknowledge, label and silence?"""
        return self._access.may("operate")

    @property
    def state(self) -> Path:
        """The tenant's folder."""
        return self._tenant.ledger.folder

    async def stats(self) -> Mapping[str, Any]:
        """Return figures of the service."""
        found = await asyncio.to_thread(self._tenant.ledger.stats)
        return found | {"dropped": found["refused"]}

    async def keys(self, limit: int = 200, search: str = "") -> Sequence[SpokenKey]:
        """Return the keys that spoke last, those whose name has ``search`` in it; and the one that is called so."""
        ledger = self._tenant.ledger
        latest = await asyncio.to_thread(ledger.latest, _SEARCHED if search else limit)
        found = [_spoken(row) for row in latest]
        if search:
            found = [row for row in found if search in row.key]
            exact = await asyncio.to_thread(ledger.history, search, 1)
            if len(exact) and search not in {row.key for row in found}:
                found.append(_spoken(exact[0]))
        return found[:limit]

    async def configuration(self) -> Mapping[str, Any]:
        """Return what is in force."""
        return await asyncio.to_thread(configuration, self._tenant)

    async def what_if(
        self, alpha: float, since: int | None, until: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return figures of the alerts on stored history as it was, and under another alpha."""
        return await asyncio.to_thread(compare, self._tenant, {"alpha": alpha}, since, until)

    async def audit(self, limit: int = 200) -> Sequence[Deed]:
        """Return the last rows of the audit; ``ParameterError`` for who may not see it."""
        if not self._access.may("admin"):
            raise ParameterError("the audit needs a token of scope admin")
        rows = await asyncio.to_thread(audit_rows, self._tenant, limit)
        return [Deed(**{**row, "detail": msgspec.json.encode(row["detail"]).decode()}) for row in rows]


def add_pages(app: FastAPI, tenants: Tenants, gate: Gate) -> None:
    """Add the pages to the service."""

    def enter(connection: HTTPConnection) -> Panel | None:
        access = gate.who(connection)
        if access is None or not access.may("read"):
            return None
        return LedgerPanel(tenants.get(access.tenant), access)

    mount(app, enter, gate.login, gate.logout, COOKIE)


def _spoken(row: Verdict) -> SpokenKey:
    return SpokenKey("" if row.key is None else str(row.key), row.seq + 1, row.time)


__all__ = ["LedgerPanel", "add_pages"]
