"""What the loop knows of an alert of the service: its score, and what lies within two hops as of its time."""

from __future__ import annotations

from marigram.bridge.loop.loop import Context, Loop
from marigram.service.alerts.alert import Alert
from marigram.service.alerts.context import event_of
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.loops import asked, soon
from marigram.service.dashboard.parts import facts, text


def context_section(page: Page, about: Alert) -> None:
    """Write the context of an alert, where a loop has its event."""
    name = event_of(about)

    async def fill() -> None:
        found = await asked(page, lambda loop: _context(loop, name))
        if found is not None:
            text("h2", "Context")
            facts(context_facts(found))

    if page.panel.state is not None:
        soon(fill)


def context_facts(found: Context) -> list[tuple[str, str]]:
    """Return what a context says, by name."""
    return [
        ("suspicion", f"{found.suspicion:.0%}; number {found.rank:,} of {found.of:,} events"),
        ("scored by", f"version {found.version} of the model" if found.version else "the streams alone"),
        ("around it", found.neighbourhood),
        (
            "earlier events within two hops",
            f"{found.malicious_around} said to be malicious, {found.fine_around} fine",
        ),
    ]


def _context(loop: Loop, name: str) -> Context | None:
    row = loop.row_of(name)
    return None if row is None else loop.context(row)


__all__ = ["context_facts", "context_section"]
