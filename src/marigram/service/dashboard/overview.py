"""The first page: is anything wrong, is it within what people can look at, and does the service itself keep up?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from fastapi import Request

from marigram.service.alerts import tables
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.rules import Team
from marigram.service.dashboard.charts import rate_options
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.panel import Panel
from marigram.service.dashboard.parts import (
    NONE,
    Rows,
    alert_cells,
    link,
    table,
    tag,
    text,
    time_cell,
)
from marigram.service.delivery import outbox
from marigram.thresholds.budget import PERIODS
from marigram.wording import number

_HOURS: Final = 48
_HOUR: Final = 3_600_000_000_000
_TILES: Final = (
    ("open", "open alerts"),
    ("accepted", "events accepted"),
    ("keys", "keys"),
    ("lag", "lag"),
    ("dropped", "refused or dropped"),
    ("dead", "dead letters"),
)


async def overview(request: Request) -> None:
    """Keys by severity, alert rate against budget, lag, drops."""
    page = Page(request)
    with page.frame("overview", "Overview"):
        with tag("dl", "tiles"):
            tiles = {name: _tile(words) for name, words in _TILES}
        text("h2", "Most severe now")
        body = table("Open alerts, the most severe first", _HEADS, ("severity",))
        rows = Rows(
            body, lambda a: a.id, lambda a: (a.status, a.severity, a.text), _row, ("Nothing is open.", 6)
        )
        text("h2", f"Keys by severity, of the last {_HOURS} hours")
        ranked: Rows[Ranked] = Rows(
            table("Keys by their most severe alert", _KEYS, ("severity", "alerts", "open")),
            lambda one: one[0],
            lambda one: one,
            _key,
            ("No alert in that time.", len(_KEYS)),
        )
        text("h2", f"Alerts by hour, of the last {_HOURS} hours")
        chart = page.chart(rate_options({}, 0, _HOURS), "Alerts by hour", "low")
        text("h2", "Told against the budget")
        budgets = Rows(
            table(
                "Alerts told by team, against the team's budget",
                ("team", "told", "budget", "~share"),
                ("told",),
            ),
            lambda one: one[0],
            lambda one: one,
            _budget,
            ("No team is configured: every alert is told.", 4),
        )

        async def look() -> None:
            panel = page.panel
            figures, alerts, keys, counts, told = await _asked(panel)
            for name, value in figures.items():
                tiles[name].text = value
            rows.show(alerts)
            ranked.show(keys)
            page.redraw(chart, rate_options(*counts), _in_words(counts[0]))
            budgets.show(told)

        await look()
        page.every(look)


_HEADS: Final = ("severity", "key", "kind", "status", "opened (UTC)", "what")
_KEYS: Final = ("severity", "key", "alerts", "open", "last alert (UTC)")
Ranked: TypeAlias = tuple[str, float, int, int, int]
"""A key, its largest severity, its alerts, those that are open, the time of the last."""
Hours: TypeAlias = dict[int, dict[str, int]]
"""Alerts by hour since 1970 and kind."""
Share: TypeAlias = tuple[str, int, str, float]
"""A team, what it was told, its budget in words, and the share of it that is spent."""


async def _asked(
    panel: Panel,
) -> tuple[dict[str, str], list[Alert], list[Ranked], tuple[Hours, int, int], list[Share]]:
    """Return the texts of the tiles, the gravest alerts and keys, alerts by hour, and what each team was told."""
    desk, stats = panel.desk, await panel.stats()
    teams = desk.alerts.rules.teams
    end = _end(stats, desk.now())
    first = end // _HOUR - _HOURS + 1

    def ask(db: outbox.Connection) -> tuple[list[Alert], list[Ranked], int, int, Hours, list[int]]:
        since = [end - PERIODS[team.per] for team in teams]
        return (
            tables.gravest(db, 15),
            tables.severest_keys(db, first * _HOUR, 10),
            tables.count(db, tables.Filter(status=("open", "acknowledged", "snoozed"))),
            outbox.counts(db)["dead"],
            tables.by_hour(db, first * _HOUR),
            [tables.told_since(db, team.name, at) for team, at in zip(teams, since, strict=True)],
        )

    gravest, keys, live, dead, hours, told = await desk.read(ask)
    figures = {
        "open": f"{live:,}",
        "accepted": _count(stats, "accepted"),
        "keys": _count(stats, "keys"),
        "lag": _lag(stats),
        "dropped": f"{int(stats.get('rejected', 0)) + int(stats.get('dropped', 0)):,}",
        "dead": f"{dead:,}",
    }
    shares = [_told(team, count) for team, count in zip(teams, told, strict=True)]
    return figures, gravest, keys, (hours, first, _HOURS), shares


def _end(stats: Mapping[str, Any], now: int) -> int:
    """Return the time that the newest event has, so that old data that are sent now are shown too."""
    newest = stats.get("newest")
    return min(newest, now) if isinstance(newest, int) else now


def _told(team: Team, count: int) -> Share:
    budget = "no limit" if team.budget is None else f"{team.budget:,} a {team.per}"
    return team.name, count, budget, 0.0 if team.budget is None else min(count / team.budget, 1.0)


def _tile(words: str) -> Any:
    with tag("div", "tile"):
        text("dt", words)
        return text("dd", NONE)


def _count(stats: Mapping[str, Any], name: str) -> str:
    value = stats.get(name)
    return f"{value:,}" if isinstance(value, int) else NONE


def _lag(stats: Mapping[str, Any]) -> str:
    lag = stats.get("lag_seconds")
    return f"{number(float(lag), 2)} s" if isinstance(lag, int | float) else NONE


def _row(alert: Alert) -> None:
    alert_cells(alert)
    with tag("td", "text"):
        link(alert.text, "alert", id=alert.id)


def _key(one: Ranked) -> None:
    key, severity, alerts, live, last = one
    text("td", NONE if severity < 0 else f"{severity:.1f}", "number")
    with tag("td", "key"):
        link(key or "(no key)", "key", key=key)
    text("td", f"{alerts:,}", "number")
    text("td", f"{live:,}", "number")
    time_cell(last)


def _budget(one: Share) -> None:
    name, told, budget, share = one
    text("td", name, "key")
    text("td", f"{told:,}", "number")
    text("td", budget)
    with tag("td"), tag("span", "meter", aria_hidden="true"):
        tag("span").style(f"width: {100 * share:.0f}%")


def _in_words(hours: dict[int, dict[str, int]]) -> str:
    total = sum(sum(held.values()) for held in hours.values())
    return f"Alerts by hour: {total:,} in the last {_HOURS} hours"


__all__ = ["overview"]
