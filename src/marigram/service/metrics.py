"""The service's own figures, made when they are asked for, from what the ledgers count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from marigram.kinds import Kind
from marigram.service.alerts import tables
from marigram.service.delivery import outbox
from marigram.service.delivery.outbox import Connection
from marigram.service.tenants import Tenants

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_COUNTERS: Final = {
    "accepted": ("marigram_events_accepted", "Events accepted: on the disk, and judged or held back."),
    "duplicate": ("marigram_events_duplicate", "Events of batches that were accepted before."),
    "rejected": ("marigram_lines_rejected", "Lines that could not be used."),
    "refused": ("marigram_events_refused", "Events refused because too much was waiting (429)."),
    "notices": ("marigram_notices", "Verdicts that people are told of."),
}
_GAUGES: Final = {
    "keys": ("marigram_keys", "Keys that have a state."),
    "waiting": ("marigram_waiting_events", "Events that wait for the writer."),
    "held": ("marigram_held_events", "Events on the disk that wait for earlier ones (lateness)."),
    "lag_seconds": ("marigram_lag_seconds", "How long the oldest of them has waited."),
    "bytes": ("marigram_database_bytes", "Bytes of rows in the database."),
    "free_bytes": ("marigram_disk_free_bytes", "Bytes that are free on the disk."),
}
_LEARNED: Final = (Kind.NORMAL, Kind.ANOMALY, Kind.UNDECIDED, Kind.DRIFT)
"""Kinds of events that were held against a band."""


class _Figures(Collector):
    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    def collect(self) -> Iterator[Metric]:
        stats = [(tenant.name or "default", tenant, tenant.ledger.stats()) for tenant in self._tenants.all()]
        for family, table in ((CounterMetricFamily, _COUNTERS), (GaugeMetricFamily, _GAUGES)):
            for field, (name, told) in table.items():
                metric = family(name, told, labels=["tenant"])
                for label, _, counts in stats:
                    metric.add_metric([label], counts[field])
                yield metric
        kinds = CounterMetricFamily("marigram_verdicts", "Verdicts by kind.", labels=["tenant", "kind"])
        promised = GaugeMetricFamily("marigram_false_alarm_promised", "alpha.", labels=["tenant"])
        observed = GaugeMetricFamily(
            "marigram_false_alarm_observed",
            "Anomalies as a share of the events held against a band: what there is of real ones included.",
            labels=["tenant"],
        )
        for label, tenant, counts in stats:
            for kind in Kind:
                kinds.add_metric([label, kind.label], counts["kinds"][kind.label])
            promised.add_metric([label], tenant.ledger.parameters.alpha)
            observed.add_metric([label], observed_rate(counts))
        yield from (kinds, promised, observed)
        yield from self._people()

    def _people(self) -> Iterator[Metric]:
        """Yield what stands open, and what is on its way to somebody."""
        alerts = GaugeMetricFamily(
            "marigram_alerts_open",
            "Alerts that are not closed, by the band of their severity, -log10 p.",
            labels=["tenant", "kind", "severity"],
        )
        sending = GaugeMetricFamily(
            "marigram_outbox",
            "Notices by state; those retried are among those that wait.",
            labels=["tenant", "state"],
        )
        for tenant in self._tenants.all():
            label = tenant.name or "default"
            standing, states = tenant.ledger.read(_told)
            for (kind, band), count in sorted(standing.items()):
                alerts.add_metric([label, kind, band], count)
            for state, count in states.items():
                sending.add_metric([label, state], count)
        yield from (alerts, sending)


def _told(connection: Connection) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    states = outbox.counts(connection) | {"retried": outbox.retried(connection)}
    return tables.open_by_severity(connection), states


def observed_rate(stats: dict[str, Any]) -> float:
    """Return the share of anomalies among the events that were held against a band; NaN before there are any."""
    judged = sum(stats["kinds"][kind.label] for kind in _LEARNED)
    return stats["kinds"][Kind.ANOMALY.label] / judged if judged else float("nan")


def exposition(tenants: Tenants) -> tuple[bytes, str]:
    """Return the figures in the text format of Prometheus, and its type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(tenants))
    return generate_latest(registry), CONTENT_TYPE


__all__ = ["exposition", "observed_rate"]
