"""Keys: which there are, and one of them: series, band, anomalies, drifts, why, and its alerts."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from fastapi import Request

from marigram.service.alerts import tables
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.page import why_of
from marigram.service.dashboard.alertpage import word_buttons
from marigram.service.dashboard.charts import series_options, told_in_words
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.panel import KeyRow
from marigram.service.dashboard.parts import (
    Rows,
    badge,
    facts,
    field,
    link,
    severity_text,
    table,
    tag,
    text,
    time_cell,
)
from marigram.verdicts import Verdicts
from marigram.wording import number, odds, span

_SHOWN: Final = 200
_LAST: Final = 2000
_HEADS: Final = ("severity", "kind", "status", "opened (UTC)", "what, and what was it?")


async def keys(request: Request, search: str = "") -> None:
    """Keys, and a search among them."""
    page = Page(request)
    with page.frame("keys", "Keys"):
        with tag("form", "bar", method="get", action="keys", role="search", aria_label="Find keys"):
            field("search", "part of the key", search, maxlength=200)
            text("button", "Find", "act main", type="submit")
        body = table("Keys", ("key", "events", "last event (UTC)"), ("events",))
        rows: Rows[KeyRow] = Rows(
            body, lambda row: row.key, lambda row: (row.n, row.time), _key_row, ("No key fits.", 3)
        )

        async def look() -> None:
            rows.show(await page.panel.keys(_SHOWN, search))

        await look()
        text("p", f"At most {_SHOWN} keys are shown.", "muted")
        page.every(look)


async def key(request: Request, key: str = "", coordinate: int = 0) -> None:
    """One key: its series with the expected range, anomalies and drifts, why, and its alerts."""
    page = Page(request)
    with page.frame("keys", key or "the stream without keys"):
        history = await page.panel.desk.history(key, _LAST)
        if not len(history):
            text("p", "No event of this key is stored.", "empty")
            return
        line = text("p", _state(history), "muted")
        if history.d > 1:
            _coordinates(key, history.d, coordinate)
        chart = page.chart(series_options(history, coordinate), f"Series of {key}: {told_in_words(history)}")
        text("h2", "The last event")
        last = tag("div")
        text("h2", "Alerts of this key")
        rows: Rows[Alert] = Rows(
            table("Alerts of this key", _HEADS, ("severity",)),
            lambda one: one.id,
            lambda one: (one.status, one.severity, one.text, one.word),
            lambda one: _alert_row(page, one),
            ("None so far.", len(_HEADS)),
        )
        seen: list[tuple[int, str]] = []

        async def look() -> None:
            nonlocal history
            desk = page.panel.desk
            rows.show(await desk.read(lambda db: tables.of_key(db, key, 50)))
            fresh = await desk.history(key, _LAST)
            newest = [(int(fresh["seq"][-1]), str(fresh["time"][-1]))] if len(fresh) else []
            if newest in ([], seen):
                return
            seen[:], history = newest, fresh
            line.text = _state(fresh)
            page.redraw(chart, series_options(fresh, coordinate), f"Series of {key}: {told_in_words(fresh)}")
            last.clear()
            with last:
                facts(_last_event(fresh))

        await look()
        page.every(look)


def _coordinates(key: str, d: int, shown: int) -> None:
    """Write links to the other coordinates."""
    with tag("nav", "bar", aria_label="Coordinates"):
        for i in range(d):
            made = link(f"x{i}", "key", "actlink", key=key, coordinate=str(i))
            if i == shown:
                made.props["aria-current"] = "true"


def _state(history: Verdicts) -> str:
    last = history[len(history) - 1]
    if last.kind.label == "learning":
        return f"Learning: {last.n} of about 64 events, so only the grossest events are called unusual."
    return f"{last.n:,} events learned; shown are the last {told_in_words(history)}."


def _last_event(history: Verdicts) -> list[tuple[str, str]]:
    events = np.flatnonzero(history["seq"] >= 0)
    if not len(events):
        return [("kind", "it fell silent; none of its events are stored any more")]
    last = history[int(events[-1])]
    told: list[tuple[str, str]] = [("number", f"{last.seq:,}"), ("kind", last.kind.label)]
    if events[-1] < len(history) - 1:
        told.append(("since then", "silence"))
    if isinstance(last.value, float) and isinstance(last.lower, float) and isinstance(last.upper, float):
        told += [("value", number(last.value, 6)), ("expected", span(last.lower, last.upper))]
    told.append(("how surprising", odds(last.p_value)))
    return told


def _key_row(row: KeyRow) -> None:
    with tag("td", "key"):
        link(row.key or "(no key)", "key", key=row.key)
    text("td", f"{row.n:,}", "number")
    time_cell(row.time)


def _alert_row(page: Page, one: Alert) -> None:
    text("td", severity_text(one), "number")
    with tag("td"):
        badge(one.kind)
    with tag("td"):
        badge(one.status)
    time_cell(one.opened)
    with tag("td", "text"):
        link(one.text, "alert", id=one.id)
        if one.is_open:
            with tag("div"):
                _why(one)
            if page.may_operate:
                with tag("div", "bar", role="group", aria_label=f"Act on the {one.kind}"):
                    word_buttons(page, one)


def _why(one: Alert) -> None:
    """Write in one line why this is an alert."""
    told = [f"{name}: {value}" for name, value in why_of(msgspec.json.decode(one.verdict)) if name != "value"]
    text("span", "; ".join(told))


__all__ = ["key", "keys"]
