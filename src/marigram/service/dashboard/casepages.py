"""Cases: all alerts of the loop, and one of them with its timeline and neighbourhood, labelled by a click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from fastapi import Request

from marigram.bridge.loop.around import Neighbourhood
from marigram.bridge.loop.labels import Word
from marigram.bridge.loop.loop import Case, Context, Loop, Moment
from marigram.service.dashboard.alertcontext import context_facts
from marigram.service.dashboard.casecharts import around_options, timeline_options
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.loops import asked, nothing, soon
from marigram.service.dashboard.parts import (
    Rows,
    badge,
    button,
    facts,
    link,
    table,
    tag,
    text,
    time_cell,
)

_WORDS: Final[tuple[tuple[str, Word], ...]] = (
    ("It was real", "true"),
    ("False alarm", "false"),
    ("Expected", "expected"),
)
_HEADS: Final = ("suspicion", "finding", "who did what", "events", "opened (UTC)", "said")
_EVENTS: Final = ("time (UTC)", "who did what", "finding", "evidence", "suspicion", "said")
_SHOWN: Final = 200
_NEAR: Final = 400
"""Events of its entities that the timeline of a case has, the last before it and the first after it."""


@dataclass(frozen=True)
class Line:
    """One event in the timeline."""

    row: int
    time: int
    name: str
    finding: str
    score: float
    suspicion: float
    word: str
    inside: bool


@dataclass(frozen=True)
class Told:
    """All that the page of a case shows."""

    case: Case
    context: Context
    place: Neighbourhood
    lines: tuple[Line, ...]
    names: dict[int, str]


async def cases(request: Request) -> None:
    """All alerts, the most suspicious first."""
    page = Page(request)

    async def fill() -> None:
        if await asked(page, lambda loop: loop.version) is None:
            nothing()
            return
        line = text("p", "", "muted")
        rows: Rows[Case] = Rows(
            table("Cases", _HEADS, ("suspicion", "events")),
            lambda case: case.number,
            lambda case: case,
            _case_row,
            ("No alert so far.", len(_HEADS)),
        )

        async def look() -> None:
            now = await asked(page, lambda loop: (loop.version, loop.cases()[:_SHOWN]))
            if now is not None:
                rows.show(now[1])
                line.text = f"Scored by {_scored_by(now[0])}."

        await look()
        page.every(look)

    with page.frame("cases", "Cases"):
        soon(fill)


async def case(request: Request, number: int = -1) -> None:
    """One alert: what is unusual, what happened around it, what stands behind it, and what it was, by a click."""
    page = Page(request)

    async def fill() -> None:
        told = await asked(page, lambda loop: told_of(loop, number))
        if told is None:
            text("p", "There is no such case.", "empty")
            link("All cases", "cases")
        else:
            _show(page, told)

    with page.frame("cases", f"Case {number}"):
        soon(fill)


def _show(page: Page, told: Told) -> None:
    """Write all of a case."""
    one = told.case
    text("h2", one.finding)
    text("p", f"{one.actor} {one.action}: {one.what}", "muted")
    with tag("div", "bar middle", role="group", aria_label="Say what this case was"):
        badge(one.word or "nothing said", "acknowledged" if one.word else "closed")
        if page.may_operate:
            word_buttons(page, "case", str(one.number))
    text("h2", "What happened around it")
    lines = [(x.time, x.score, x.name, x.word, x.inside) for x in told.lines]
    page.chart(timeline_options(lines), _timeline_in_words(told), "low")
    text("h2", "Two hops, as of its time")
    said = {x.row: x.word for x in told.lines if x.word}
    page.chart(around_options(told.place, said, told.names), f"Neighbourhood: {told.place.in_words()}")
    text("p", told.place.in_words(), "muted")
    text("h2", "Context")
    facts(_facts(told))
    text("h2", "Its events")
    rows: Rows[Line] = Rows(
        table("Events of the case", _EVENTS, ("evidence", "suspicion")),
        lambda x: x.row,
        lambda x: x,
        _event_row,
        ("None.", len(_EVENTS)),
    )
    rows.show([x for x in told.lines if x.inside][:50])


def told_of(loop: Loop, number: int) -> Told | None:
    """Return what the page of a case shows; None where there is none of this number."""
    found = next((case for case in loop.cases() if case.number == number), None)
    if found is None:
        return None
    moment = loop.moment()
    place = moment.around(found.row)
    rows = _rows_near(moment, found, place)
    names = {node.number: name_of(moment, node.number) for node in place.nodes if node.hop != 1}
    said = moment.known().over(len(moment.ids))
    lines = tuple(_line(moment, int(row), found.number, int(said[row])) for row in rows)
    return Told(found, loop.context(found.row), place, lines, names)


def name_of(moment: Moment, row: int) -> str:
    """Return who did what in an event."""
    actor, action = moment.verdicts["actor"][row], moment.verdicts["action"][row]
    return f"{actor or 'nobody'} {action or ''}".strip()


def _rows_near(moment: Moment, found: Case, place: Neighbourhood) -> list[int]:
    """Rows of the case, and those of its entities before and after it; entities of half of all events say nothing."""
    inside = np.flatnonzero(moment.verdicts["case"] == found.number)
    entities = [moment.entities.get(f"{node.kind}/{node.name}") for node in place.nodes if node.hop == 1]
    usual = len(moment.ids) / 2
    same = np.unique(
        np.concatenate([inside, *(rows for rows in entities if rows is not None and len(rows) < usual)])
    )
    at = int(np.searchsorted(same, inside[0]))
    near = same[max(at - _NEAR // 2, 0) : at + _NEAR // 2]
    return [int(row) for row in np.union1d(inside, near)]


def _line(moment: Moment, row: int, number: int, said: int) -> Line:
    v = moment.verdicts
    return Line(
        row,
        int(v["time"][row]),
        name_of(moment, row),
        str(v["finding"][row]),
        float(v["score"][row]),
        moment.suspicion(row),
        {1: "malicious", 0: "fine"}.get(said, ""),
        bool(v["case"][row] == number),
    )


def _word_button(page: Page, words: str, word: Word, of: str, subject: str) -> None:
    async def act() -> None:
        async def done() -> str:
            by = page.visit.actor
            kept = await asked(
                page, lambda loop: loop.say("case" if of == "case" else "event", subject, word, by=by)
            )
            return (
                f"{words}: kept; the next refit learns from it" if kept else f"{words}: you said so already"
            )

        await page.attempt(done)

    button(words, act, aria_label=f"{words}: {of} {subject}")


def word_buttons(page: Page, of: str, subject: str) -> None:
    """Write the three buttons that say what an event or a case was."""
    for words, word in _WORDS:
        _word_button(page, words, word, of, subject)


def _case_row(one: Case) -> None:
    text("td", f"{one.suspicion:.0%}", "number")
    with tag("td", "key finding"):
        link(one.finding, "case", number=str(one.number))
    text("td", f"{one.actor} {one.action}", "text")
    text("td", str(one.rows), "number")
    time_cell(one.opened)
    text("td", one.word or "–")


def _event_row(one: Line) -> None:
    time_cell(one.time)
    text("td", one.name, "text")
    text("td", one.finding)
    text("td", f"{one.score:.1f}", "number")
    text("td", f"{one.suspicion:.0%}", "number")
    text("td", one.word or "–")


def _facts(told: Told) -> list[tuple[str, str]]:
    more = [
        ("evidence of the streams", f"{told.case.score:.1f} nats"),
        ("events of the case", str(told.case.rows)),
    ]
    return [*context_facts(told.context), *more]


def _scored_by(version: int) -> str:
    return (
        f"version {version} of the model"
        if version
        else "the streams alone: nothing was learned from labels yet"
    )


def _timeline_in_words(told: Told) -> str:
    inside = sum(line.inside for line in told.lines)
    return f"Timeline: {inside} events of the case among {len(told.lines)} of its entities"


__all__ = ["Line", "Told", "case", "cases", "name_of", "told_of", "word_buttons"]
