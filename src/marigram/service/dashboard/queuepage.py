"""The labelling queue: the few events whose label would teach most, each with the reason it is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import Request

from marigram.bridge.loop.loop import Loop
from marigram.service.dashboard.casepages import name_of, word_buttons
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.loops import asked, nothing, soon
from marigram.service.dashboard.parts import Rows, table, tag, text, time_cell

_HEADS: Final = ("who did what", "time (UTC)", "what was unusual", "why it is asked", "what was it?")
_COUNT: Final = 8


@dataclass(frozen=True)
class Asked:
    """One question as it is shown."""

    event: str
    name: str
    time: int
    finding: str
    reason: str


async def queue(request: Request) -> None:
    """What to label next."""
    page = Page(request)

    async def fill() -> None:
        first = await asked(page, state_of)
        if first is None:
            nothing()
            return
        text(
            "p",
            "Each label is one answer. The queue follows: an answered question goes, the next one comes.",
            "muted",
        )
        line = text("p", "", "note")
        rows: Rows[Asked] = Rows(
            table("Questions", _HEADS),
            lambda one: one.event,
            lambda one: one,
            lambda one: _row(page, one),
            ("Nothing is worth asking about.", len(_HEADS)),
        )
        shown: list[object] = []

        async def look() -> None:
            state = await asked(page, state_of)
            if state is None or [state] == shown:
                return
            shown[:] = [state]
            found = await asked(page, questions_of)
            rows.show(found or [])
            line.text = f"{state[1]} labels so far; version {state[0]} is in use."

        await look()
        page.every(look)

    with page.frame("queue", "What to label next"):
        soon(fill)


def state_of(loop: Loop) -> tuple[int, int, int]:
    """Version in use, number of labels, parts of events: the queue changes with these."""
    return loop.version, len(loop.folder.labels.all()), len(loop.folder.index().parts)


def questions_of(loop: Loop) -> list[Asked]:
    """Return the questions as they are shown."""
    moment = loop.moment()
    v = moment.verdicts
    return [
        Asked(
            name,
            name_of(moment, found.event),
            int(v["time"][found.event]),
            str(v["finding"][found.event]),
            found.reason,
        )
        for found, name in loop.queue(_COUNT)
    ]


def _row(page: Page, one: Asked) -> None:
    text("td", one.name, "key")
    time_cell(one.time)
    text("td", one.finding)
    text("td", one.reason, "text")
    with tag("td"), tag("div", "bar", role="group", aria_label=f"Say what event {one.event} was"):
        if page.may_operate:
            word_buttons(page, "event", one.event)


__all__ = ["Asked", "questions_of", "queue", "state_of"]
