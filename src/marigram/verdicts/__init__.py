"""Verdicts: the answer for one event, and for n events as columns, with the same fields wherever they go."""

from typing import TYPE_CHECKING

from marigram.verdicts.fields import FIELDS
from marigram.verdicts.row import Verdict, alert_line
from marigram.verdicts.table import Verdicts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FIELDS", "Verdict", "Verdicts", "alert_line", "arrow_schema"]


def arrow_schema(d: int = 1, *, integer_keys: bool = False) -> "pa.Schema":
    """Return the Arrow schema of verdicts over events with ``d`` coordinates."""
    from marigram.verdicts.arrow import arrow_schema as schema

    return schema(d, integer_keys=integer_keys)
