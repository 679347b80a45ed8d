"""What all pages share: the head with the ways to the others, the place for news, and who is let in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from fastapi import Request
from nicegui import ui
from nicegui.elements.echart import EChart
from nicegui.elements.mixins.text_element import TextElement

from marigram.errors import MarigramError
from marigram.service.alerts.desk import Visit
from marigram.service.dashboard.mount import SCOPE
from marigram.service.dashboard.panel import Panel
from marigram.service.dashboard.parts import link, tag, text
from marigram.service.dashboard.style import SHEET
from marigram.service.dashboard.theme import ASKED, EVENT, SCRIPT, Theme, painted, theme_of

PAGES: Final = (
    ("overview", "Overview"),
    ("alerts", "Alerts"),
    ("cases", "Cases"),
    ("queue", "Queue"),
    ("model", "Model"),
    ("keys", "Keys"),
    ("silences", "Silences"),
    ("configuration", "Configuration"),
    ("audit", "Audit"),
)
SECONDS: Final = 2.0
"""Between two looks at what is new."""


class Page:
    """One open page: whose it is, and where it tells what happened.

    Parameters
    ----------
    request
        The request for it.
    """

    def __init__(self, request: Request) -> None:
        self._ask: Callable[[], Panel | None] = request.scope[SCOPE]
        first = self._ask()
        if first is None:
            raise MarigramError("nobody may see this page")
        self._panel = first
        self._news: TextElement | None = None
        self._theme: Theme = theme_of(request)
        self._charts: dict[EChart, Mapping[str, Any]] = {}

    @property
    def panel(self) -> Panel:
        """The tenant's data; asked for anew, so that a token that was revoked ends here."""
        found = self._ask()
        if found is None:
            ui.navigate.to("../login")
            raise MarigramError("the session is over")
        self._panel = found
        return found

    @property
    def visit(self) -> Visit:
        """Who changes something; ``MarigramError`` for who may only look."""
        panel = self.panel
        if not panel.may_operate:
            raise MarigramError("this needs a token of scope operate")
        return Visit(panel.desk, panel.actor)

    @property
    def may_operate(self) -> bool:
        """Whether buttons that change something are shown."""
        return bool(self._panel.may_operate)

    def say(self, words: str) -> None:
        """Tell what happened, to eyes and to screen readers."""
        if self._news is not None:
            self._news.text = words
        ui.notify(words, position="top", timeout=4000)

    async def attempt(self, act: Callable[[], Awaitable[str]]) -> None:
        """Do something and say what came of it, or why it could not be done."""
        try:
            self.say(await act())
        except MarigramError as error:
            self.say(str(error))

    @contextmanager
    def frame(self, name: str, title: str) -> Iterator[None]:
        """Write the page around what is written inside."""
        ui.add_head_html(SCRIPT)
        ui.add_css(SHEET)
        ui.on(EVENT, lambda event: self._paint(str(event.args)))
        ui.timer(0.0, self._ask_theme, once=True)
        ui.page_title(f"{title} · marigram")
        text("a", "Skip to the content", "skip", href="#content")
        with tag("header", "top"):
            text("span", "marigram", "brand")
            with tag("nav", aria_label="Pages"):
                for path, words in PAGES:
                    link(words, path).props.update({"aria-current": "page"} if path == name else {})
            text("span", self._panel.actor, "who")
            _switch()
            if self._panel.actor != "local":
                with tag("form", method="post", action="../logout"):
                    text("button", "Log out", "act", type="submit")
        self._news = text("div", "", "sr", role="status", aria_live="polite")
        with tag("div", "content", id="content", tabindex="-1"):
            text("h1", title)
            yield

    def chart(self, options: Mapping[str, Any], words: str, classes: str = "") -> EChart:
        """Draw a chart in the colours of the page; ``words`` say what it shows."""
        made = ui.echart(painted(options, self._theme)).classes(f"chart {classes}")
        made.props.update({"role": "img", "aria-label": words})
        self._charts[made] = options
        return made

    def redraw(self, chart: EChart, options: Mapping[str, Any], words: str) -> None:
        """Let a chart show something else."""
        self._charts[chart] = options
        chart.options.clear()
        chart.options.update(painted(options, self._theme))
        chart.props["aria-label"] = words
        chart.update()

    async def _ask_theme(self) -> None:
        """Paint as the browser shows, should it differ from what it said before."""
        with suppress(TimeoutError):  # it left
            self._paint(str(await ui.run_javascript(ASKED, timeout=5.0)))

    def _paint(self, told: str) -> None:
        """Give all charts the colours of a theme, which the browser shows by now."""
        theme: Theme = "dark" if told == "dark" else "light"
        if theme != self._theme:
            self._theme = theme
            for chart, options in self._charts.items():
                self.redraw(chart, options, str(chart.props["aria-label"]))

    def every(self, look: Callable[[], Awaitable[None]]) -> None:
        """Look at what is new, now and then; a look that fails is tried again."""

        async def once() -> None:
            try:
                await look()
            except MarigramError as error:
                if self._news is not None:
                    self._news.text = str(error)

        ui.timer(SECONDS, once)


def _switch() -> None:
    """Write the button between light and dark; the style sheet shows what it leads to."""
    with tag("button", "act", type="button", title="Kept in this browser") as made:
        text("span", "Dark", "to-dark")
        text("span", "Light", "to-light")
    made.on("click", js_handler="() => window.marigramSwitch()")


__all__ = ["PAGES", "Page"]
