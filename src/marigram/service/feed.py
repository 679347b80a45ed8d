"""What all that the service fetches by itself has in common: where it stands is committed together with its events.

So after a crash at any moment each is read on from the event behind the last one that is on the disk.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from typing import Final

from marigram.errors import MarigramError
from marigram.events import Batch
from marigram.service.tenants import Tenant
from marigram.store.database import FullError
from marigram.store.ledger import BusyError

_FIRST, _LONGEST = 1.0, 60.0
"""Seconds of the pause after a failure; it doubles."""
_log: Final = logging.getLogger("marigram.feed")


class Feed(threading.Thread, ABC):
    """Reads one source into a tenant until it is told to stop.

    Parameters
    ----------
    tenant
        Whose events they are.
    source
        What the source is called in the ledger.
    """

    def __init__(self, tenant: Tenant, source: str) -> None:
        super().__init__(name=source, daemon=True)
        self.tenant, self.source = tenant, source
        self.stopping = threading.Event()
        self._pause = _FIRST

    @abstractmethod
    def work(self) -> None:
        """Read from where the source stands, until the end, a failure, or a pause; it is called again."""

    def run(self) -> None:
        """Read; what fails is tried again."""
        while not self.stopping.is_set():
            try:
                self.work()
            except MarigramError as error:
                _log.warning("%s: %s", self.source, error)
                self.stopping.wait(self._pause)
                self._pause = min(_LONGEST, 2.0 * self._pause)

    def stop(self) -> None:
        """End, after the batch in hand."""
        self.stopping.set()
        self.join()

    def position(self) -> str | None:
        """Return where the source stands, None at its beginning."""
        question = "SELECT value FROM position WHERE source = ?"
        row = self.tenant.ledger.read(
            lambda connection: connection.execute(question, (self.source,)).fetchone()
        )
        return None if row is None else str(row[0])

    def hand_in(self, batch: Batch, position: str) -> bool:
        """Have a batch judged and kept, and the place behind it; False when the end came before."""
        while not self.stopping.is_set():
            try:
                if len(batch) or batch.rejects:
                    self.tenant.ledger.submit(batch, self.source, position=position).result()
                else:
                    self.tenant.ledger.call(lambda books: books.set_position(self.source, position)).result()
            except (BusyError, FullError) as error:
                _log.warning("%s: %s", self.source, error)
                self.stopping.wait(_FIRST)
            else:
                self._pause = _FIRST
                return True
        return False


__all__ = ["Feed"]
