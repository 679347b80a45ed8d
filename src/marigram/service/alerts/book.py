"""The book of alerts: verdicts in, alerts and their notices out, in the transaction that commits the verdicts.

Only rows that can matter are looked at one by one: notices, drifts, and events of keys that have an open alert.  What
is done depends on the order of the events of a key and on nothing else, so any cut into batches gives the same
alerts.  The database is the truth; what is in memory can be read from it again.
"""

from __future__ import annotations

from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from marigram.kinds import Kind
from marigram.service.alerts import life, silences, tables, telling
from marigram.service.alerts.alert import Alert, alert_id
from marigram.service.alerts.rules import AlertRules
from marigram.service.alerts.silences import Silence
from marigram.service.delivery import outbox
from marigram.service.delivery.messages import What
from marigram.service.delivery.outbox import Connection
from marigram.thresholds.budget import AlertBudget
from marigram.verdicts import Verdicts
from marigram.verdicts.fields import NO_TIME
from marigram.verdicts.row import Verdict

_DAY: Final = 86_400 * 1_000_000_000
_HOUR: Final = 3_600 * 1_000_000_000
_CALM: Final = tuple(int(kind) for kind in life.CALM)
_MISSING, _REJECTED, _DRIFT = int(Kind.MISSING), int(Kind.REJECTED), int(Kind.DRIFT)


class Alerts:
    """All alerts of one tenant; made by :meth:`load`.

    Parameters
    ----------
    rules
        What the user decided.
    """

    def __init__(self, rules: AlertRules) -> None:
        self.rules = rules
        self._live: dict[str, dict[str, Alert]] = {}
        self._changed: dict[str, Alert] = {}
        self._silences: dict[str, Silence] = {}
        self._budgets: dict[str, AlertBudget] = {}
        self._spent: dict[str, int] = {}
        self._hour = 0

    @classmethod
    def load(cls, connection: Connection, rules: AlertRules | None = None) -> Self:
        """Return the book as the database has it; the statements of ``tables.DDL`` have been run on it."""
        book = cls(rules or AlertRules())
        book.reload(connection)
        return book

    def reload(self, connection: Connection) -> None:
        """Forget what is in memory and read it again, as after a transaction that was rolled back."""
        self._live, self._changed = {}, {}
        for alert in tables.live(connection):
            self._live.setdefault(alert.key, {})[alert.id] = alert
        self._silences = silences.current(connection)
        saved, self._budgets, self._spent = tables.budgets(connection), {}, {}
        for team in self.rules.teams:
            fresh = team.new_budget()
            if fresh is None:
                continue
            kept = AlertBudget.from_bytes(saved[team.name]) if team.name in saved else fresh
            self._budgets[team.name] = kept if kept.parameters == fresh.parameters else fresh

    @property
    def live(self) -> int:
        """Alerts that are not closed."""
        return sum(map(len, self._live.values()))

    def follow(self, connection: Connection, verdicts: Verdicts, now: int) -> None:
        """Let the verdicts of one batch, or the rows of silent keys, change the alerts.

        Parameters
        ----------
        connection
            Inside the transaction that commits the batch.
        verdicts
            The batch.
        now
            When it was received, ns since 1970 UTC; the time of what has none.
        """
        if not len(verdicts):
            return
        kinds, notices = verdicts["kind"], verdicts["notice"]
        rows, keys = self._rows_that_matter(verdicts, notices | (kinds == _DRIFT))
        times, seqs = verdicts["time"], verdicts["seq"]
        late = verdicts["late"]
        for row, key in zip(rows, keys, strict=True):
            kind = int(kinds[row])
            if notices[row] or kind == _DRIFT:
                self._notice(connection, verdicts[row], now)
            elif key in self._live and not late[row]:
                at = now if times[row] == NO_TIME else int(times[row])
                self._event(connection, verdicts, row, key, at, kind, int(seqs[row]), now)
        self._write(connection)

    def tick(self, connection: Connection, now: int) -> None:
        """Do what only the clock asks for: end snoozes and silences, and once an hour forget what is old."""
        for alert in [one for held in self._live.values() for one in held.values()]:
            if alert.status == "snoozed" and (alert.snoozed_until or 0) <= now:
                self.tell(connection, life.woken(alert), "reminder", now, now)
        for silence in [one for one in self._silences.values() if one.ends <= now]:
            self._unmute(connection, silence, now)
        if now // _HOUR != self._hour:
            self._hour = now // _HOUR
            keep = int(self.rules.keep_days * _DAY)
            tables.forget(connection, now, keep)
            outbox.forget(connection, now - keep)
        self._write(connection)

    def find(self, connection: Connection, id_: str) -> Alert | None:
        """Return an alert as it is now."""
        return self._changed.get(id_) or tables.found(connection, id_)

    def put(self, connection: Connection, alert: Alert) -> None:
        """Write an alert that a person changed."""
        self._keep(alert)
        self._write(connection)

    def tell(self, connection: Connection, alert: Alert, what: What, made: int, now: int) -> Alert:
        """Write an alert that has something to tell, and its notice; see :func:`telling.told`."""
        told = telling.told(
            connection,
            alert,
            what,
            rules=self.rules,
            silences=self._silences.values(),
            budgets=self._budgets,
            made=made,
            now=now,
        )
        self._keep(told)
        return told

    def silence(self, connection: Connection, silence: Silence) -> None:
        """Begin or change a silence."""
        silences.save(connection, silence)
        self._silences[silence.id] = silence

    def _rows_that_matter(self, verdicts: Verdicts, chosen: NDArray[np.bool_]) -> tuple[list[int], list[str]]:
        """Return rows and their keys: notices, drifts, and all rows of keys with an alert, old or of this batch."""
        names = verdicts["key"]
        wanted = self._live.keys() | {life.key_text(key) for key in names[chosen].tolist()}
        if not wanted:
            return [], []
        raw = names.tolist()
        if names.dtype.kind == "O":
            known = wanted | ({None} if "" in wanted else set())
            rows = [row for row, key in enumerate(raw) if key in known]
        else:
            rows = [row for row, key in enumerate(raw) if str(key) in wanted]
        return rows, [life.key_text(raw[row]) for row in rows]

    def _notice(self, connection: Connection, verdict: Verdict, now: int) -> None:
        """A notice or a drift: opens an alert, raises it, or turns it into a drift."""
        made = now if verdict.time is None else verdict.time
        key = life.key_text(verdict.key)
        if life.is_silence(verdict):
            id_ = alert_id(key, verdict.n, "silence")
            if self.rules.no_data and self.find(connection, id_) is None:
                self.tell(connection, life.opened(id_, verdict, self.rules, now), "opened", made, now)
            return
        self._speaks(connection, key, made, now)
        self._supersede(connection, key, verdict.episode, made, now)
        id_, old = self._of_episode(connection, key, verdict.episode)
        drift = verdict.kind is Kind.DRIFT
        if old is not None and life.takes_back(old, verdict):
            outbox.withdraw(connection, old.id, "drift")
            self.tell(connection, life.turned(old, verdict, now), "drift", made, now)
        elif old is None or drift:
            id_ = id_ if old is None else alert_id(key, verdict.seq, "drift")
            fresh = life.opened(id_, verdict, self.rules, now)
            self.tell(connection, fresh, "drift" if drift else "opened", made, now)
        else:
            alert = life.raised(old, verdict, now)
            if alert.is_open:
                self.tell(connection, alert, "raised", made, now)
            else:
                self._keep(alert)

    def _of_episode(self, connection: Connection, key: str, episode: int) -> tuple[str, Alert | None]:
        """Return id and alert of the part of an episode that is not over: a drift ends a part."""
        id_ = alert_id(key, episode)
        while (alert := self.find(connection, id_)) is not None and alert.kind == "drift":
            id_ = alert_id(key, episode, f"after {alert.peak_seq}")
        return id_, alert

    def _event(
        self,
        connection: Connection,
        verdicts: Verdicts,
        row: int,
        key: str,
        at: int,
        kind: int,
        seq: int,
        now: int,
    ) -> None:
        """An event of a key that has an open alert, and that is no notice."""
        if kind != _MISSING and kind != _REJECTED and seq >= 0:
            self._speaks(connection, key, at, now)
        for alert in list(self._live.get(key, {}).values()):
            if alert.kind == "missing":
                continue
            if kind in _CALM:
                calm = life.calmed(alert, at, self.rules.calm)
                if calm.is_open:
                    self._keep(calm)
                else:
                    self.tell(connection, calm, "closed", at, now)
            elif kind != _MISSING and kind != _REJECTED:
                self._keep(life.disturbed(alert, verdicts[row], now))

    def _speaks(self, connection: Connection, key: str, at: int, now: int) -> None:
        """A value came: what was said of no data is over."""
        for alert in list(self._live.get(key, {}).values()):
            if alert.kind == "missing":
                self.tell(connection, life.closed(alert, max(at, alert.opened), "spoke"), "closed", at, now)

    def _supersede(self, connection: Connection, key: str, episode: int, at: int, now: int) -> None:
        """A new episode begins: an older one that never became calm is over."""
        for alert in list(self._live.get(key, {}).values()):
            if alert.kind != "missing" and alert.episode != episode:
                self.tell(
                    connection, life.closed(alert, max(at, alert.opened), "superseded"), "closed", at, now
                )

    def _unmute(self, connection: Connection, silence: Silence, now: int) -> None:
        """A silence is over: open alerts of which it kept back the last notice are told now."""
        del self._silences[silence.id]
        silences.end(connection, silence.id)
        for alert in [one for held in self._live.values() for one in held.values()]:
            if alert.muted_by == silence.id and alert.status == "open":
                self.tell(connection, life.woken(alert), "reminder", now, now)

    def _keep(self, alert: Alert) -> None:
        self._changed[alert.id] = alert
        held = self._live.setdefault(alert.key, {})
        if alert.is_open:
            held[alert.id] = alert
        else:
            held.pop(alert.id, None)
        if not held:
            del self._live[alert.key]

    def _write(self, connection: Connection) -> None:
        for alert in self._changed.values():
            tables.save(connection, alert)
        self._changed = {}
        for team, budget in self._budgets.items():
            if self._spent.get(team) != budget.n:
                tables.save_budget(connection, team, budget.to_bytes())
                self._spent[team] = budget.n


__all__ = ["Alerts"]
