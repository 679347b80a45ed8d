"""Which few events to ask a person about next: those whose label would teach most about what looks suspicious.

    gain(i) = sum over j of w_j cov(i, j)^2 / (var(i) + r),   w_j = (rank of the score of j)^4,

the fall of the posterior variance of all events, each weighted by how suspicious it is (the A-optimal choice of
D. Cohn, Z. Ghahramani, M. Jordan, "Active learning with statistical models", 1996, weighted). An event of which there
are many like it, that look suspicious and of which nobody has said anything, comes first; the next choice knows what
the one before will have told, so no two ask the same. The stream's top alerts are among the candidates always.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.loop.process import Placed, Process

Doubles = NDArray[np.float64]

CANDIDATES = 400
"""Events that are looked at for each choice: the most suspicious and uncertain ones."""
STEEP = 4
"""How much more the suspicious count: the power of the rank."""
POOL = 3000
"""Events over which the gain is summed: more are drawn from at random."""


_DOUBTS: Final = (
    (0.8, "nothing like it was labelled yet"),
    (0.4, "little is known of its like"),
    (-1.0, "much is known of its like already"),
)


@final
@dataclass(frozen=True)
class Question:
    """One event to ask about.

    Attributes
    ----------
    event
        Its row.
    suspicion
        Its present score, 0 to 1.
    doubt
        Posterior standard deviation, in logits: 1 nothing like it was labelled, 0 it is known.
    reach
        For about how many events its label would tell something.
    gain
        What it is ordered by.
    reason
        In words.
    """

    event: int
    suspicion: float
    doubt: float
    reach: float
    gain: float
    reason: str


def questions(
    model: Process,
    events: Placed,
    logits: Doubles,
    asked: NDArray[Any],
    *,
    count: int = 5,
    among: NDArray[Any] | None = None,
    top: NDArray[Any] | None = None,
    seed: int = 0,
) -> list[Question]:
    """Return the events to ask about next, the most useful first.

    Parameters
    ----------
    model
        What was learned from the labels that are there.
    events
        All n events.
    logits
        (n,) the present score of each.
    asked
        Rows that have a label already.
    count
        How many to return, from 1.
    among
        Rows that may be asked about; None: all.
    top
        Rows that are candidates whatever is thought of them: the streams' top alerts.
    seed
        Of the draw where there are more than :data:`POOL`.
    """
    rng = np.random.default_rng([seed, len(asked), 17])
    rows = np.arange(len(events)) if among is None else np.asarray(among)
    kept = np.asarray([] if top is None else top, np.int64)
    if len(rows) > POOL:
        rows = np.union1d(rng.choice(rows, POOL, replace=False), np.intersect1d(rows, kept))
    rows = rows.astype(np.int64)
    pool = events.take(rows)
    chance = 1 / (1 + np.exp(-np.clip(logits[rows], -30, 30)))
    weight = _ranks(logits[rows]) ** STEEP
    loadings = model.loadings(pool)
    free = ~np.isin(rows, asked)
    found: list[Question] = []
    for _ in range(min(count, int(free.sum()))):
        variance = np.maximum(1 - (loadings * loadings).sum(1), 1e-12)
        merit = np.where(free, weight * variance, -1.0)
        likely = np.argsort(-merit, kind="stable")[:CANDIDATES]
        some = np.union1d(likely, np.flatnonzero(np.isin(rows, kept)))
        some = some[free[some]]
        joint = pool.take(some).kernel(pool, model.settings) - loadings[some] @ loadings.T
        gain = (joint * joint) @ weight / (variance[some] + model.settings.noise)
        best = int(np.argmax(gain))
        here, row = int(some[best]), joint[best]
        reach = float((np.abs(row) > 0.5 * np.sqrt(variance[here] * variance)).sum())
        found.append(_question(int(rows[here]), chance[here], variance[here], reach, gain[best]))
        free[here] = False
        loadings = np.column_stack([loadings, row / np.sqrt(variance[here] + model.settings.noise)])
    return found


def _ranks(values: Doubles) -> Doubles:
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray((order + 0.5) / max(len(values), 1))


def _question(event: int, chance: float, variance: float, reach: float, gain: float) -> Question:
    doubt = float(np.sqrt(variance))
    known = (
        "nothing like it was labelled yet"
        if doubt > 0.8
        else "little is known of its like"
        if doubt > 0.4
        else "what is known of its like disagrees"
    )
    many = f"its label tells of about {reach:,.0f} events" if reach > 1 else "it is one of a kind"
    return Question(
        event, float(chance), doubt, reach, float(gain), f"suspicion {chance:.0%}; {known}; {many}"
    )


__all__ = ["CANDIDATES", "POOL", "STEEP", "Question", "questions"]
