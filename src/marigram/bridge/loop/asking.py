"""Which few events to ask a person about next: those whose label would teach most about all others.

    gain(i) = sum over j of cov(i, j)^2 / (var(i) + r),

the fall of the posterior variance of all events (the A-optimal choice of D. Cohn, Z. Ghahramani, M. Jordan, "Active
learning with statistical models", 1996). An event of which there are many like it, and of which nobody has said
anything, comes first; the next choice knows what the one before will have told, so no two ask the same. How suspicious
an event looks has no part in it: what the streams are wrong about lies at both ends of their order, and one answer then
corrects a whole cluster of false alerts, or finds one that the streams take for ordinary (experiments/bridge).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.loop.process import Placed, Process

Doubles = NDArray[np.float64]

POOL = 3000
"""Events that are looked at and over which the gain is summed: more are drawn from at random."""


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
        Rows that are looked at whatever the draw, up to half of what is: the streams' top alerts.
    seed
        Of the draw where there are more than :data:`POOL`.
    """
    rng = np.random.default_rng([seed, len(asked), 17])
    rows = np.arange(len(events)) if among is None else np.asarray(among)
    if len(rows) > POOL:
        kept = np.intersect1d(rows, np.asarray([] if top is None else top, np.int64))
        kept = kept[np.argsort(-logits[kept], kind="stable")][: POOL // 2]
        others = np.setdiff1d(rows, kept)
        rows = np.union1d(rng.choice(others, POOL - len(kept), replace=False), kept)
    rows = rows.astype(np.int64)
    pool = events.take(rows)
    chance = 1 / (1 + np.exp(-np.clip(logits[rows], -30, 30)))
    loadings = model.loadings(pool)
    covariance = pool.kernel(pool, model.settings) - loadings @ loadings.T
    told = most_telling(covariance, ~np.isin(rows, asked), model.settings.noise, count)
    return [
        _question(int(rows[here]), chance[here], variance, reach, gain)
        for here, variance, reach, gain in told
    ]


def most_telling(
    covariance: Doubles, free: NDArray[np.bool_], noise: float, count: int
) -> list[tuple[int, float, float, float]]:
    """Choose events one after another, each knowing what those before it will have told.

    Parameters
    ----------
    covariance
        (n, n) posterior covariance of the events; what the chosen ones will have told is taken from it in place.
    free
        (n,) which may be chosen; the chosen ones are no longer.
    noise
        Variance of a label.
    count
        How many to choose; fewer where fewer are free.

    Returns
    -------
    Of each its row, its variance, how many events it tells of, and its gain.
    """
    found: list[tuple[int, float, float, float]] = []
    for _ in range(min(count, int(free.sum()))):
        variance = np.maximum(np.diag(covariance), 1e-12)
        gain = np.where(free, np.einsum("ij,ij->i", covariance, covariance) / (variance + noise), -1.0)
        here = int(np.argmax(gain))
        told = covariance[here].copy()
        reach = float((np.abs(told) > 0.5 * np.sqrt(variance[here] * variance)).sum())
        found.append((here, float(variance[here]), reach, float(gain[here])))
        free[here] = False
        covariance -= np.outer(told, told / (variance[here] + noise))
    return found


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


__all__ = ["POOL", "Question", "most_telling", "questions"]
