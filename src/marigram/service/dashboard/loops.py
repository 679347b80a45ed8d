"""The loop as pages see it: one object a folder, asked in threads, one question at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from nicegui import ui

from marigram.bridge.loop.loop import Loop
from marigram.errors import MarigramError
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.parts import tag, text
from marigram.service.loops import answer_of

T = TypeVar("T")


async def asked(page: Page, question: Callable[[Loop], T]) -> T | None:
    """Return the answer to a question; None where no loop was begun, or it has no events."""
    state = page.panel.state
    if state is None:
        return None
    return await asyncio.to_thread(answer_of, state, question)


def soon(fill: Callable[[], Awaitable[None]]) -> None:
    """Fill what the page shows once it is there: the first answer builds the graph, which may take a while."""
    with tag("div") as place:
        waiting = text("p", "Asking the loop: the first time, its graph is built.", "muted", role="status")

    async def once() -> None:
        with place:
            try:
                await fill()
            except MarigramError as error:
                text("p", str(error), "note")
            finally:
                waiting.delete()

    ui.timer(0.05, once, once=True)


def nothing() -> None:
    """Say how a loop is begun."""
    text("p", "No loop runs here yet. It begins with the first events that it is given:", "muted")
    text("pre", "marigram loop --state DIR --preset cloudtrail EVENTS…", tabindex="0")


__all__ = ["asked", "nothing", "soon"]
