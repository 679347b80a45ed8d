"""Tenants: each has its folder, its ledger, its schema, its quota; none can be reached from another."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from marigram.detectors.default import Detector
from marigram.errors import ParameterError
from marigram.events import Batch, Schema
from marigram.service.alerts import AlertRules, Alerts
from marigram.service.alerts.tables import DDL
from marigram.service.decoding import Decoder, Form, form_of
from marigram.service.delivery import AnyChannel
from marigram.service.desk import LedgerDesk
from marigram.service.limits import Budget, Limits, Rate, held, unpack
from marigram.service.memory import Heap
from marigram.service.series import SCHEMA, check_schema
from marigram.service.sources import Sources
from marigram.service.tokens import DEFAULT, check_tenant
from marigram.store.books import Receipt
from marigram.store.ledger import Ledger, ledgers_closed
from marigram.store.retention import Keep

HTTP = "http"
"""Source of what clients send; their batches' names are unique within it."""


@dataclass(frozen=True)
class Settings:
    """What a service is started with.

    Parameters
    ----------
    state
        Folder of everything that is kept.
    detector, schema
        As for `marigram watch`; what is left open in the schema is inferred from the first batch.
    alerts, channels
        The user's rules for alerts, and where notices go.
    limits, keep
        What is taken in, and what is kept.
    sources
        What the service fetches by itself.
    memory, threads
        Of each tenant's fleet.
    silence
        Whether keys that fall silent are told.
    lateness
        Nanoseconds for which events are held back, to be judged in the order of their times; None for as it was.
    """

    state: Path
    detector: Detector | None = None
    schema: Schema = field(default_factory=Schema)
    alerts: AlertRules = field(default_factory=AlertRules)
    channels: Sequence[AnyChannel] = ()
    sources: Sources = field(default_factory=Sources)
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)
    memory: int | str | None = None
    threads: int = 1
    silence: bool = True
    lateness: int | None = None


class Tenant:
    """One tenant, open.

    Parameters
    ----------
    name
        Empty for the service's own.
    settings
        Of the service.
    budget, heap
        Bytes that all requests may hold; counts what they were.
    """

    def __init__(self, name: str, settings: Settings, budget: Budget, heap: Heap) -> None:
        folder = settings.state / "tenants" / name if name else settings.state
        self.name = name
        self.settings = settings
        self.ledger = Ledger(
            folder,
            settings.detector,
            keep=settings.keep,
            ddl=DDL,
            follower=lambda connection: Alerts.load(connection, settings.alerts),
            memory=settings.memory,
            threads=settings.threads,
            silence=settings.silence,
            lateness=settings.lateness,
        )
        self.desk = LedgerDesk(self.ledger)
        self.rate = Rate(settings.limits)
        self.budget, self.heap = budget, heap
        self._threads = ThreadPoolExecutor(1, f"decode {name}")
        try:
            known = self.ledger.call(lambda books: books.meta("schema")).result()
            self.decoder = Decoder(_agreed(settings.schema, known))
        except BaseException:
            self.close()
            raise
        self._remembered = known

    async def ingest(
        self, body: bytes, encoding: str, form: Form | None, content_type: str, batch_id: str | None
    ) -> Receipt:
        """Take in one body; what it returns is on the disk."""
        loop = asyncio.get_running_loop()
        with held(self.budget, len(body)):
            batch, digest = await loop.run_in_executor(
                self._threads, self.decoded, body, encoding, form, content_type
            )
        return await self.accept(batch, HTTP, batch_id, digest)

    async def accept(
        self,
        batch: Batch,
        source: str,
        batch_id: str | None = None,
        digest: bytes = b"",
        position: str | None = None,
    ) -> Receipt:
        """Take in one batch; what it returns is on the disk."""
        self.rate.take(len(batch))
        future = self.ledger.submit(batch, source, batch_id, digest, position)
        return await asyncio.wrap_future(future)

    def decoded(
        self, body: bytes, encoding: str, form: Form | None, content_type: str
    ) -> tuple[Batch, bytes]:
        """Return the batch that a body is, and its digest; a schema that is inferred from it is kept."""
        content = unpack(body, encoding, self.settings.limits)
        batch = self.decoder.decode(content, form or form_of(content_type, content), self.settings.limits)
        self._remember()
        self.heap.read(len(content))
        return batch, hashlib.blake2b(content, digest_size=16).digest()

    def take_series(self) -> None:
        """Take samples of series from now on, and nothing else; ParameterError where there are other events."""
        check_schema(self.decoder.schema)
        self.decoder.schema = SCHEMA
        self._remember()

    def adopt(self, schema: Schema, reasons: Sequence[str]) -> None:
        """Keep a schema that was inferred elsewhere, unless one is known."""
        if not self.decoder.schema.is_complete:
            self.decoder.schema, self.decoder.reasons = schema, list(reasons)
        self._remember()

    def _remember(self) -> None:
        """Keep a schema that was inferred, before the first batch that it explains; a full disk refuses both."""
        schema = self.decoder.schema
        if self._remembered is None and schema.is_complete:
            known, reasons = schema.to_mapping(), list(self.decoder.reasons)

            def keep(books: Any) -> None:
                books.set_meta("schema", known)
                books.set_meta("reasons", reasons)

            self.ledger.call(keep).result()
            self._remembered = known

    def close(self) -> None:
        """Finish what was handed in and let the folder go."""
        self._threads.shutdown()
        self.ledger.close()


class Tenants:
    """All tenants of a service; opened when they are first spoken to.

    Parameters
    ----------
    settings
        Of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.budget, self.heap = Budget(settings.limits.bodies), Heap()
        self._open: dict[str, Tenant] = {}
        self._lock = threading.Lock()
        self.root = self.get(DEFAULT)
        for folder in sorted((settings.state / "tenants").glob("*")):
            if folder.is_dir():
                self.get(check_tenant(folder.name))

    def get(self, name: str) -> Tenant:
        """Return a tenant, opened."""
        with self._lock:
            if name not in self._open:
                self._open[name] = Tenant(check_tenant(name), self.settings, self.budget, self.heap)
            return self._open[name]

    def all(self) -> list[Tenant]:
        """Return those that are open."""
        return list(self._open.values())

    def close(self) -> None:
        """Close all."""
        for tenant in self.all():
            tenant._threads.shutdown()
        ledgers_closed(tenant.ledger for tenant in self.all())


def _agreed(told: Schema, known: Mapping[str, Any] | None) -> Schema:
    """Return the schema of the data that are there; refuse another."""
    if known is None:
        return told
    kept = Schema.from_mapping(known)
    for name, value in told.to_mapping().items():
        if msgspec.to_builtins(getattr(kept, name)) != value:
            raise ParameterError(
                f"the data that are there have {name} = {getattr(kept, name)!r}, not {value!r}"
            )
    return kept


__all__ = ["HTTP", "Settings", "Tenant", "Tenants"]
