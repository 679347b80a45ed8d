"""What would have been: a stored period judged again, by the same or by another detector.

The log from its beginning goes through two fleets, one as it is and one as it might be; within the period both make
alerts by the same rules, each in a database in memory.  Nothing of the service changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import apsw
import msgspec
import numpy as np

from marigram.detectors.default import Detector
from marigram.detectors.parameters import Parameters
from marigram.errors import ParameterError
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet
from marigram.kinds import Kind
from marigram.service.alerts import Alerts
from marigram.service.alerts.tables import DDL
from marigram.service.tenants import Tenant
from marigram.store.course import Course
from marigram.store.log import Entry, entries
from marigram.store.past import Past
from marigram.verdicts import Verdicts

_SHOWN: Final = 100
_KINDS: Final = (Kind.ANOMALY, Kind.UNDECIDED, Kind.DRIFT)


@dataclass
class _Story:
    """One course, and the alerts that its verdicts make."""

    course: Course
    connection: apsw.Connection
    alerts: Alerts
    counts: dict[str, int]
    notices: set[tuple[str, int]]

    def take(self, verdicts: Verdicts, at: int) -> None:
        """Count the verdicts of the period, and make their alerts."""
        self.alerts.follow(self.connection, verdicts, at)
        kinds = np.bincount(verdicts["kind"], minlength=len(Kind))
        for kind in _KINDS:
            self.counts[kind.label] += int(kinds[kind])
        told = np.flatnonzero(verdicts["notice"])
        self.counts["notices"] += len(told)
        self.notices |= {(str(verdicts["key"][row]), int(verdicts["seq"][row])) for row in told.tolist()}

    def answer(self) -> dict[str, int]:
        """Return the counts, that of the alerts too."""
        row = self.connection.execute("SELECT count(*) FROM alert").fetchone()
        return {**self.counts, "alerts": int(row[0]) if row else 0}


def compare(
    tenant: Tenant, settings: Mapping[str, Any], since: int | None = None, until: int | None = None
) -> dict[str, Any]:
    """Judge a period again under the parameters in force and under those with ``settings`` instead.

    Parameters
    ----------
    tenant
        Whose events.
    settings
        Parameters of :class:`~marigram.Detector` that are changed; none: the period as it was.
    since, until
        Bounds of the period by receipt, ns: since <= at < until; None for no bound.

    Returns
    -------
    dict
        ``events`` of the period; ``now`` and ``then``, each with counts of anomalies, drifts, undecided, notices and
        alerts; ``only_now`` and ``only_then``, at most 100 notices (key, seq) that one has and the other has not.

    Raises
    ------
    ParameterError
        A setting does not exist or is out of range.
    """
    other = changed(tenant.ledger.parameters, settings)
    return tenant.ledger.read(lambda connection: _compared(connection, tenant, other, since, until))


def changed(parameters: Parameters, settings: Mapping[str, Any]) -> Detector:
    """Return a detector of these parameters with some changed; ParameterError for what cannot be."""
    known = msgspec.to_builtins(parameters)
    unknown = sorted(settings.keys() - known.keys())
    if unknown:
        raise ParameterError(f"the detector has no parameter {unknown[0]!r}; there are {', '.join(known)}")
    try:
        return Detector.from_parameters(msgspec.convert({**known, **settings}, Parameters))
    except msgspec.ValidationError as error:
        raise ParameterError(f"detector: {error}") from error


def _compared(
    connection: apsw.Connection, tenant: Tenant, other: Detector, since: int | None, until: int | None
) -> dict[str, Any]:
    past: Past = tenant.ledger.past(connection)
    windows = past.windows(1 << 62)
    course, start = past.beginning(windows)
    now, then = _story(course, tenant), _story(Course(Fleet(other), course.waiting), tenant)
    names, events = KeyNames(), 0
    for entry in entries(connection, start):
        if until is not None and entry.at >= until:
            break
        inside = since is None or entry.at >= since
        for story in (now, then):
            verdicts = story.course.follow_without(entry, names, windows)
            if inside and verdicts is not None and len(verdicts):
                story.take(verdicts, entry.at)
        events += _rows(connection, entry) if inside else 0
    return {
        "events": events,
        "now": now.answer(),
        "then": then.answer(),
        "only_now": sorted(now.notices - then.notices)[:_SHOWN],
        "only_then": sorted(then.notices - now.notices)[:_SHOWN],
    }


def _story(course: Course, tenant: Tenant) -> _Story:
    connection = apsw.Connection(":memory:")
    for statement in DDL:
        connection.execute(statement)
    alerts = Alerts.load(connection, tenant.settings.alerts)
    counts = {kind.label: 0 for kind in _KINDS} | {"notices": 0}
    return _Story(course, connection, alerts, counts, set())


def _rows(connection: apsw.Connection, entry: Entry) -> int:
    row = connection.execute("SELECT rows FROM log WHERE seq = ?", (entry.seq,)).fetchone()
    return 0 if row is None else int(row[0])


__all__ = ["changed", "compare"]
