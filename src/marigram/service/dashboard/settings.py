"""Configuration, what another setting would have done, silences, and the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import Request

from marigram.errors import ParameterError
from marigram.service.alerts import actions, schemas, silences
from marigram.service.alerts.deeds import silence_by
from marigram.service.alerts.rules import AlertRules
from marigram.service.alerts.silences import Silence
from marigram.service.dashboard.frame import Page
from marigram.service.dashboard.panel import AuditRow
from marigram.service.dashboard.parts import (
    Rows,
    button,
    choice,
    facts,
    field,
    table,
    tag,
    text,
    time_cell,
    watched,
)
from marigram.wording import number

_SPANS: Final = (("3600", "1 hour"), ("21600", "6 hours"), ("86400", "1 day"), ("604800", "7 days"))
_DAY: Final = 86_400_000_000_000


async def configuration(request: Request) -> None:
    """What is in force, what was inferred and why, and a preview of a change on stored history."""
    page = Page(request)
    told = await page.panel.configuration()
    with page.frame("configuration", "Configuration"):
        with tag("div", "two"):
            with tag("section", aria_label="What was inferred"):
                text("h2", "What the data were taken for")
                for reason in _lines(told.get("reasons")):
                    text("p", reason, "note")
                text("pre", str(told.get("schema_toml") or "nothing yet: no event has come"), tabindex="0")
            with tag("section", aria_label="Detector and alerts"):
                text("h2", "The detector")
                facts(_plain(told.get("detector") or {}))
                text("h2", "Alerts")
                facts(_rules(page.panel.desk.alerts.rules))
        text("h2", "What would another alpha have done?")
        _preview(page)


def _preview(page: Page) -> None:
    """Write the form of a preview, and where its answer stands."""
    given = {"alpha": "0.0001", "days": "7"}
    with tag("div", "bar", role="group", aria_label="Preview of another alpha"):
        watched(
            field("alpha", "alpha", given["alpha"], inputmode="decimal"), lambda new: given.update(alpha=new)
        )
        watched(
            choice(
                "days",
                "of the last",
                (("1", "day"), ("7", "7 days"), ("30", "30 days"), ("", "all stored")),
                "7",
            ),
            lambda new: given.update(days=new),
        )

        async def act() -> None:
            async def done() -> str:
                try:
                    alpha = float(given["alpha"])
                except ValueError:
                    raise ParameterError(f"alpha is a number, not {given['alpha']!r}") from None
                panel = page.panel
                since = panel.desk.now() - int(given["days"]) * _DAY if given["days"] else None
                outcome = await panel.what_if(alpha, since, None)
                rows.show(_compared(outcome))
                return "The preview is below: nothing was changed."

            await page.attempt(done)

        button("Preview", act, "main")
    body = table("Stored history, as it was and under the other alpha", ("", "now", "then"), ("now", "then"))
    rows: Rows[tuple[str, str, str]] = Rows(
        body, lambda row: row[0], lambda row: row, _compared_row, ("Nothing was asked yet.", 3)
    )
    rows.show([])


def _compared(outcome: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return figures side by side: their name, now, then."""
    now, then = outcome["now"], outcome["then"]
    names = [name for name in now if isinstance(now[name], int | float)]
    return [(name.replace("_", " "), _figure(now[name]), _figure(then.get(name))) for name in names]


def _compared_row(row: tuple[str, str, str]) -> None:
    text("th", row[0], scope="row")
    text("td", row[1], "number")
    text("td", row[2], "number")


async def silence_list(request: Request) -> None:
    """Silences: what they keep back, a new one, an end to one."""
    page = Page(request)
    with page.frame("silences", "Silences"):
        text(
            "p",
            "What a silence matches is not sent while it lasts; scoring and alerts go on. It says what it held back.",
            "muted",
        )
        if page.may_operate:
            _new_silence(page)
        heads = ("matches", "from (UTC)", "to (UTC)", "by", "comment", "kept back", "~end it")
        rows: Rows[tuple[Silence, int, bool]] = Rows(
            table("Silences, the latest end first", heads, ("kept back",)),
            lambda row: row[0].id,
            lambda row: row,
            lambda row: _silence_row(page, *row),
            ("There is none.", len(heads)),
        )

        async def look() -> None:
            desk = page.panel.desk
            now = desk.now()
            found = await desk.read(lambda db: silences.listed(db, 100))
            rows.show([(silence, muted, silence.ends > now) for silence, muted in found])

        await look()
        page.every(look)


def _new_silence(page: Page) -> None:
    given = {"label": "key", "pattern": "", "seconds": "3600", "comment": ""}
    with tag("div", "bar", role="group", aria_label="Begin a silence"):
        watched(field("label", "label", "key", maxlength=200), lambda new: given.update(label=new))
        watched(
            field("pattern", "fits (with * and ?)", "", maxlength=500, placeholder="web-*"),
            lambda new: given.update(pattern=new),
        )
        watched(choice("seconds", "for", _SPANS, "3600"), lambda new: given.update(seconds=new))
        watched(field("comment", "comment", "", maxlength=2000), lambda new: given.update(comment=new))

        async def act() -> None:
            async def done() -> str:
                if not given["pattern"]:
                    return "Say what the label is to fit, such as web-*."
                match = {given["label"]: given["pattern"]}
                wanted = schemas.NewSilence(match, float(given["seconds"]), 0.0, given["comment"])
                await silence_by(page.visit, wanted)
                return f"Silent about {given['label']} = {given['pattern']}."

            await page.attempt(done)

        button("Begin", act, "main")


def _silence_row(page: Page, silence: Silence, muted: int, running: bool) -> None:
    text("td", ", ".join(f"{name} = {pattern}" for name, pattern in silence.match.items()), "key")
    time_cell(silence.starts)
    time_cell(silence.ends)
    text("td", silence.by)
    text("td", silence.comment, "text")
    text("td", f"{muted:,}", "number")
    with tag("td"):
        if not running or not page.may_operate:
            return

        async def act() -> None:
            async def done() -> str:
                visit = page.visit
                desk, now = visit.desk, visit.desk.now()
                await desk.change(
                    visit.actor,
                    "silence.end",
                    {"silence": silence.id},
                    lambda db: actions.end_silence(desk.alerts, db, silence.id, now),
                )
                return "The silence is over."

            await page.attempt(done)

        button("End now", act)


async def audit(request: Request) -> None:
    """Who did what, the newest first."""
    page = Page(request)
    with page.frame("audit", "Audit"):
        text(
            "p",
            "Each row carries a hash of the one before it; marigram audit verify finds a change.",
            "muted",
        )
        rows: Rows[AuditRow] = Rows(
            table(
                "The audit, the newest first", ("number", "when (UTC)", "who", "what", "detail"), ("number",)
            ),
            lambda row: row.id,
            lambda row: row.id,
            _audit_row,
            ("Nothing was done yet.", 5),
        )

        async def look() -> None:
            rows.show(await page.panel.audit(200))

        try:
            await look()
        except ParameterError as error:
            text("p", str(error), "note")
        else:
            page.every(look)


def _audit_row(row: AuditRow) -> None:
    text("td", str(row.id), "number")
    time_cell(row.at)
    text("td", row.actor)
    text("td", row.action)
    text("td", row.detail, "text")


def _rules(rules: AlertRules) -> list[tuple[str, str]]:
    teams = ", ".join(
        one.name + ("" if one.budget is None else f" (at most {one.budget} a {one.per})")
        for one in rules.teams
    )
    channels = ", ".join(f"{one.name} ({one.__struct_config__.tag})" for one in rules.channels)
    return [
        ("closed after", f"{rules.calm} normal events"),
        ("no data", "is an alert" if rules.no_data else "is no alert"),
        ("labels from", rules.pattern or "the key as Prometheus writes it"),
        ("teams", teams or "none"),
        ("sent to", channels or "nobody: no channel is configured"),
        ("kept", f"{number(rules.keep_days)} days"),
    ]


def _plain(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, value if isinstance(value, str) else msgspec.json.encode(value).decode()) for name, value in
            settings.items()]  # fmt: skip


def _lines(reasons: object) -> list[str]:
    if isinstance(reasons, str):
        return [line for line in reasons.splitlines() if line.strip()]
    return [str(reason) for reason in reasons] if isinstance(reasons, list | tuple) else []


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else number(value) if isinstance(value, float) else ""


__all__ = ["audit", "configuration", "silence_list"]
