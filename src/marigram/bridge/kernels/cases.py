"""From scores to p-values, and from unusual events to the few that people are told of.

The p-value of a score is its place among the scores before: their histogram, and above its 95 % quantile u an
exponential tail whose mean excess b is known from k scores only, so that (predictive law, flat prior on log b)

    P(S >= s) = P(S >= u) (1 + (s - u) / (k b))^(-k).

An event whose p-value is at most alpha opens a case of its actor and action, and of the entity that its finding names;
people are told.  What the same actor does of the same kind while the case is open joins it and is not told again, and
so does what is unusual by the same entity, whoever acts: an address that tries many accounts is one case.  Of a case
the first event is learned and the others are not: leaving out the first too would be to select the norm by itself, and
learning all would make a burst the norm.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from marigram.bridge.kernels.tables import find
from marigram.numerics.jit import kernel, piece

__all__ = ["BINS", "LEARNING", "decide"]

Array = NDArray[Any]
BINS = 2048
WIDTH = 0.25
"""Nats of a bin; the last bin holds all that is beyond."""
LEARNING = 64
"""Events before the first notice."""
TAIL = 0.05
FEWEST = 16.0
MOST = 65536.0
"""Scores remembered; then all counts are halved."""


@piece
def _p_value(bins: Any, top: Any, total: Any, at: Any) -> Any:
    """Probability of a score in bin ``at`` or above; ``top`` is the highest bin that holds anything."""
    above, moment, enough = 0.0, 0.0, max(TAIL * total, FEWEST)
    b = top
    while b >= 0 and above < enough:
        moment += above
        above += bins[b]
        b -= 1
    u = b + 1
    if at <= u or above < FEWEST:
        rank = 0.0
        for k in range(at, top + 1):
            rank += bins[k]
        return (rank + 1.0) / (total + 1.0)
    excess = moment / above + 0.5
    return above / total * (1.0 + (at - u) / (above * excess)) ** -above


@kernel
def decide(
    scores: Array,
    actors: Array,
    actions: Array,
    named: Array,
    times: Array,
    alpha: float,
    quiet: int,
    bins: Array,
    counts: Array,
    keys: Array,
    last: Array,
    numbers: Array,
    p_value: Array,
    notice: Array,
    case: Array,
) -> None:
    """Judge n scores in their order.

    ``actors``, ``actions``: codes from -1, below 2^30; ``named``: key of the entity that a finding names, from 2^62,
    -1 where it is the actor; ``quiet``: a case is over when so long nothing joined it; ``bins`` (BINS,); ``counts``:
    events seen, cases opened; ``keys``, ``last``, ``numbers``: the table of cases, with free cells for 2 n more;
    ``p_value``, ``notice``, ``case``: (n,), written.
    """
    total, top = bins.sum(), BINS - 1
    while top > 0 and bins[top] == 0.0:
        top -= 1
    for i in range(len(scores)):
        at = min(int(scores[i] / WIDTH), BINS - 1)
        p_value[i] = min(_p_value(bins, top, total, at), 1.0) if total > 0.0 else 1.0
        own = ((actors[i] + 1) << 31) | (actions[i] + 1)
        place = find(keys, own)
        if keys[place] >= 0 and times[i] - last[place] <= quiet:
            case[i] = numbers[place]
        elif p_value[i] <= alpha and counts[0] >= LEARNING:
            keys[place] = own
            shared = find(keys, named[i]) if named[i] >= 0 else place
            if shared != place and keys[shared] >= 0 and times[i] - last[shared] <= quiet:
                case[i] = numbers[shared]
            else:
                case[i] = counts[1]
                notice[i] = True
                counts[1] += 1
            numbers[place] = case[i]
            if shared != place:
                keys[shared], numbers[shared], last[shared] = named[i], case[i], times[i]
        if case[i] >= 0:
            last[place] = times[i]
        if case[i] < 0 or notice[i]:
            bins[at] += 1.0
            top = max(top, at)
            total += 1.0
        counts[0] += 1
        if total >= MOST:
            for k in range(BINS):
                bins[k] *= 0.5
            total = bins.sum()
