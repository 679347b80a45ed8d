"""An envelope in the form that each receiver reads.  Pure: the same envelope gives the same bytes.

What came from events is data in every form: JSON strings, escaped chat text, the body of a plain mail.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import msgspec

from marigram.service.delivery.channels import Alertmanager, Mail
from marigram.service.delivery.messages import Envelope, Notice, headline, time_text
from marigram.wording import printable

_COLOURS = {
    "opened": "#cf222e",
    "raised": "#cf222e",
    "drift": "#6f42c1",
    "reminder": "#e08600",
    "closed": "#1a7f37",
}
_HOUR = 3_600_000_000_000
_MOST_TEXT = 2_000
_LABEL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"


def webhook_body(envelope: Envelope) -> bytes:
    """Return our own form: the notices with their verdicts."""
    notices = [_plain(notice) for notice in envelope.notices]
    return msgspec.json.encode({"version": 1, "id": envelope.id, "title": envelope.title, "notices": notices})


def alertmanager_body(envelope: Envelope, channel: Alertmanager) -> bytes:
    """Return the list of alerts that ``POST /api/v2/alerts`` takes.

    Alertmanager knows an alert by its labels, so they are those of the alert alone, which do not change; an alert
    that is open ends ``hold`` hours from its last notice, a closed one when it was closed.
    """
    return msgspec.json.encode([_am_alert(notice, channel.hold) for notice in envelope.notices])


def _am_alert(notice: Notice, hold: float) -> dict[str, Any]:
    own = {"alertname": "MarigramAlert", "alert": notice.alert, "key": notice.key, "team": notice.team}
    labels = {_label(name): value for name, value in (notice.labels | own).items() if value}
    ends = notice.closed if notice.closed is not None else notice.made + int(hold * _HOUR)
    told = {
        "summary": f"{headline(notice.kind, notice.key)}: {notice.text}",
        "kind": notice.kind,
        "severity": _rounded(notice.severity),
    }
    return {
        "labels": labels,
        "annotations": {name: printable(value) for name, value in told.items() if value},
        "startsAt": time_text(notice.opened),
        "endsAt": time_text(max(ends, notice.opened)),
    }


def slack_body(envelope: Envelope) -> bytes:
    """Return the form of Slack's incoming webhooks; nothing in it mentions a person or a channel."""
    attachments = [
        {
            "color": _COLOURS[notice.what],
            "fallback": _chat(notice.text),
            "title": _chat(notice.title),
            "text": _chat(notice.text),
            "footer": _chat(f"alert {notice.alert}"),
            "mrkdwn_in": [],
        }
        for notice in envelope.notices[:20]
    ]
    return msgspec.json.encode({"text": _chat(envelope.title), "mrkdwn": False, "attachments": attachments})


def mail_of(envelope: Envelope, channel: Mail) -> EmailMessage:
    """Return a plain mail; notices of one alert stand in one thread."""
    mail = EmailMessage()
    made = envelope.notices[0].made
    mail["From"], mail["To"] = channel.sender, ", ".join(channel.to)
    mail["Subject"] = f"[marigram] {envelope.title}"[:200]
    mail["Date"] = format_datetime(datetime.fromtimestamp(made // 1_000_000_000, UTC))
    mail["Message-ID"] = f"<{envelope.id}@marigram.invalid>"
    mail["References"] = " ".join(f"<{alert}@marigram.invalid>" for alert in _alerts(envelope)[:10])
    mail["Auto-Submitted"] = "auto-generated"
    lines = [f"{notice.title}\n  {notice.text}\n  alert {notice.alert}\n" for notice in envelope.notices]
    mail.set_content("\n".join(lines))
    return mail


def _plain(notice: Notice) -> dict[str, Any]:
    """Return a notice with times as texts and without what is None."""
    told: dict[str, Any] = {name: getattr(notice, name) for name in notice.__struct_fields__}
    for name in ("made", "opened", "closed"):
        told[name] = time_text(told[name])
    return told | {"title": notice.title}


def _alerts(envelope: Envelope) -> list[str]:
    return list(dict.fromkeys(notice.alert for notice in envelope.notices))


def _chat(text: str) -> str:
    """Return text that a chat shows as it is: no control sequence, no mention."""
    shown = printable(text)[:_MOST_TEXT]
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "@\u200b")):
        shown = shown.replace(sign, written)
    return shown


def _label(name: str) -> str:
    """Return a name that Prometheus takes."""
    safe = "".join(char if char in _LABEL else "_" for char in name)
    return safe if safe and not safe[0].isdigit() else f"_{safe}"


def _rounded(x: float | None) -> str:
    return "" if x is None else f"{x:.1f}"


__all__ = ["alertmanager_body", "mail_of", "slack_body", "webhook_body"]
