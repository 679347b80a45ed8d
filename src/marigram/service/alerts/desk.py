"""Where the routes and the pages meet one tenant's data: what may be asked of it, and how it is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from marigram.errors import MarigramError
from marigram.fleet.feedback import Effect, Label
from marigram.service.alerts.book import Alerts
from marigram.service.delivery.outbox import Connection
from marigram.verdicts import Verdicts

T = TypeVar("T")


class UnknownError(MarigramError):
    """There is nothing of that id."""


class ConflictError(MarigramError):
    """It cannot be done as things are."""


class Desk(Protocol):
    """One tenant's alerts, seen from the event loop."""

    @property
    def alerts(self) -> Alerts:
        """The book; only to be used inside the ``work`` of a change."""

    @property
    def state(self) -> Path | None:
        """The tenant's folder, in which a loop may run; None where there is none."""

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the database, on a connection that cannot write."""

    async def change(
        self, actor: str, action: str, detail: Mapping[str, object], work: Callable[[Connection], T]
    ) -> T:
        """Do ``work`` and write a row of the audit, in one transaction, committed when this returns."""

    async def quietly(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` in a transaction, without a row of the audit."""

    async def history(self, key: str, last: int = 2000) -> Verdicts:
        """Return the last stored verdicts of a key, the oldest first; none of a key that is not known."""

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        """Tell the fleet of a label, inside the ``work`` of a change."""

    def now(self) -> int:
        """Nanoseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request that was let in: whose data, and who asks."""

    desk: Desk
    actor: str


__all__ = ["ConflictError", "Desk", "UnknownError", "Visit"]
