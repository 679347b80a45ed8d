"""A table of verdicts as a notebook shows it: what it holds in a line, its first and its last rows."""

from html import escape
from math import isnan
from typing import TYPE_CHECKING

from marigram.verdicts.row import Verdict
from marigram.wording import moment, number, odds, printable, share

if TYPE_CHECKING:
    from marigram.verdicts.table import Verdicts

__all__ = ["html_table"]

_EACH_END = 5
_COORDINATES = 4
"""Numbers of a vector that are shown before it is cut."""
_HEADS = (
    "",
    "key",
    "seq",
    "time",
    "value",
    "expected",
    "lower",
    "upper",
    "odds",
    "severity",
    "kind",
    "notice",
    "why",
)


def html_table(table: "Verdicts") -> str:
    """Return HTML in which everything that came from outside is escaped."""
    n = len(table)
    shown = list(range(n)) if n <= 2 * _EACH_END else [*range(_EACH_END), *range(n - _EACH_END, n)]
    rows = [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(i, table[i])) + "</tr>" for i in shown
    ]
    if len(shown) < n:
        rows.insert(_EACH_END, f'<tr><td colspan="{len(_HEADS)}">… {n - len(shown):,} more rows …</td></tr>')
    counts = table.summary()
    kinds = ", ".join(f"{count:,} {name}" for name, count in counts["kinds"].items() if count)
    keys = f", {counts['keys']:,} keys" if counts["keys"] > 1 else ""
    told = f"<p><b>{n:,} verdicts</b>{keys}: {kinds or 'none'}; {counts['notices']:,} notices</p>"
    head = "".join(f"<th>{name}</th>" for name in _HEADS)
    return f"<div>{told}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _cells(i: int, row: Verdict) -> list[str]:
    return [
        f"{i:,}",
        "" if row.key is None else printable(str(row.key)),
        str(row.seq),
        "" if row.time is None else moment(row.time),
        *(_numbers(x) for x in (row.value, row.expected, row.lower, row.upper)),
        "" if isnan(row.p_value) else odds(row.p_value),
        _numbers(row.severity),
        row.kind.label,
        "yes" if row.notice else "",
        ", ".join(share(x) for x in row.why[:_COORDINATES] if not isnan(x)) if len(row.why) > 1 else "",
    ]


def _numbers(x: float | list[float]) -> str:
    if isinstance(x, list):
        if all(isnan(y) for y in x):
            return ""
        cut = ", …" if len(x) > _COORDINATES else ""
        return "[" + ", ".join(_numbers(y) for y in x[:_COORDINATES]) + cut + "]"
    return "" if isnan(x) else number(x)
