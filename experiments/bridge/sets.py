"""The data sets as the loop sees them, and which events may be labelled and which are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.bridge import EntityStreams, graph_of, preset
from marigram.bridge.loop.described import Described, described
from marigram.datasets import find

LEFT_OUT = {
    "cloudtrail_stratus": ("user_agent", "agent_kind", "stratus_run", "by_lab_role", "session", "label"),
    "sffsd": ("label",),
}
"""Columns that give the label away; principal and resource enter as their kind and a hash."""
_FILES = {"cloudtrail_stratus": "events.parquet", "sffsd": "transactions.parquet"}
_PRESETS = {"cloudtrail_stratus": "cloudtrail", "sffsd": "cards"}


@dataclass(frozen=True, eq=False)
class Case:
    """A data set: events described, stream scores (n,), labels (n,) of which -1 is unknown, and groups to split by."""

    name: str
    events: Described
    score: NDArray[np.float64]
    truth: NDArray[Any]
    groups: NDArray[Any]


def case_of(name: str) -> Case:
    """Read a data set, score it by the streams, and describe it; labels are put aside before."""
    table = pq.read_table(find(name) / _FILES[name])
    truth = table["label"].to_numpy()
    groups = _groups(table) if name == "cloudtrail_stratus" else np.arange(len(truth))
    schema = preset(_PRESETS[name]).schema
    if name == "sffsd":
        schema = msgspec.structs.replace(schema, id=None, unit="step")
    plain = table.drop_columns([column for column in LEFT_OUT[name] if column in table.column_names])
    verdicts = EntityStreams(schema).update(plain)
    events = described(graph_of(plain, schema), schema.event, verdicts)
    return Case(name, events, np.asarray(verdicts["score"], float), truth, groups)


def split_of(case: Case, seed: int, pool: int, tested: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that may be labelled, and rows that are judged."""
    rng = np.random.default_rng([seed, 5])
    known = np.flatnonzero(case.truth >= 0)
    if case.name == "cloudtrail_stratus":
        names, where = np.unique(case.groups, return_inverse=True)
        first = rng.random(len(names)) < 0.5
        return np.flatnonzero(first[where]), np.flatnonzero(~first[where])
    cut = int(0.6 * len(known))
    early, late = known[:cut], known[cut:]
    return np.sort(rng.choice(early, pool, replace=False)), np.sort(rng.choice(late, tested, replace=False))


def _groups(table: Any) -> NDArray[Any]:
    """The attack run of each event; of events of none, their minute."""
    runs = np.array([run or "" for run in table["stratus_run"].to_pylist()], object)
    seconds = np.array([moment.timestamp() for moment in table["event_time"].to_pylist()])
    minutes = ((seconds - seconds[0]) // 60).astype(int)
    return np.array([run or f"minute {minute}" for run, minute in zip(runs, minutes, strict=True)])


__all__ = ["LEFT_OUT", "Case", "case_of", "split_of"]
