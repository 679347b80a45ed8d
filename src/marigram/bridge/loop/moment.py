"""The data of a loop at one moment, and what pages ask of them: the cases, and the context of an event."""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.bridge.graphs import graph_of
from marigram.bridge.loop.around import Neighbourhood, neighbourhood
from marigram.bridge.loop.described import described
from marigram.bridge.loop.folder import LoopFolder
from marigram.bridge.loop.labels import Known, resolved
from marigram.bridge.loop.refit import Material, scored
from marigram.bridge.loop.versions import load_version
from marigram.errors import InputError
from marigram.graph.data import Graph


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of the streams, with the loop's context.

    Attributes
    ----------
    number
        Of the case.
    row
        The event that it is about: the one with the highest stream score.
    rows
        How many events it has.
    opened
        ns.
    finding, what, actor, action, entity
        As the streams named it.
    score
        Of the streams.
    suspicion
        Of the version in use, 0 to 1; not calibrated, since few labels cannot tell how often it is right.
    word
        What people said of it; ``""`` for nothing, ``"conflict"`` where they differ.
    """

    number: int
    row: int
    rows: int
    opened: int
    finding: str
    what: str
    actor: str
    action: str
    entity: str
    score: float
    suspicion: float
    word: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop adds to an alert."""

    version: int
    suspicion: float
    rank: int
    """1 for the most suspicious of all events."""
    of: int
    neighbourhood: str
    malicious_around: int
    """Events within two hops and before it that people called malicious."""
    fine_around: int


@final
class Moment:
    """The loop's data at one moment: everything that pages and refits ask of it, made once.

    Parameters
    ----------
    folder
        Of the loop.
    """

    def __init__(self, folder: LoopFolder) -> None:
        held = folder.events()
        if held is None:
            raise InputError(0, f"no events were taken into {folder.path} yet")
        self.folder, (self.table, self.verdicts) = folder, held
        self.schema = folder.schema()
        self.current = folder.current()
        self.model, self.detector = load_version(folder, self.current.version)

    @property
    def event(self) -> str:
        """Node type of the events."""
        return self.schema.event

    @cached_property
    def graph(self) -> Graph:
        """The graph of all events."""
        return graph_of(self.table, self.schema.without_label())

    @cached_property
    def ids(self) -> list[str]:
        """The id of each event; ``#row`` where it has none."""
        told = self.verdicts["id"].tolist()
        return [f"#{row}" if name is None else str(name) for row, name in enumerate(told)]

    @cached_property
    def material(self) -> Material:
        """What a refit looks at."""
        events = described(self.graph, self.event, self.verdicts)
        return Material(events, self.graph, self.event, np.asarray(self.verdicts["score"], float), self.ids)

    @cached_property
    def logits(self) -> NDArray[np.float64]:
        """The score of each event by the version in use; by the streams where there is none."""
        if self.model is None:
            return self.material.scale.prior(self.material.score)
        return scored(self.model, self.detector, self.material)

    @cached_property
    def peaks(self) -> dict[int, int]:
        """Case -> the row with its highest stream score."""
        case, score = self.verdicts["case"], self.verdicts["score"]
        order = np.argsort(score, kind="stable")
        return {int(case[row]): int(row) for row in order if case[row] >= 0}

    @cached_property
    def entities(self) -> dict[str, NDArray[np.int64]]:
        """``type/name`` -> rows of its events."""
        found: dict[str, list[NDArray[Any]]] = {}
        for kind, edges in self.graph.edges.items():
            ids = self.graph.nodes[kind[2]].ids
            order = np.argsort(edges.dst, kind="stable")
            cuts = np.searchsorted(edges.dst[order], np.arange(self.graph.nodes[kind[2]].count + 1))
            for number in range(len(cuts) - 1):
                name = str(number) if ids is None else str(ids[number].as_py())
                rows = edges.src[order[cuts[number] : cuts[number + 1]]]
                found.setdefault(f"{kind[2]}/{name}", []).append(rows)
        return {name: np.unique(np.concatenate(rows)) for name, rows in found.items()}

    def known(self) -> Known:
        """Return what the labels of now say of the events."""
        places = {name: row for row, name in enumerate(self.ids)}
        labels = self.folder.labels.all()
        needed = self.entities if any(label.of == "entity" for label in labels) else {}
        return resolved(labels, places, self.verdicts["case"], self.peaks, needed, self.verdicts["time"])

    def suspicion(self, row: int) -> float:
        """Return the score of an event on the scale from 0 to 1."""
        return float(1 / (1 + np.exp(-np.clip(self.logits[row], -30, 30))))

    def around(self, row: int) -> Neighbourhood:
        """Return the two-hop neighbourhood of an event, as of its time."""
        return neighbourhood(self.graph, self.event, row)

    def cases(self) -> list[Case]:
        """Return all alerts, the most suspicious first."""
        known = self.known()
        word = {
            int(row): ("fine", "malicious")[int(label)]
            for row, label in zip(known.rows, known.labels, strict=True)
        }
        v = self.verdicts
        sizes = np.bincount(v["case"][v["case"] >= 0], minlength=1)
        first: dict[int, int] = {}
        for row, number in enumerate(v["case"].tolist()):
            if number >= 0:
                first.setdefault(number, row)
        found = [
            Case(
                number=number, row=row, rows=int(sizes[number]), opened=int(v["time"][first[number]]),
                finding=str(v["finding"][row]), what=str(v["what"][row]), actor=str(v["actor"][row] or ""),
                action=str(v["action"][row] or ""), entity=str(v["entity"][row] or ""), score=float(v["score"][row]),
                suspicion=self.suspicion(row),
                word="conflict" if f"case {number}" in known.conflicts else word.get(row, ""),
            )
            for number, row in self.peaks.items()
        ]  # fmt: skip
        return sorted(found, key=lambda case: (-case.suspicion, case.number))

    def context(self, row: int) -> Context:
        """Return what the loop knows of an event: its score, and what lies within two hops as of its time."""
        place = self.around(row)
        said = self.known().over(len(self.ids))
        near = [node.number for node in place.nodes if node.kind == self.event and node.hop == 2]
        return Context(
            version=self.current.version,
            suspicion=self.suspicion(row),
            rank=int((self.logits > self.logits[row]).sum()) + 1,
            of=len(self.ids),
            neighbourhood=place.in_words(),
            malicious_around=int((said[near] == 1).sum()),
            fine_around=int((said[near] == 0).sum()),
        )


__all__ = ["Case", "Context", "Moment"]
