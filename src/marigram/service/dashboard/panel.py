"""What the pages ask of the service: one tenant's data, seen by who came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from marigram.service.alerts.desk import Desk


class KeyRow(Protocol):
    """One key of the fleet."""

    @property
    def key(self) -> str:
        """Its name."""

    @property
    def n(self) -> int:
        """Events of it."""

    @property
    def time(self) -> int | None:
        """Time of its last event, ns since 1970 UTC."""


class AuditRow(Protocol):
    """One row of the audit."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def at(self) -> int:
        """When, ns since 1970 UTC."""

    @property
    def actor(self) -> str:
        """Who."""

    @property
    def action(self) -> str:
        """What."""

    @property
    def detail(self) -> str:
        """To what, as JSON."""


class Panel(Protocol):
    """One tenant, for one visitor."""

    @property
    def desk(self) -> Desk:
        """Alerts and stored verdicts."""

    @property
    def actor(self) -> str:
        """Who looks."""

    @property
    def may_operate(self) -> bool:
        """May they acknowledge, label and silence?"""

    @property
    def state(self) -> Path | None:
        """The folder of the tenant, in which a loop may run."""

    async def stats(self) -> Mapping[str, Any]:
        """Return figures of the service: accepted, rejected, duplicate, dropped, keys, lag_seconds, newest, …"""

    async def keys(self, limit: int = 200, search: str = "") -> Sequence[KeyRow]:
        """Return keys, those whose name has ``search`` in it."""

    async def configuration(self) -> Mapping[str, Any]:
        """Return what is in force: ``detector``, a mapping, ``schema_toml``, a text, and ``reasons``, texts."""

    async def what_if(
        self, alpha: float, since: int | None, until: int | None
    ) -> Mapping[str, Mapping[str, Any]]:
        """Return figures of the alerts on stored history ``now`` and ``then``, under another alpha."""

    async def audit(self, limit: int = 200) -> Sequence[AuditRow]:
        """Return the last rows of the audit, the newest first."""


__all__ = ["AuditRow", "KeyRow", "Panel"]
