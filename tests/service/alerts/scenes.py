"""A book over a database in memory, and verdicts written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw
import numpy as np

from marigram.kinds import Kind
from marigram.service.alerts import Alert, AlertRules, Alerts, tables
from marigram.service.delivery import outbox
from marigram.service.delivery.channels import Webhook
from marigram.verdicts import Verdicts

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
HOOK = Webhook(name="hook", url="https://hooks.example.com/", wait=0.0)

_KINDS = {
    ".": (Kind.NORMAL, 0.1, False),
    "a": (Kind.ANOMALY, 3.5, False),
    "A": (Kind.ANOMALY, 5.0, True),
    "B": (Kind.ANOMALY, 7.0, True),
    "u": (Kind.UNDECIDED, 4.0, False),
    "n": (Kind.NORMAL, 3.2, True),
    "D": (Kind.DRIFT, 4.0, True),
    "d": (Kind.DRIFT, 4.0, False),
    "m": (Kind.MISSING, np.nan, False),
    "r": (Kind.REJECTED, np.nan, False),
    "l": (Kind.LEARNING, 0.0, False),
}


def told(
    letters: str,
    key: str = "web-7",
    episodes: Sequence[int] | int = 1,
    start: int = 0,
    resolves: int | None = None,
    timed: bool = True,
) -> Verdicts:
    """Return verdicts of one key, a letter each: ``.`` normal, ``a A B`` anomalies (capitals are notices), ``u``
    undecided, ``n`` unusual, ``d D`` drift, ``m`` missing, ``r`` rejected, ``l`` learning."""
    n = len(letters)
    kinds = [_KINDS[letter] for letter in letters]
    seq = np.arange(start, start + n)
    drift = np.array([kind is Kind.DRIFT for kind, _, _ in kinds])
    return Verdicts(
        value=np.where(np.array([k is Kind.MISSING for k, _, _ in kinds]), np.nan, 10.0 + seq),
        kind=[kind for kind, _, _ in kinds],
        severity=[severity for _, severity, _ in kinds],
        notice=[notice for _, _, notice in kinds],
        key=np.array([key] * n, object),
        seq=seq,
        n=seq,
        time=START + seq * 60 * SECOND if timed else None,
        episode=np.broadcast_to(episodes, n),
        expected=np.full(n, 5.0),
        lower=np.full(n, 4.0),
        upper=np.full(n, 6.0),
        p_value=np.full(n, 1e-5),
        resolves=np.where(drift, -1 if resolves is None else resolves, -1),
        changed_at=np.where(drift, -1 if resolves is None else resolves, -1),
        before=np.where(drift, 5.0, np.nan),
        after=np.where(drift, 9.0, np.nan),
    )


def silent(key: str = "web-7", n: int = 100, now: int = START) -> Verdicts:
    """Return the row of a key that fell silent, as a fleet gives it."""
    return Verdicts(
        value=[np.nan], kind=[Kind.MISSING], key=np.array([key], object), seq=[-1], n=[n], time=[now], notice=[True]
    )  # fmt: skip


class Scene:
    """A book, its database, and a clock."""

    def __init__(self, **rules: Any) -> None:
        self.connection: Any = apsw.Connection(":memory:")
        for statement in tables.DDL:
            self.connection.execute(statement)
        self.rules = AlertRules(**{"channels": (HOOK,)} | rules)
        self.book = Alerts.load(self.connection, self.rules)
        self.now = START

    def follow(self, *batches: Verdicts) -> None:
        for batch in batches:
            self.book.follow(self.connection, batch, self.now)

    def tick(self, seconds: float = 0.0) -> None:
        self.now += int(seconds * SECOND)
        self.book.tick(self.connection, self.now)

    def restart(self) -> None:
        self.book = Alerts.load(self.connection, self.rules)

    @property
    def alerts(self) -> list[Alert]:
        return tables.listed(self.connection, tables.Filter())[::-1]

    @property
    def alert(self) -> Alert:
        (only,) = self.alerts
        return only

    @property
    def sent(self) -> list[str]:
        """What waits to be sent, the oldest first."""
        return [entry.what for entry in outbox.listed(self.connection, state="waiting")][::-1]

    @property
    def kept_back(self) -> list[tuple[str, str]]:
        """What is not sent, and why."""
        rows = [*outbox.listed(self.connection, state="muted"), *outbox.listed(self.connection, state="held")]
        return [(entry.what, entry.reason) for entry in rows][::-1]

    def dump(self) -> list[tuple[Any, ...]]:
        """Every row of every table."""
        names = ("alert", "alert_outbox", "alert_silence", "alert_budget")
        return [row for name in names for row in self.connection.execute(f"SELECT * FROM {name} ORDER BY 1")]  # noqa: S608
