"""What a pointer over a mark is told."""

import numpy as np

from marigram.kinds import Kind
from marigram.pictures.panels import Panel
from marigram.wording import moment, number, odds, share, span

__all__ = ["tip_of"]


def tip_of(panel: Panel, row: int) -> str:
    """Return the lines that tell one event."""
    when = moment(panel.start + int(panel.x[row])) if panel.timed else ""
    value, lower, upper, p = (
        float(column[row]) for column in (panel.value, panel.lower, panel.upper, panel.p_value)
    )
    kind = Kind(int(panel.kind[row]))
    lines = [f"{when} #{int(panel.seq[row])}".strip(), f"{kind.label} {number(value, 6)}"]
    if not np.isnan(lower) and not np.isnan(upper):
        lines.append(f"expected {span(lower, upper)}")
    if not np.isnan(p):
        lines.append(odds(p))
    if panel.why[row] < 1.0:
        lines.append(f"{share(float(panel.why[row]))} of the surprise")
    if kind is Kind.DRIFT:
        before, after = float(panel.before[row]), float(panel.after[row])
        lines.append(f"level {number(before)} -> {number(after)} since #{int(panel.changed_at[row])}")
    return "\n".join(lines)
