"""One alert: what happened, why it is one, what was sent, and what it was, said by one click."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from nicegui.element import Element

from marigram.service.alerts import schemas, tables
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.deeds import bulk_of
from marigram.service.alerts.page import facts_of, rows_around
from marigram.service.dashboard.alertcontext import context_section
from marigram.service.dashboard.charts import series_options, told_in_words
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.parts import Rows, badge, button, facts, link, table, tag, text, time_cell
from marigram.service.delivery import outbox
from marigram.service.delivery.messages import headline
from marigram.service.delivery.outbox import Connection, Entry

_WORDS: Final = (("It was real", "true"), ("False alarm", "false"), ("Expected", "expected"))
_REASONS: Final = {
    "budget": "over the team's budget",
    "acknowledged": "somebody looks after it",
    "snoozed": "snoozed",
    "drift": "became a drift before it was sent",
}
_SENT: Final = ("made (UTC)", "what", "channel", "state", "attempts", "why")


async def alert(request: Request, id: str = "") -> None:  # noqa: A002 - the name in the address
    """One alert, with the series around it, its words and its way to people."""
    page = Page(request)
    first = await page.panel.desk.read(lambda db: tables.found(db, id))
    if first is None:
        with page.frame("alerts", "No such alert"):
            link("All alerts", "alerts")
        return
    with page.frame("alerts", headline(first.kind, first.key)):
        line = text("p", first.text, "muted")
        bar = tag("div", "bar middle", role="group", aria_label="Act on this alert")
        await chart_of(page, first)
        context_section(page, first)
        with tag("div", "two"):
            with tag("section", aria_label="The alert"):
                text("h2", "The alert")
                known = tag("div")
            with tag("section", aria_label="What was sent"):
                text("h2", "What was sent")
                sent = Rows(
                    table("Notices of this alert", _SENT, ("attempts",)),
                    lambda entry: entry.id,
                    lambda entry: entry,
                    _entry,
                    ("Nothing: no channel takes this alert.", len(_SENT)),
                )
        shown: list[Alert] = []

        async def look() -> None:
            def ask(db: Connection) -> tuple[Alert | None, list[Entry]]:
                return tables.found(db, id), outbox.listed(db, alert=id)

            found, entries = await page.panel.desk.read(ask)
            sent.show(entries)
            if found is None or [found] == shown:
                return
            shown[:] = [found]
            line.text = found.text
            _fill(bar, known, page, found)

        await look()
        page.every(look)


async def chart_of(page: Page, about: Alert) -> None:
    """Write the series around an alert, for eyes and in words."""
    history = await page.panel.desk.history(about.key, 4000)
    around = history[rows_around(about, history)] if len(history) else history
    if not len(around):
        text("p", "No event of this key is stored any more.", "empty")
        return
    page.chart(series_options(around), f"Series of {about.key}: {told_in_words(around)}")


def _fill(bar: Element, known: Element, page: Page, found: Alert) -> None:
    bar.clear()
    with bar:
        badge(found.kind)
        badge(found.status)
        if page.may_operate:
            word_buttons(page, found)
        text(
            "a",
            "As one HTML file",
            "actlink",
            href=f"../v1/alerts/{found.id}/page",
            download=f"alert-{found.id}.html",
        )
        link("This key", "key", "actlink", key=found.key)
    known.clear()
    with known:
        facts(facts_of(found))


def word_buttons(page: Page, found: Alert) -> None:
    """Write the buttons for one alert: look after it, keep still about it, and say what it was."""

    def make(words: str, wanted: dict[str, Any], **attributes: Any) -> None:
        async def act() -> None:
            async def done() -> str:
                outcome = await bulk_of(page.visit, schemas.Bulk((found.id,), **wanted))
                if outcome.left:
                    return outcome.left[found.id]
                word = outcome.done[0].word
                return f"{words}. {word.effect}" if wanted["action"] == "label" and word else f"{words}: done"

            await page.attempt(done)

        button(words, act, **attributes)

    if found.is_open:
        if found.status != "acknowledged":
            make("Acknowledge", {"action": "acknowledge"}, classes="main")
        make("Snooze 1 h", {"action": "snooze", "seconds": 3600.0})
    said = None if found.word is None else found.word.label
    for words, label in _WORDS:
        make(words, {"action": "label", "label": label}, aria_pressed=str(said == label).lower())


def _entry(entry: Entry) -> None:
    time_cell(entry.made)
    text("td", entry.what)
    text("td", entry.channel)
    text("td", entry.state)
    text("td", str(entry.attempts), "number")
    silence = f"kept back by silence {entry.reason}" if entry.state == "muted" else ""
    text("td", silence or _REASONS.get(entry.reason, entry.reason), "text")


__all__ = ["alert", "chart_of", "word_buttons"]
