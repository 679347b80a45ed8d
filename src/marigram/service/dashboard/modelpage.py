"""The model: what the graph and the labels gain, which versions there are, and a way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import Request

from marigram.bridge.loop.loop import Loop
from marigram.bridge.loop.refit import Report
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.loops import asked, nothing, soon
from marigram.service.dashboard.parts import NONE, Rows, badge, button, table, tag, text, time_cell

_GAINS: Final = ("over", "with", "without", "gain", "shown?")
_VERSIONS: Final = ("version", "fitted (UTC)", "labels", "malicious", "state", "why")

Row = tuple[int, Report, bool]


async def model(request: Request) -> None:
    """Gains, versions, roll-back and refit."""
    page = Page(request)

    async def fill() -> None:
        if await asked(page, lambda loop: loop.version) is None:
            nothing()
            return
        line = text("p", "", "note")
        if page.may_operate:
            with tag("div", "bar middle", role="group", aria_label="Change the model"):
                _action(page, "Learn from the labels now", _learned, "main")
                _action(page, "Roll back one version", _rolled_back, "")
        text("h2", "What it gains")
        text("p", "Average precision on the labels, each predicted from all the others.", "muted")
        gains = Rows[tuple[str, ...]](
            table("Gains", _GAINS, ("with", "without")),
            lambda row: row[0],
            lambda row: row,
            _gain_row,
            ("Nothing was learned from labels yet.", len(_GAINS)),
        )
        synthesis = text("p", "", "muted")
        text("h2", "Versions")
        versions = Rows[Row](
            table("Versions", _VERSIONS, ("version", "labels", "malicious")),
            lambda row: row[0],
            lambda row: row,
            _version_row,
            ("None yet: the streams alone are in use.", len(_VERSIONS)),
        )

        async def look() -> None:
            found = await asked(page, lambda loop: (loop.version, loop.reports()))
            if found is None:
                return
            current, reports = found
            report = reports.get(current)
            gains.show(gain_rows(report))
            synthesis.text = "" if report is None else f"Over no synthesis: {report.trees}"
            versions.show([(number, told, number == current) for number, told in reversed(reports.items())])
            line.text = told_in_words(current, report)

        await look()
        page.every(look)

    with page.frame("model", "The model"):
        soon(fill)


def gain_rows(report: Report | None) -> list[tuple[str, ...]]:
    """Return the table of gains."""
    rows: list[tuple[str, ...]] = []
    for gain in () if report is None else report.gains:
        if gain.with_it is None or gain.without is None or gain.low is None or gain.high is None:
            rows.append((gain.over, NONE, NONE, NONE, "needs labels of both kinds"))
            continue
        interval = f"{gain.with_it - gain.without:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        shown = "yes" if gain.shown else "not with so few labels"
        rows.append((gain.over, f"{gain.with_it:.3f}", f"{gain.without:.3f}", interval, shown))
    return rows


def told_in_words(version: int, report: Report | None) -> str:
    """Say what is in use."""
    if report is None:
        return "The streams alone are in use: no label is needed for their score."
    return (
        f"Version {version} is in use. It cost {report.spent:g} labels: of {report.labels} events that they tell of, "
        f"{report.malicious} are malicious."
    )


def _learned(loop: Loop) -> str:
    report = loop.refit()
    return f"Version {loop.version} is in use" if report.promoted else f"Not promoted: {report.reason}"


def _rolled_back(loop: Loop) -> str:
    return f"Version {loop.roll_back()} is in use again"


def _action(page: Page, words: str, act: Callable[[Loop], str], classes: str) -> None:
    async def pressed() -> None:
        async def done() -> str:
            page.visit  # noqa: B018 - refuses who may only look
            return await asked(page, act) or "There is no loop"

        await page.attempt(done)

    button(words, pressed, classes)


def _gain_row(row: tuple[str, ...]) -> None:
    for place, cell in enumerate(row):
        text("td", cell, "number" if place in (1, 2) else "")


def _version_row(row: Row) -> None:
    number, report, current = row
    text("td", str(number), "number")
    time_cell(report.at)
    text("td", f"{report.labels} for {report.spent:g}", "number")
    text("td", str(report.malicious), "number")
    with tag("td"):
        word = "in use" if current else "promoted" if report.promoted else "not promoted"
        badge(word, "acknowledged" if current else "closed")
    text("td", report.reason, "text")


__all__ = ["gain_rows", "model", "told_in_words"]
