"""Pieces of pages in plain HTML elements, which keyboards and screen readers know; text is always only text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from marigram.service.alerts.alert import Alert
from marigram.wording import moment, printable

T = TypeVar("T")

NONE = "–"


def tag(name: str, classes: str = "", /, **attributes: Any) -> Element:
    """Return an element; attributes are given with ``_`` for ``-``."""
    made = ui.element(name).classes(classes)
    _attribute(made, attributes)
    return made


def text(name: str, words: str, classes: str = "", /, **attributes: Any) -> TextElement:
    """Return an element that holds a text."""
    made = TextElement(tag=name, text="\n".join(printable(line) for line in words.split("\n")))
    made.classes(classes)
    _attribute(made, attributes)
    return made


def link(words: str, path: str, classes: str = "", **query: str) -> TextElement:
    """Return a link to another page."""
    return text("a", words, classes, href=address(path, **query))


def address(path: str, **query: str) -> str:
    """Return the address of a page, relative to the one it stands on; all lie side by side."""
    return path + (f"?{urlencode(query)}" if query else "")


def button(
    words: str, act: Callable[[], Awaitable[None]], classes: str = "", **attributes: Any
) -> TextElement:
    """Return a button."""
    made = text("button", words, f"act {classes}", type="button", **attributes)

    async def pressed() -> None:
        await act()

    made.on("click", pressed, args=[])
    return made


def checkbox(label: str, on: bool, changed: Callable[[bool], None]) -> Element:
    """Return a box to tick."""
    made = tag("input", type="checkbox", aria_label=label, checked=on)
    made.on("change", lambda event: changed(bool(event.args)), js_handler="(e) => emit(e.target.checked)")
    return made


def field(name: str, label: str, value: str, kind: str = "text", **attributes: Any) -> Element:
    """Return a field of a form, with its label."""
    with tag("div", "field"):
        text("label", label, for_=f"f-{name}")
        return tag("input", id=f"f-{name}", name=name, type=kind, value=value, **attributes)


def choice(name: str, label: str, options: Sequence[tuple[str, str]], value: str) -> Element:
    """Return a list to choose from, with its label; options are values and words."""
    with tag("div", "field"):
        text("label", label, for_=f"f-{name}")
        with tag("select", id=f"f-{name}", name=name) as made:
            for given, words in options:
                option = text("option", words, value=given)
                option.props.update({"selected": True} if given == value else {})
    return made


def watched(element: Element, changed: Callable[[str], None]) -> Element:
    """Let a field say each value that it takes."""
    return element.on(
        "input", lambda event: changed(str(event.args)), js_handler="(e) => emit(e.target.value)"
    )


def badge(word: str, kind: str = "") -> TextElement:
    """Return a word in a frame."""
    return text("span", word, f"badge {kind or word}")


def table(caption: str, heads: Sequence[str], numeric: Sequence[str] = ()) -> Element:
    """Return the body of a table; heads named in ``numeric`` stand to the right, those that begin with ``~`` are
    read out only.
    """
    with tag("div", "scroll"), tag("table", "rows"):
        text("caption", caption, "sr")
        with tag("thead"), tag("tr"):
            for head in heads:
                with tag("th", "number" if head in numeric else "", scope="col"):
                    text("span", head.lstrip("~"), "sr" if head.startswith("~") else "")
        return tag("tbody")


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Write names and what they are."""
    with tag("dl", "facts"):
        for name, value in pairs:
            text("dt", name)
            text("dd", value)


def severity_text(alert: Alert) -> str:
    """Return a severity as it is shown."""
    return NONE if alert.severity is None else f"{alert.severity:.1f}"


def time_cell(ns: int | None) -> TextElement:
    """Return a cell that shows a time, to the second."""
    return text("td", NONE if ns is None else moment(ns - ns % 1_000_000_000).replace("T", " "), "time")


def alert_cells(alert: Alert) -> None:
    """Write the cells that a row of an alert begins with: severity, key, kind, status, when it opened."""
    text("td", severity_text(alert), "number")
    with tag("td", "key"):
        link(alert.key or "(no key)", "key", key=alert.key)
    with tag("td"):
        badge(alert.kind)
    with tag("td"):
        badge(alert.status)
    time_cell(alert.opened)


class Rows(Generic[T]):
    """The rows of a table that follow a list: rows that did not change are not touched, so focus stays where it is.

    Parameters
    ----------
    body
        The ``tbody``.
    name, state
        What makes two items the same row, and what makes it look different.
    fill
        Writes the cells of an item.
    empty
        What is said when there is none, and over how many columns.
    """

    def __init__(
        self,
        body: Element,
        name: Callable[[T], Hashable],
        state: Callable[[T], object],
        fill: Callable[[T], None],
        empty: tuple[str, int],
    ) -> None:
        self._body, self._name, self._state, self._fill, self._empty = body, name, state, fill, empty
        self._rows: dict[Hashable, tuple[Element, object]] = {}
        self._nothing: Element | None = None

    def show(self, items: Sequence[T]) -> None:
        """Make the table show these items in this order."""
        wanted = [self._name(item) for item in items]
        for gone in [name for name in self._rows if name not in set(wanted)]:
            self._rows.pop(gone)[0].delete()
        self._tell_nothing(not items)
        for place, (name, item) in enumerate(zip(wanted, items, strict=True)):
            state = self._state(item)
            row, old = self._rows.get(name, (None, None))
            if row is None:
                with self._body:
                    row = tag("tr")
            if row is not self._body.default_slot.children[place]:
                row.move(self._body, place)
            if old != state:
                row.clear()
                with row:
                    self._fill(item)
            self._rows[name] = (row, state)

    def _tell_nothing(self, nothing: bool) -> None:
        if nothing and self._nothing is None:
            with self._body, tag("tr") as self._nothing:
                text("td", self._empty[0], "empty", colspan=self._empty[1])
        elif not nothing and self._nothing is not None:
            self._nothing.delete()
            self._nothing = None


def _attribute(element: Element, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        element.props[name.strip("_").replace("_", "-")] = value


__all__ = [
    "NONE",
    "Rows",
    "address",
    "alert_cells",
    "badge",
    "button",
    "checkbox",
    "choice",
    "facts",
    "field",
    "link",
    "severity_text",
    "table",
    "tag",
    "text",
    "time_cell",
    "watched",
]
