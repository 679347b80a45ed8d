"""One verdict: the answer for one event, as an object and as a readable line."""

import json
from collections.abc import Sequence
from math import isfinite, isnan
from typing import Final

import msgspec
import numpy as np

from marigram.kinds import Kind
from marigram.verdicts.fields import FIELDS, Numbers
from marigram.wording import cells, clipped, moment, number, odds, padded, printable, share, span

__all__ = ["Verdict", "alert_line"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one event; a row of :class:`~marigram.Verdicts`.

    Numbers that were not computed (the p-value of a missing event) are NaN, so that comparisons with them are
    false; fields that do not apply (the levels of an event that is no drift) are None.  Vector events hold lists
    of d numbers.
    """

    id: str | int | None
    """The event's own id, if it has one."""
    key: str | int | None
    """The entity it belongs to; None for a stream without keys."""
    seq: int
    """Its number within the key, from 0."""
    n: int
    """How many events of the key were learned before it."""
    time: int | None
    """Nanoseconds since 1970, UTC."""
    value: Numbers
    p_value: float
    """Calibrated probability that a normal event of this key is at least this unusual."""
    score: float
    """min(-log10 of the p-value, 300)."""
    expected: Numbers
    lower: Numbers
    """Lower end of the band as it stood before the event."""
    upper: Numbers
    """Upper end of the band as it stood before the event."""
    kind: Kind
    severity: float
    """-log10 of how unusual the event is among what this key calls unusual."""
    episode: int
    """Number of the key's episode that the event falls into or follows."""
    notice: bool
    """Whether people are to be told of this event."""
    changed_at: int | None
    """Of a drift: ``seq`` of the first event of the new norm."""
    before: Numbers | None
    """Of a drift: the level before it."""
    after: Numbers | None
    """Of a drift: the level after it."""
    resolves: int | None
    """Of a drift: ``seq`` of the first event whose alert it withdraws."""
    late: bool
    """Whether it came after a later event of its key, and was therefore not learned."""
    why: list[float]
    """Share of each coordinate in the surprise; they sum to 1."""

    def to_json(self) -> bytes:
        """Return one JSON object: ISO-8601 time, kind by name, null for what is not a finite number.

        The bytes are those of a line of :meth:`Verdicts.json_lines`.

        Examples
        --------
        >>> from marigram.verdicts import Verdicts
        >>> Verdicts(value=[12.5], kind=[1])[0].to_json()[:61]
        b'{"id":null,"key":null,"seq":0,"n":0,"time":null,"value":12.5,'
        """
        fields: dict[str, object] = {name: _finite(getattr(self, name)) for name in FIELDS}
        fields["id"] = None if self.id is None else str(self.id)
        fields["time"] = None if self.time is None else moment(self.time)
        fields["kind"] = self.kind.label
        fields["why"] = _finite([float(str(np.float32(x))) for x in self.why])
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def __str__(self) -> str:
        return alert_line(self)


def _finite(x: object) -> object:
    """Return ``x`` with None for numbers that are not finite, and for lists of nothing but NaN."""
    if isinstance(x, float):
        return x if isfinite(x) else None
    if isinstance(x, list):
        return None if all(isnan(y) for y in x) else [y if isfinite(y) else None for y in x]
    return x


_COLOURS: Final = {
    Kind.ANOMALY: "1;31",
    Kind.DRIFT: "1;34",
    Kind.UNDECIDED: "33",
    Kind.LEARNING: "2",
    Kind.MISSING: "35",
    Kind.REJECTED: "35",
}
_TOLD_COORDINATES: Final = 3
UNUSUAL: Final = "unusual"
"""What a line calls a notice whose kind is normal."""
_REASON_FIRST: Final = (Kind.DRIFT, Kind.MISSING, Kind.REJECTED)
"""Kinds of which the reason says more than the range that was expected."""
_BROAD: Final = 110
"""Columns of a terminal from which on the parts of a line are set in columns of their own."""


def alert_line(
    verdict: Verdict, width: int = 0, colour: bool = False, *, names: Sequence[str] | None = None
) -> str:
    """Return one line: when, who, what, how much, what was expected, how surprising that is, and why.

    Parameters
    ----------
    verdict
        The verdict to tell.
    width
        Columns that the line may take; the text at its end gives way.  0 is no limit.
    colour
        Whether to colour it for a terminal (ANSI).
    names
        Names of the d coordinates; without them they are called x0, x1, ...

    Returns
    -------
    str
        A line without its newline and without any character that a terminal would obey, but for the colours.

    Examples
    --------
    >>> from marigram.verdicts import Verdicts
    >>> columns = {"expected": [51.0], "lower": [40.2], "upper": [61.7], "p_value": [2.5e-5], "seq": [512]}
    >>> print(alert_line(Verdicts(value=[93.1], kind=[Kind.ANOMALY], key=["web-7"], **columns)[0]))
    web-7 #512        anomaly    93.1      expected 40.2 to 61.7     1 in 40,000     31.4 above the range
    """
    who = printable("" if verdict.key is None else f"{verdict.key} ") + f"#{verdict.seq}"
    when = "" if verdict.time is None else moment(verdict.time) + "  "
    if width:
        who = clipped(who, max(width - cells(when) - 40, 12))
    parts = _told(verdict, names)
    label = UNUSUAL if _is_unusual(verdict) else verdict.kind.label
    if not 0 < width < _BROAD:  # room enough to stand in columns
        parts = [padded(part, column) for part, column in zip(parts, _columns(verdict.kind), strict=True)]
    pieces = [
        (when, "2"),
        (f"{padded(who, 16)}  ", ""),
        (label, _COLOURS.get(verdict.kind, "")),
        (" " * (11 - len(label)) + "  ".join(part for part in parts if part), ""),
    ]
    line = ""
    for text, code in pieces:
        told = clipped(text, width) if width else text
        line += f"\x1b[{code}m{told}\x1b[0m" if colour and code and told else told
        if width and (told != text or cells(text) == width):
            break
        width -= cells(text) if width else 0
    return line.rstrip()


def _is_unusual(verdict: Verdict) -> bool:
    """Is this a notice that no other word fits: within the promised rate, but rare by the key's own habits?"""
    return verdict.kind is Kind.NORMAL and verdict.notice


def _columns(kind: Kind) -> tuple[int, ...]:
    """Return how wide value, band, odds, reason and "late" are when lines stand below each other."""
    return (8, 0, 0, 0, 0) if kind in _REASON_FIRST else (8, 24, 14, 0, 0)


def _told(verdict: Verdict, names: Sequence[str] | None) -> list[str]:
    """Return what follows the kind: value, band, odds, reason; empty where there is none."""
    top = max(range(len(verdict.why)), key=lambda i: _order(verdict.why[i]))
    name = "" if len(verdict.why) == 1 else _name(top, names)
    value, lower, upper = (_pick(x, top) for x in (verdict.value, verdict.lower, verdict.upper))
    band = "" if isnan(lower) or isnan(upper) else f"expected {span(lower, upper)}"
    surprise = "" if isnan(verdict.p_value) else odds(verdict.p_value)
    if _is_unusual(verdict):  # its severity is no probability of an event
        surprise = f"severity {verdict.severity:.1f}"
    amount = f"{name} = {number(value)}" if name else number(value)
    reason = _reason(verdict, value, lower, upper, names)
    late = "late" if verdict.late else ""
    if verdict.kind in _REASON_FIRST:
        return [amount, reason, band, surprise, late]
    return [amount, band, surprise, reason, late]


def _reason(verdict: Verdict, value: float, lower: float, upper: float, names: Sequence[str] | None) -> str:
    if verdict.kind is Kind.MISSING:
        return "no value came"
    if verdict.kind is Kind.REJECTED:
        return "not a usable number"
    if verdict.kind is Kind.DRIFT:
        return _moved(verdict)
    if len(verdict.why) > 1:
        largest = sorted(range(len(verdict.why)), key=lambda i: -_order(verdict.why[i]))[:_TOLD_COORDINATES]
        told = [f"{_name(i, names)} {share(verdict.why[i])}" for i in largest if verdict.why[i] >= 0.005]
        return ", ".join(told)
    if value > upper:
        return f"{number(value - upper)} above the range"
    if value < lower:
        return f"{number(lower - value)} below the range"
    return "inside the range, yet rare for this key" if _is_unusual(verdict) else ""


def _moved(verdict: Verdict) -> str:
    """Return how the norm moved, since when, and what that takes back."""
    top = max(range(len(verdict.why)), key=lambda i: _order(verdict.why[i]))
    parts = []
    if verdict.before is not None and verdict.after is not None:
        before, after = number(_pick(verdict.before, top)), number(_pick(verdict.after, top))
        moved = before != after
        parts.append(f"level {before} -> {after}" if moved else f"spread changed, level still {after}")
    if verdict.changed_at is not None:
        parts.append(f"since #{verdict.changed_at}")
    if verdict.resolves is not None:
        since = "then" if verdict.resolves == verdict.changed_at else f"#{verdict.resolves}"
        parts.append(f"withdraws the alerts since {since}")
    return " ".join(parts[:2]) + (", " if len(parts) > 2 else "") + "".join(parts[2:])


def _name(i: int, names: Sequence[str] | None) -> str:
    return printable(names[i]) if names is not None else f"x{i}"


def _pick(x: Numbers, i: int) -> float:
    return x[i] if isinstance(x, list) else x


def _order(x: float) -> float:
    """Return ``x``, or less than every share when it is NaN."""
    return -1.0 if isnan(x) else x
