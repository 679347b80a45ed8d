"""The level of a stream without choosing a step: clipped SGD at twelve steps, mixed by fixed-share Hedge.

The best step depends on how fast the level drifts, which nobody knows.  Twelve levels run side by side,

    theta_k <- theta_k + eta_k clip(x - theta_k, level),      eta_k = max(2^-k, 1/(t + 1)),   k = 1 … 12,

and what the ensemble says is their weighted mean.  The weights follow their losses before each event is learned
(Herbster and Warmuth, 1998), the loss being Huber's with the clip level as its knee, so that no event decides alone:

    w_k <- ((1 - share) w_k + share/K) exp(-RATE loss_k)/Z,
    loss_k = 1/2 u^2 for u = |x - theta_k|/level <= 1, else u - 1/2.

So the error is that of the best step of each regime, in hindsight, up to terms of order log K.  All levels share one
running clip level, the quantile of the distances from what the ensemble says.

After a jump, the slow levels would come after it slowly, one by one.  When those of less than half the best step have
lost, their weights being next to the share alone, they start again from the ensemble's value with the weight of the
best, and average on from as many events as the best remembers: a restart at a change, which nobody has to find.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.bits import prefetch
from marigram.numerics.elementary import clip, larger, smaller
from marigram.numerics.jit import kernel, part, piece
from marigram.online import clips
from marigram.online.beginning import FIRST, begin, distance
from marigram.online.clips import Clips, clip_factor, clip_learn, clip_level
from marigram.online.estimator import ValueEstimator
from marigram.online.mean import ClippedMean
from marigram.online.records import AHEAD, REJECTED, VALUE, WORD, Array, Field, Floats, Method, N, T, usable

K = 12
STEPS = 2.0 ** -np.arange(1, K + 1)
RATE = 2.0
"""Hedge's learning rate.  Twice the rate at which the loss stays exp-concave up to the knee: at 1/2, weights of
neighbouring steps differ too slowly to matter; beyond 4, they follow the noise."""
SHARE = 0.001
"""Share of weight spread evenly at each event, which keeps every step recoverable."""
LOST = 16.0
"""Slower steps have lost when their mean weight is below this many shares: after some distances of half a level."""
FAR = 1e100
"""Distances are cut here, in units of the level, so that a difference of losses is a number."""

SETTINGS = np.dtype([*clips.FIELDS, ("first", "f8")])


class EnsembleParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.StepEnsemble`, checked and frozen."""

    base: Literal["ClippedMean"] = "ClippedMean"
    clip: Clips = Clips()

    def __post_init__(self) -> None:
        if self.clip.level is None:
            raise ParameterError(
                "clip must be 'quantile' or a number: it is also the unit of the ensemble's losses"
            )

    def settings(self) -> Array:
        """The compiled form."""
        row = np.zeros(1, SETTINGS)
        for name, value in (self.clip.settings() | {"first": FIRST}).items():
            row[name] = value
        return row

    def fields(self, d: int) -> list[Field]:
        """Weights, and the levels, which hold the first values until there are enough."""
        return [("weight", (K,)), ("theta", (K, d))]

    def fresh(self, record: Array) -> None:
        """Nothing is known."""

    def restart(self, records: Array, value: Floats | None, n: int) -> None:
        """All levels at ``value`` with equal weights, or begin anew."""
        if value is not None:
            records["value"] = value
            records["theta"] = value[:, None, :]
            records["weight"] = 1.0 / K
        records["t"] = 0 if value is None else max(n, FIRST)


@piece
def huber(u):
    """1/2 u^2 for 0 <= u <= 1, else u - 1/2."""
    c = smaller(u, 1.0)
    return c * (u - 0.5 * c)


@piece
def fading(y):
    """(1 - y/4)^4 for exp(-y), y limited to [-1, 1]: one event changes a weight at most by the factor 2.5."""
    e = 1.0 - 0.25 * clip(y, 1.0)
    e *= e
    return e * e


@piece
def reweighed(weight, far, inverse, reference):
    """A weight after the share and the loss at this distance, relative to that of the ensemble; not normalised."""
    loss = huber(smaller(far * inverse, FAR)) - reference
    return (weight + SHARE / (1.0 - SHARE) / K) * fading(RATE * loss)


@piece
def total(w):
    """Sum of K numbers, in four parts that run side by side."""
    a = b = c = e = 0.0
    for k in range(0, K, 4):
        a += w[k]
        b += w[k + 1]
        c += w[k + 2]
        e += w[k + 3]
    return (a + b) + (c + e)


@piece
def learn_number(value, weight, theta, x, level, reference, average, work):
    """Learn the number x; in loops over the levels that a machine takes several at a time."""
    inverse = 1.0 / level
    for k in range(weight.shape[0]):
        e = x - theta[k]
        weight[k] = reweighed(weight[k], abs(e), inverse, reference)
        theta[k] += larger(STEPS[k], average) * clip(e, level)
    for k in range(weight.shape[0]):
        work[k] = weight[k] * (theta[k] - theta[0])
    whole = 1.0 / total(weight)
    for k in range(weight.shape[0]):
        weight[k] *= whole
    value[0] = theta[0] + total(work) * whole


@part
def learn_vector(value, weight, theta, x, level, reference, average):
    """Learn the vector x; level by level."""
    d = x.shape[0]
    for k in range(weight.shape[0]):
        own = theta[k * d : (k + 1) * d]
        far = distance(x, own)
        weight[k] = reweighed(weight[k], far, 1.0 / level, reference)
        factor = larger(STEPS[k], average) * clip_factor(level, far)
        for j in range(d):
            own[j] += factor * (x[j] - own[j])
    whole = 1.0 / total(weight)
    for j in range(d):
        value[j] = 0.0
    for k in range(weight.shape[0]):
        weight[k] *= whole
        own = theta[k * d : (k + 1) * d]
        for j in range(d):
            value[j] += weight[k] * (own[j] - theta[j])
    for j in range(d):
        value[j] += theta[j]


@part
def start(s, weight, theta, d):
    """All levels at the estimate, with equal weights."""
    for k in range(weight.shape[0]):
        weight[k] = 1.0 / K
        for j in range(d):
            theta[k * d + j] = s[VALUE + j]


@part
def recover(s, value, weight, theta):
    """Let the levels of less than half the best step start again from the ensemble's value, if they have lost."""
    d = value.shape[0]
    best = 0
    for k in range(1, weight.shape[0]):
        if weight[k] > weight[best]:
            best = k
    slow = 0.0
    for k in range(best + 2, weight.shape[0]):
        slow += weight[k]
    if best + 2 >= K or slow >= (K - best - 2) * (LOST * SHARE / K) or s[T] * STEPS[best] <= 2.0:
        return
    for k in range(best + 1, weight.shape[0]):
        weight[k] = weight[best]
        for j in range(d):
            theta[k * d + j] = value[j]
    whole = 1.0 / total(weight)
    for k in range(weight.shape[0]):
        weight[k] *= whole
    s[T] = larger(float(FIRST), 1.0 / STEPS[best])


@piece
def step(p, s, x, work):
    """Learn x, a vector or a number as a vector of one, into the record s; ``work`` is scratch, (K,)."""
    d = x.shape[0]
    value = s[VALUE : VALUE + d]
    weight = s[VALUE + d : VALUE + d + K]
    theta = s[VALUE + d + K : VALUE + d + K + K * d]
    if s[T] < p.first:
        begin(p, s, x, VALUE + d + K, work)
        if s[T] == p.first:
            start(s, weight, theta, d)
        return
    norm = abs(x[0] - value[0]) if d == 1 else distance(x, value)
    level = clip_level(p, s)
    if level > 0.0:
        reference = huber(smaller(norm * (1.0 / level), FAR))
        average = 1.0 / (s[T] + 1.0)
        if d == 1:
            learn_number(value, weight, theta, x[0], level, reference, average, work)
        else:
            learn_vector(value, weight, theta, x, level, reference, average)
        if weight[K - 1] < LOST * SHARE:
            recover(s, value, weight, theta)
    clip_learn(p, s, norm)
    s[N] += 1.0
    s[T] += 1.0


@kernel
def run(settings, words, slots, X, y, out):  # noqa: ARG001  (all loops are called alike)
    """Learn the rows of X, each into the record of its slot; estimates before each into ``out`` where it has rows."""
    p = settings[0]
    n, d = X.shape
    line = WORD * words.shape[1]
    work = np.empty(K)
    for i in range(n):
        if i + AHEAD < n:
            for ahead in range(0, min(line, 256), 64):
                prefetch(words, slots[i + AHEAD] * line + ahead)
            prefetch(words, slots[i + AHEAD] * line + min(line, 320) - WORD)
        s = words[slots[i]]
        x = X[i]
        if out.shape[0] > 0:
            for j in range(d):
                out[i, j] = s[VALUE + j]
        if usable(x):
            step(p, s, x, work)
        else:
            s[REJECTED] += 1.0


class StepEnsemble(ValueEstimator):
    """The level of a stream without choosing a step: twelve steps at once, weighed by how well each predicts.

    Parameters
    ----------
    base
        What is run at several steps: :class:`marigram.ClippedMean`.
    clip
        Limit of one event's pull, and the unit of the losses: ``"quantile"``, the running ``tau``-quantile of the
        distances; a number in the unit of the data; ``"2G"``, the theory's.
    tau
        Share of the events that are not clipped, in [0.5, 0.999].
    diameter
        G of ``clip="2G"``: how far apart two levels can lie.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> level = np.repeat([0.0, 8.0], 2000)
    >>> ensemble = StepEnsemble(ClippedMean, clip="quantile").update_many(level + rng.normal(size=4000))
    >>> round(ensemble.value)
    8
    >>> ensemble.weights.round(2).tolist()[:2]  # the fastest steps are not trusted in a still stretch
    [0.0, 0.0]
    """

    METHOD: ClassVar[Method] = Method("StepEnsemble", EnsembleParameters, run)
    parameters: EnsembleParameters

    def __init__(
        self,
        base: type[ClippedMean] = ClippedMean,
        clip: float | Literal["quantile", "2G"] = "quantile",
        *,
        tau: float = 0.95,
        diameter: float | None = None,
    ) -> None:
        if base is not ClippedMean:
            raise ParameterError(f"base must be ClippedMean, got {base!r}")
        super().__init__(EnsembleParameters("ClippedMean", Clips(clip, tau, diameter)))

    @property
    def weights(self) -> Floats:
        """Weights of the steps 1/2, 1/4, … 1/4096, (12,), summing to 1; all 0 until five events have come."""
        return np.zeros(K) if self._records is None else self._records.array["weight"][0].copy()


__all__ = ["EnsembleParameters", "StepEnsemble", "run", "step"]
