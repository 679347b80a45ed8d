"""One alert as one HTML file, to be sent to somebody: what happened, the series around it, and the words on it.

The file asks nobody for anything, and everything that came from outside is escaped in it.
"""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
import numpy as np

from marigram.pictures import Picture
from marigram.service.alerts.alert import Alert
from marigram.service.delivery.messages import headline
from marigram.verdicts import Verdicts
from marigram.wording import moment, number, odds, printable, share, span

_AROUND = 400
"""Events shown before the alert, and after it."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_LOOK = """
body { margin: 2rem auto; max-width: 1100px; padding: 0 1rem; color: #1f2328; background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p.line { color: #59636e; margin: 0 0 1rem; overflow-wrap: anywhere; } figure { margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; margin: 0; }
dt { color: #59636e; } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: #f6f8fa; padding: .75rem; overflow: auto; font-size: 12.5px; }
"""


def alert_page(alert: Alert, history: Verdicts) -> str:
    """Return the page of an alert; ``history`` is what is stored of its key."""
    title = escape(headline(alert.kind, alert.key))
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(printable(value))}</dd>" for name, value in facts_of(alert)
    )
    verdict = escape(msgspec.json.format(bytes(alert.verdict), indent=2).decode())
    around = history[rows_around(alert, history)]
    picture = (
        f"<figure>{Picture(around).svg}</figure>" if len(around) else "<p>Nothing of this key is stored.</p>"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{_LOOK}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f'<p class="line">{escape(printable(alert.text))}</p>\n{picture}\n'
        f"<h2>The alert</h2>\n<dl>{facts}</dl>\n<h2>The verdict</h2>\n<pre>{verdict}</pre>\n"
        "</main>\n</body>\n</html>\n"
    )


def rows_around(alert: Alert, history: Verdicts) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which rows lie around an alert; of no data the last ones."""
    seq = history["seq"]
    if alert.first_seq < 0:
        return np.arange(len(seq)) >= len(seq) - _AROUND
    near: np.ndarray[Any, np.dtype[np.bool_]] = (seq >= alert.first_seq - _AROUND) & (
        seq <= alert.last_seq + _AROUND
    )
    return near


def facts_of(alert: Alert) -> list[tuple[str, str]]:
    """Return what is to be known of an alert, as names and texts."""
    facts = [("status", _status(alert)), ("opened", moment(alert.opened))]
    if alert.closed is not None:
        facts.append(("closed", moment(alert.closed)))
    if alert.severity is not None:
        facts.append(("severity", f"{alert.severity:.1f}"))
    facts.append(("events", f"{alert.events:,}, in {alert.notices} notice{'s' * (alert.notices != 1)}"))
    facts += why_of(msgspec.json.decode(alert.verdict))
    facts += [("team", alert.team)] if alert.team else []
    facts += [(f"label {name}", value) for name, value in sorted(alert.labels.items())]
    if alert.word is not None:
        said = f"{alert.word.label}, by {alert.word.by}"
        facts += [("somebody said", said + (f": {alert.word.note}" if alert.word.note else ""))]
        facts += [("what that changed", alert.word.effect)]
    return [*facts, ("id", alert.id)]


def why_of(verdict: dict[str, Any]) -> list[tuple[str, str]]:
    """Return why there is an alert: what was expected, how unlikely it was, and what would have been normal."""
    facts = []
    lower, upper, value = verdict["lower"], verdict["upper"], verdict["value"]
    if isinstance(lower, float | int) and isinstance(upper, float | int) and isinstance(value, float | int):
        facts.append(("value", number(value, 6)))
        facts.append(("expected", span(lower, upper)))
        if value > upper:
            facts.append(("would be normal", f"below {number(upper)}"))
        elif value < lower:
            facts.append(("would be normal", f"above {number(lower)}"))
    if verdict["p_value"] is not None and verdict["kind"] != "drift":
        facts.append(("how surprising", f"{odds(verdict['p_value'])} normal events of this key"))
    if verdict["kind"] == "drift" and isinstance(verdict["before"], float | int):
        moved = (
            f"{number(verdict['before'])} → {number(verdict['after'])}, since event {verdict['changed_at']}"
        )
        facts.append(("level", moved))
    shares = verdict["why"] or []
    if len(shares) > 1:
        largest = sorted(enumerate(shares), key=lambda pair: -(pair[1] or 0.0))[:5]
        facts.append(("why", ", ".join(f"x{i} {share(part or 0.0)}" for i, part in largest)))
    return facts


def _status(alert: Alert) -> str:
    if alert.status == "acknowledged":
        return f"acknowledged by {alert.acknowledged_by}"
    if alert.status == "snoozed" and alert.snoozed_until is not None:
        return f"snoozed until {moment(alert.snoozed_until)}"
    reasons = {
        "normal": "the key is normal again",
        "spoke": "data came again",
        "label": "by its label",
        "hand": "by hand",
        "superseded": "a new episode began",
    }
    return f"closed: {reasons[alert.why_closed]}" if alert.why_closed is not None else alert.status


__all__ = ["alert_page", "facts_of", "rows_around", "why_of"]
