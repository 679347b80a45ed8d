"""One tenant's ledger as the routes, the pages and the courier see it: from the event loop, without blocking it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

import apsw

from marigram.fleet.feedback import Effect, Label
from marigram.service.alerts.book import Alerts
from marigram.service.delivery.outbox import Connection
from marigram.store.ledger import Ledger
from marigram.verdicts import Verdicts

T = TypeVar("T")


class LedgerDesk:
    """A :class:`~marigram.service.alerts.desk.Desk` over a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    @property
    def alerts(self) -> Alerts:
        """The book of alerts; only to be used inside the ``work`` of a change."""
        return cast(Alerts, self.ledger.follower)

    @property
    def state(self) -> Path:
        """The tenant's folder, in which a loop may run."""
        return self.ledger.folder

    async def read(self, question: Callable[[Connection], T]) -> T:
        """Ask the database, on a connection that cannot write."""
        return await asyncio.to_thread(self.ledger.read, question)

    async def change(
        self, actor: str, action: str, detail: Mapping[str, object], work: Callable[[Connection], T]
    ) -> T:
        """Do ``work`` and write a row of the audit, in one transaction, committed when this returns."""
        return await asyncio.wrap_future(self.ledger.change(actor, action, detail, work))

    async def quietly(self, work: Callable[[apsw.Connection], T]) -> T:
        """Do ``work`` in a transaction, without a row of the audit."""
        return await asyncio.wrap_future(self.ledger.quietly(work))

    async def history(self, key: str, last: int = 2000) -> Verdicts:
        """Return the last stored verdicts of a key, the oldest first; none of a key that is not known."""
        return await asyncio.to_thread(self.ledger.history, key, last)

    def feedback(self, key: str, seq: int, label: Label) -> Effect:
        """Tell the fleet of a label, inside the ``work`` of a change."""
        return self.ledger.feedback(key, seq, label)

    def now(self) -> int:
        """Nanoseconds since 1970 UTC."""
        return self.ledger.now()


__all__ = ["LedgerDesk"]
