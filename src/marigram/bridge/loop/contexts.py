"""Contexts of alerts, asked of one moment of the loop at once, and kept until events, labels or the version change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import numpy as np

from marigram.bridge.loop.context import AlertContext, Near
from marigram.bridge.loop.loop import Loop, Moment

QUESTIONS: Final = 5
"""As many as the queue shows."""


@final
class Contexts:
    """Contexts by the ids of events.

    Parameters
    ----------
    loop
        Which has the events.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._moment: Moment | None = None
        self._labels = (-1, -1)
        self._places: dict[str, int] = {}
        self._said = np.zeros(0, np.int8)
        self._conflicts: frozenset[str] = frozenset()
        self._asked: dict[int, int] = {}

    def of(self, events: Sequence[str]) -> list[AlertContext | None]:
        """Return the context of each event; None of one that the loop has not taken yet."""
        moment = self._now()
        rows = [self._places.get(name) for name in events]
        return [None if row is None else self._context(moment, row) for row in rows]

    def _now(self) -> Moment:
        """The loop's moment, with what was said and asked by then."""
        moment, labels = self._loop.moment(), self._loop.folder.labels.stamp()
        if moment is not self._moment:
            self._places = {name: row for row, name in enumerate(moment.ids)}
        if moment is not self._moment or labels != self._labels:
            known = moment.known()
            self._said = known.over(len(moment.ids))
            self._conflicts = frozenset(known.conflicts)
            self._asked = {
                question.event: place for place, (question, _) in enumerate(self._loop.queue(QUESTIONS), 1)
            }
        self._moment, self._labels = moment, labels
        return moment

    def _context(self, moment: Moment, row: int) -> AlertContext:
        around = moment.around(row)
        near = [node.number for node in around.nodes if node.kind == moment.event and node.hop == 2]
        case = int(moment.verdicts["case"][row])
        differ = self._conflicts & {f"event {moment.ids[row]}", f"case {case}"}
        return AlertContext(
            event=moment.ids[row],
            score=moment.suspicion(row),
            model_version=moment.current.version,
            rank=int((moment.logits > moment.logits[row]).sum()) + 1,
            of=len(moment.ids),
            neighbourhood=around.in_words(),
            entities=tuple(
                Near(node.kind, node.name, around.before.get(place, 0))
                for place, node in enumerate(around.nodes)
                if node.hop == 1
            ),
            malicious_around=int((self._said[near] == 1).sum()),
            fine_around=int((self._said[near] == 0).sum()),
            asked=self._asked.get(row),
            label="conflict" if differ else {1: "malicious", 0: "fine"}.get(int(self._said[row]), ""),
        )


__all__ = ["QUESTIONS", "Contexts"]
