"""A file that grows, read as `marigram watch --follow` reads it, into the ledger of a tenant."""

from __future__ import annotations

import os
from typing import Final

import msgspec

from marigram.events import open_source
from marigram.service.feed import Feed
from marigram.service.sources import FileTail
from marigram.service.tenants import Tenant

_LOOK: Final = 0.25
"""Seconds between two looks at the end of the file."""


class TailFeed(Feed):
    """Follows a file.

    Parameters
    ----------
    tenant
        Whose events they are.
    tail
        What to read.
    """

    def __init__(self, tenant: Tenant, tail: FileTail) -> None:
        super().__init__(tenant, f"tail:{tail.path}")
        self._path = tail.path
        self._lateness = None if tail.lateness is None else round(tail.lateness * 1e9)

    def work(self) -> None:
        """Read on from the line behind the last one that is on the disk; events that are held back come again."""
        if not os.path.exists(self._path):
            self.stopping.wait(_LOOK)
            return
        told = self.position()
        with open_source(
            self._path,
            self.tenant.decoder.schema,
            follow=True,
            lateness=self._lateness,
            start=None if told is None else msgspec.json.decode(told),
            wait=lambda: not self.stopping.wait(_LOOK),
        ) as source:
            self.tenant.adopt(msgspec.structs.replace(source.schema, format=None), source.reasons)
            for batch in source:
                if self.stopping.is_set():
                    return
                if len(batch) or batch.rejects:
                    self.hand_in(batch, msgspec.json.encode(batch.offset).decode())


__all__ = ["TailFeed"]
