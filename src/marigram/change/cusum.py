"""The default detector's test for a change of level, usable alone.

The detector feeds its CUSUMs (:mod:`marigram.change.level_shift`) with the p-values of its own tail.  Here they come
from sequential ranks (:mod:`marigram.change.ranks`): p = 2 min(r, 1 - r), which are uniform for every law that does
not change.  Each CUSUM then exceeds h once in exp(h) events on average or more rarely.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, final

import msgspec
import numpy as np

from marigram.change import level_shift, scale_shift
from marigram.change.base import State
from marigram.change.level_shift import evidence_cap, level_shift_step
from marigram.change.ranks import START, RankTest, first_values, mark, take
from marigram.numerics.elementary import larger, smaller
from marigram.numerics.jit import kernel
from marigram.online._ranges import integer_in, number_in, one_of, settle
from marigram.online.records import Array

SETTINGS = np.dtype([("threshold", "f8"), ("smallest", "f8"), ("seed", "i8")])
EVIDENCE = np.dtype([*level_shift.FIELDS, *scale_shift.FIELDS])
"""The detector's fields; those of its test for a change of scale stay zero."""


class CusumParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.CusumChangePoint`, checked and frozen."""

    threshold: float = level_shift.THRESHOLD
    anomaly_rate: float = 0.0
    starts: Literal["all", "dyadic"] = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        settle(self, "threshold", 1.0, 100.0)
        number_in("anomaly_rate", self.anomaly_rate, 0.0, 0.5)
        one_of("starts", self.starts, ("all", "dyadic"))
        integer_in("seed", self.seed, 0, 2**31 - 1)


@kernel
def run(settings, heads, warm, counts, evidence, marks, sums, total, X, seqs, start):
    """Learn rows of X from ``start`` on.

    Returns the row that proves a change, n if none does, or -1 - i when the ledger is full before row i.
    """
    p = settings[0]
    n, d = X.shape
    scratch = np.empty(START)
    smallest = evidence_cap(p.smallest)
    for i in range(start, n):
        if first_values(heads, warm, X[i], scratch):
            continue
        if heads[0].used == marks.shape[0]:
            return -1 - i
        mark(heads, marks, sums, total, seqs[i])
        proved = False
        for j in range(d):
            r = take(heads[j], counts[j], total, j, d, X[i, j], seqs[i], p.seed)
            c = evidence[j]
            level_shift_step(c, r > 0.5, 2.0 * smaller(r, 1.0 - r), smallest)
            proved |= larger(c.up, c.down) >= p.threshold
        if proved:
            return i
    return n


@final
class CusumChangePoint(RankTest):
    """The practical test: a large change within a few events, and a false alarm once in exp(threshold)/(2 d) events.

    One-sided CUSUMs of capped log p-values, as in :class:`marigram.Detector`.  It is made for shifts of 4 standard
    deviations and more, which it tells in about eight events; it is slow below 3 and blind below 2, for what matters
    to it is that anomalies in a row are no change.  The bound is on the average time to a false alarm, not on the
    probability of any.  For small shifts :class:`marigram.RankChangePoint` is the better test.

    Parameters
    ----------
    threshold
        Evidence in nats that is called a change, in [1, 100].
    anomaly_rate
        Share of events that are anomalies, in [0, 0.5]: the higher, the less a single event may bring.
    starts
        ``"all"``, or ``"dyadic"`` for bounded memory, which knows a start to an eighth of its age.
    seed
        In [0, 2^31 - 1]; decides ties.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=600)
    >>> x[400:] += 4.0
    >>> [(change.changed_at, change.seq) for change in CusumChangePoint().update_many(x)]
    [(400, 404)]
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = CusumParameters

    def __init__(
        self,
        threshold: float = level_shift.THRESHOLD,
        *,
        anomaly_rate: float = 0.0,
        starts: Literal["all", "dyadic"] = "all",
        seed: int = 0,
    ) -> None:
        super().__init__(CusumParameters(threshold, anomaly_rate, starts, seed))

    def _evidence(self, d: int) -> State:
        return {"evidence": np.zeros(d, EVIDENCE)}

    def _loop(self) -> tuple[Any, Array]:
        row = np.zeros(1, SETTINGS)
        row["threshold"], row["smallest"] = self.parameters.threshold, self.parameters.anomaly_rate
        row["seed"] = self.parameters.seed
        return run, row


__all__ = ["CusumChangePoint", "CusumParameters"]
