"""The page of alerts: a filter that is an address, and one action on many."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request

from marigram.service.alerts import schemas, tables
from marigram.service.alerts.alert import KINDS, STATUSES, Alert
from marigram.service.alerts.deeds import bulk_of
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.parts import (
    Rows,
    address,
    alert_cells,
    button,
    checkbox,
    choice,
    field,
    link,
    table,
    tag,
    text,
)

_SHOWN: Final = 100
_NOT_CLOSED: Final = "live"
_STATUSES: Final = (("", "any"), (_NOT_CLOSED, "not closed"), *((one, one) for one in STATUSES))
_KINDS: Final = (("", "any"), *((one, one) for one in KINDS))
_LABELS: Final = (
    ("", "any"),
    ("none", "without"),
    ("true", "true"),
    ("false", "false"),
    ("expected", "expected"),
)
_HEADS: Final = ("~choose", "severity", "key", "kind", "status", "opened (UTC)", "label", "what")
_ACTIONS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("Acknowledge", {"action": "acknowledge"}),
    ("Snooze 1 h", {"action": "snooze", "seconds": 3600.0}),
    ("Snooze 24 h", {"action": "snooze", "seconds": 86_400.0}),
    ("True", {"action": "label", "label": "true"}),
    ("False", {"action": "label", "label": "false"}),
    ("Expected", {"action": "label", "label": "expected"}),
    ("Close", {"action": "close"}),
)


async def alerts(request: Request) -> None:
    """Alerts, the newest first: filter, bulk actions."""
    page, query = Page(request), request.query_params
    chosen: set[str] = set()
    with page.frame("alerts", "Alerts"):
        _filter(query)
        if page.may_operate:
            _bulk(page, chosen)
        body = table("Alerts, the newest first", _HEADS if page.may_operate else _HEADS[1:], ("severity",))
        rows: Rows[Alert] = Rows(
            body,
            lambda alert: alert.id,
            lambda alert: (alert.status, alert.severity, alert.kind, alert.text, alert.word),
            lambda alert: _row(alert, chosen if page.may_operate else None),
            ("No alert fits.", len(_HEADS)),
        )
        wanted, after = _wanted(query), _place(query.get("after", ""))
        more = tag("p")

        async def look() -> None:
            found = await page.panel.desk.read(lambda db: tables.listed(db, wanted, _SHOWN + 1, after))
            rows.show(found[:_SHOWN])
            chosen.intersection_update(alert.id for alert in found[:_SHOWN])
            more.clear()
            if len(found) > _SHOWN:
                last = found[_SHOWN - 1]
                asked = {name: value for name, value in query.items() if name != "after"}
                with more:
                    text(
                        "a", "Older alerts", href=address("alerts", **asked, after=f"{last.opened}.{last.id}")
                    )

        await look()
        page.every(look)


def _filter(query: Any) -> None:
    """Write the form of the filter; it is sent as an address, which can be kept and passed on."""
    with tag("form", "bar", method="get", action="alerts", role="search", aria_label="Filter alerts"):
        choice("status", "status", _STATUSES, query.get("status", _NOT_CLOSED))
        choice("kind", "kind", _KINDS, query.get("kind", ""))
        choice("label", "label", _LABELS, query.get("label", ""))
        field("key", "part of the key", query.get("key", ""), maxlength=200)
        field("team", "team", query.get("team", ""), maxlength=200)
        field(
            "severity",
            "severity from",
            query.get("severity", ""),
            "number",
            min=0,
            step="any",
            style="width:7rem",
        )
        text("button", "Filter", "act main", type="submit")
        text("a", "Labels as CSV", "actlink", href="../v1/labels?format=csv", download="labels.csv")


def _bulk(page: Page, chosen: set[str]) -> None:
    """Write the buttons that act on the chosen alerts."""
    with tag("div", "bar", role="group", aria_label="Act on the chosen alerts"):
        for words, wanted in _ACTIONS:

            async def act(wanted: dict[str, Any] = wanted, words: str = words) -> None:
                async def done() -> str:
                    if not chosen:
                        return "Choose alerts first."
                    outcome = await bulk_of(page.visit, schemas.Bulk(tuple(sorted(chosen)), **wanted))
                    left = f", {len(outcome.left)} left alone" if outcome.left else ""
                    return f"{words}: {len(outcome.done)} done{left}{_effects(outcome.done)}"

                await page.attempt(done)

            button(words, act)


def _effects(done: list[schemas.AlertOut]) -> str:
    """Return what a label changed, when it is one alert's."""
    word = done[0].word if len(done) == 1 else None
    return f". {word.effect}" if word is not None and word.effect else ""


def _wanted(query: Any) -> tables.Filter:
    """Return what a filter's address asks for; what makes no sense is not asked."""
    status = query.get("status", _NOT_CLOSED)
    statuses = ("open", "acknowledged", "snoozed") if status == _NOT_CLOSED else (status,)
    severity = query.get("severity", "")
    return tables.Filter(
        status=tuple(one for one in statuses if one in STATUSES),
        kind=query.get("kind") if query.get("kind") in KINDS else None,
        key=query.get("key") or None,
        team=query.get("team") or None,
        label=query.get("label") or None,
        min_severity=float(severity) if severity.replace(".", "", 1).isdecimal() else None,
    )


def _place(after: str) -> tuple[int, str] | None:
    opened, _, id_ = after.partition(".")
    return (int(opened), id_) if opened.isdecimal() and len(opened) < 19 and id_ else None


def _row(alert: Alert, chosen: set[str] | None) -> None:
    if chosen is not None:
        with tag("td"):

            def tick(on: bool) -> None:
                (chosen.add if on else chosen.discard)(alert.id)

            checkbox(f"{alert.kind} of {alert.key}", alert.id in chosen, tick)
    alert_cells(alert)
    text("td", "" if alert.word is None else alert.word.label)
    with tag("td", "text"):
        link(alert.text, "alert", id=alert.id)


__all__ = ["alerts"]
