"""The data sets as the loop sees them, and which events may be labelled and which are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.bridge import EntityStreams, graph_of, preset
from marigram.bridge.loop.described import Described, described
from marigram.bridge.loop.refit import Material
from marigram.datasets import find
from marigram.events.entities import EntitySchema

LEFT_OUT = {
    "cloudtrail_stratus": ("user_agent", "agent_kind", "stratus_run", "by_lab_role", "session", "label"),
    "sffsd": ("label",),
    "darpa98": ("attack",),
}
"""Columns that give the label away; principal and resource enter as their kind and a hash."""
EACH = 60
"""Of darpa98 every so many-th connection is looked at."""


@dataclass(frozen=True, eq=False)
class Case:
    """A data set: what a refit looks at, labels (n,) of which -1 is unknown, and groups to split by (n,)."""

    name: str
    material: Material
    truth: NDArray[Any]
    groups: NDArray[Any]

    @property
    def events(self) -> Described:
        """The events, described."""
        return self.material.events

    @property
    def score(self) -> NDArray[np.float64]:
        """The stream score of each event."""
        return self.material.score


def case_of(name: str) -> Case:
    """Read a data set, score it by the streams, and describe it; labels are put aside before."""
    table, truth, groups, schema = {"cloudtrail_stratus": _calls, "sffsd": _cards, "darpa98": _connections}[
        name
    ]()
    plain = table.drop_columns([column for column in LEFT_OUT[name] if column in table.column_names])
    verdicts = EntityStreams(schema).update(plain)
    graph = graph_of(plain, schema)
    ids = [f"#{row}" if known is None else str(known) for row, known in enumerate(verdicts["id"].tolist())]
    events = described(graph, schema.event, verdicts)
    material = Material(events, graph, schema.event, np.asarray(verdicts["score"], float), ids)
    return Case(name, material, truth, groups)


def _calls() -> tuple[pa.Table, NDArray[Any], NDArray[Any], EntitySchema]:
    table = pq.read_table(find("cloudtrail_stratus") / "events.parquet")
    return table, table["label"].to_numpy(), _runs(table), preset("cloudtrail").schema


def _cards() -> tuple[pa.Table, NDArray[Any], NDArray[Any], EntitySchema]:
    table = pq.read_table(find("sffsd") / "transactions.parquet")
    schema = msgspec.structs.replace(preset("cards").schema, id=None, unit="step")
    return table, table["label"].to_numpy(), np.arange(table.num_rows), schema


def _connections() -> tuple[pa.Table, NDArray[Any], NDArray[Any], EntitySchema]:
    """Every :data:`EACH`-th connection, by minute; grouped by the type of the attack, or by the pair of hosts."""
    table = pq.read_table(find("darpa98") / "edges.parquet").take(np.arange(0, 4_554_344, EACH))
    table = table.take(np.argsort(table["minute"].to_numpy(), kind="stable"))
    attack = table["attack"].to_numpy()
    pair = table["src"].to_numpy().astype(np.int64) * 100_000 + table["dst"].to_numpy()
    named = pa.table(
        {
            "minute": table["minute"],
            "source": table["src"].cast(pa.string()),
            "target": table["dst"].cast(pa.string()),
            "attack": attack,
        }
    )
    schema = EntitySchema(time="minute", unit="step", entities={"source": "host", "target": "host"})
    return named, (attack > 0).astype(np.int8), np.where(attack > 0, -attack.astype(np.int64), pair), schema


def split_of(case: Case, seed: int, pool: int, tested: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that may be labelled, and rows that are judged."""
    rng = np.random.default_rng([seed, 5])
    known = np.flatnonzero(case.truth >= 0)
    if case.name != "sffsd":
        names, where = np.unique(case.groups, return_inverse=True)
        first = rng.random(len(names)) < 0.5
        sides = np.flatnonzero(first[where]), np.flatnonzero(~first[where])
        if case.name == "cloudtrail_stratus":
            return sides
        some = [
            rng.choice(side, min(most, len(side)), replace=False)
            for side, most in zip(sides, (pool, tested), strict=True)
        ]
        return np.sort(some[0]), np.sort(some[1])
    cut = int(0.6 * len(known))
    early, late = known[:cut], known[cut:]
    return np.sort(rng.choice(early, pool, replace=False)), np.sort(rng.choice(late, tested, replace=False))


def _runs(table: pa.Table) -> NDArray[Any]:
    """The attack run of each event; of events of none, their minute."""
    runs = np.array([run or "" for run in table["stratus_run"].to_pylist()], object)
    seconds = np.array([moment.timestamp() for moment in table["event_time"].to_pylist()])
    minutes = ((seconds - seconds[0]) // 60).astype(int)
    return np.array([run or f"minute {minute}" for run, minute in zip(runs, minutes, strict=True)])


__all__ = ["LEFT_OUT", "Case", "case_of", "split_of"]
