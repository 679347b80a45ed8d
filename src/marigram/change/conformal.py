"""A change of level whatever the law: bets on sequential ranks.

The ranks r_t of :mod:`marigram.change.ranks` are independent and uniform while nothing changes, so for every l

    e_t(l) = l exp(l r_t) / (exp(l) - 1)

has mean 1; a level that rose shows in large ranks, for which l > 0 bets.  A mixture over l and over starts,

    M_t(l) = (M_{t-1}(l) + w_t/#l) e_t(l),      E_t = sum_l M_t(l) + 1 - sum_{s<=t} w_s,      sum_s w_s <= 1,

is a nonnegative martingale from 1, which exceeds 1/delta at any time with probability at most delta (Ville).  To first
order this is Wilcoxon's test: .95 of the evidence of the mean under Gaussian noise, 1.5 under Laplace noise, 1.9 under
t(3).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, final

import msgspec
import numpy as np

from marigram.change.base import State
from marigram.change.catoni import SPREAD
from marigram.change.ranks import START, RankTest, first_values, mark, take
from marigram.numerics.jit import kernel, part
from marigram.online._ranges import integer_in, one_of, settle
from marigram.online.records import Array

BETS = 0.4 * np.sqrt(2.0) ** np.arange(11)
"""|l|: of a Gaussian shift of D standard deviations the best is about 3.4 D."""
SETTINGS = np.dtype([("threshold", "f8"), ("seed", "i8")])


class RankParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.RankChangePoint`, checked and frozen."""

    delta: float = 0.05
    starts: Literal["all", "dyadic"] = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        settle(self, "delta", 1e-12, 0.5)
        one_of("starts", self.starts, ("all", "dyadic"))
        integer_in("seed", self.seed, 0, 2**31 - 1)


@part
def bet(moved, left, r, add):
    """Bet on a rank at every l; returns E."""
    total = left
    for i in range(BETS.shape[0]):
        scale = BETS[i] / (1.0 - math.exp(-BETS[i]))
        up, down = scale * math.exp(BETS[i] * (r - 1.0)), scale * math.exp(-BETS[i] * r)
        moved[2 * i] = (moved[2 * i] + add) * up
        moved[2 * i + 1] = (moved[2 * i + 1] + add) * down
        total += moved[2 * i] + moved[2 * i + 1]
    return total


@kernel
def run(settings, heads, warm, counts, left, moved, marks, sums, total, X, seqs, start):
    """Learn rows of X from ``start`` on.

    Returns the row that proves a change, n if none does, or -1 - i when the ledger is full before row i.
    """
    p = settings[0]
    n, d = X.shape
    scratch = np.empty(START)
    for i in range(start, n):
        if first_values(heads, warm, X[i], scratch):
            continue
        if heads[0].used == marks.shape[0]:
            return -1 - i
        mark(heads, marks, sums, total, seqs[i])
        s = heads[0].t - START + 1.0 + SPREAD
        weight = math.log(SPREAD) / (s * math.log(s) ** 2)
        left[0] -= weight
        proved = False
        for j in range(d):
            r = take(heads[j], counts[j], total, j, d, X[i, j], seqs[i], p.seed)
            proved |= bet(moved[j], left[0], r, weight / moved.shape[1]) >= p.threshold
        if proved:
            return i
    return n


@final
class RankChangePoint(RankTest):
    """A change of level with a proved bound on false alarms for every law: no variance, no mean, no moments.

    While events are independent with one common law, whatever it is, a change is told with probability at most
    ``delta``, ever.  It looks at ranks, so no event counts for more than its place among the others, and what it
    finds is that the typical value moved: a change of the spread alone is found late, and is a change as well.

    Parameters
    ----------
    delta
        Probability of a false alarm, in [1e-12, 0.5].  With d coordinates each gets delta / d.
    starts
        ``"all"``, or ``"dyadic"`` for bounded memory, which knows a start to an eighth of its age.
    seed
        In [0, 2^31 - 1]; decides ties.  The same seed gives the same answers.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Notes
    -----
    Equations and proof: :mod:`marigram.change.conformal`.  Levels are means of values clipped at 12 units from the
    first median.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_cauchy(600)
    >>> x[400:] += 2.0
    >>> [(change.changed_at, change.seq) for change in RankChangePoint().update_many(x)]
    [(400, 443)]
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = RankParameters

    def __init__(
        self, delta: float = 0.05, *, starts: Literal["all", "dyadic"] = "all", seed: int = 0
    ) -> None:
        super().__init__(RankParameters(delta, starts, seed))

    def _evidence(self, d: int) -> State:
        return {"left": np.ones(1), "moved": np.zeros((d, 2 * len(BETS)))}

    def _loop(self) -> tuple[Any, Array]:
        row = np.zeros(1, SETTINGS)
        row["threshold"] = self._d / self.parameters.delta
        row["seed"] = self.parameters.seed
        return run, row


__all__ = ["RankChangePoint", "RankParameters"]
