"""The spliced binned-Pareto law as an object; its equations and its loop are in :mod:`marigram.thresholds.splice`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram.errors import ParameterError
from marigram.online._ranges import integer_in, one_of, settle
from marigram.online.records import as_values
from marigram.thresholds import splice
from marigram.thresholds.base import Array, Counted, Floats, as_scores, read_only, taken

SIDES = {"both": splice.BOTH, "upper": splice.UPPER, "lower": splice.LOWER}
CDF, SF, LOG_DENSITY, ICDF, ISF = range(5)


class SplicedParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.SplicedBinnedPareto`, checked and frozen."""

    tail: float = 0.05
    half_life: float = 2000.0
    side: Literal["both", "upper", "lower"] = "both"
    bins: int = 100
    warm_up: int = 200
    memory: int = 500

    def __post_init__(self) -> None:
        settle(self, "tail", 0.005, 0.25)
        settle(self, "half_life", 20.0, 1e12)
        one_of("side", self.side, tuple(SIDES))
        integer_in("bins", self.bins, 8, 10_000)
        integer_in("warm_up", self.warm_up, 20, 1_000_000)
        integer_in("memory", self.memory, 20, 1_000_000)


class SplicedBinnedPareto(Counted[SplicedParameters]):
    """How probable a score is that lies as far out: any shape in the middle, power laws beyond, learned as it goes.

    Parameters
    ----------
    tail
        q, the mass of each tail, in [0.005, 0.25].
    half_life
        Events in which half of the past is forgotten, in [20, 1e12]; until then all count alike.
    side
        Where scores are unusual: ``"both"``: p = min(1, 2 min(F, 1 - F)); ``"upper"``: 1 - F; ``"lower"``: F.
    bins
        Number of bins of the middle, in [8, 10000].
    warm_up
        First scores, at least 20, from which the bins are laid out; as many of the last, when they are laid out anew.
    memory
        Scores beyond each threshold that its tail is fitted to, at least 20.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> law = SplicedBinnedPareto()
    >>> p = law.update_many(np.random.default_rng(0).normal(size=20_000))
    >>> bool(law.update(6.0) < 1e-5), round(float(law.cdf(0.0)), 1)
    (True, 0.5)
    >>> bool(abs(law.cdf(law.icdf(0.999)) - 0.999) < 1e-9)
    True
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = SplicedParameters

    def __init__(
        self,
        tail: float = 0.05,
        half_life: float = 2000.0,
        *,
        side: Literal["both", "upper", "lower"] = "both",
        bins: int = 100,
        warm_up: int = 200,
        memory: int = 500,
    ) -> None:
        self._begin(SplicedParameters(tail, half_life, side, bins, warm_up, memory))

    def __repr__(self) -> str:
        return f"<SplicedBinnedPareto: n={self.n}, tails beyond {self.thresholds}>"

    @property
    def ready(self) -> bool:
        """Whether there is a law: after ``warm_up`` scores."""
        return self.n >= int(self.parameters.warm_up)

    @property
    def thresholds(self) -> tuple[float, float]:
        """(a, b), where the tails begin; NaN before there is a law."""
        s = self._states[0]
        return (float(s["a"]), float(s["b"])) if self.ready else (np.nan, np.nan)

    @property
    def tails(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(xi, beta) of the lower and of the upper tail."""
        s = self._states[0]
        return (float(s["xi_low"]), float(s["beta_low"])), (float(s["xi_high"]), float(s["beta_high"]))

    def update(self, score: float) -> float:
        """The probability of a score as far out as this one; then it is learned.  NaN while there is no law."""
        values = as_values(score)
        if values.ndim:
            raise ParameterError(f"one score is a number, got an array of shape {values.shape}")
        return float(self.update_many(values.reshape(1))[0])

    def update_many(self, scores: ArrayLike) -> Floats:
        """The same for n scores in their order: (n,) probabilities, NaN for a score that is not finite, too."""
        values = as_scores(scores)
        out = np.empty(len(values))
        splice.run(
            self._settings, self._states, self._recent, self._counts, self._cumulative, self._lows, self._highs,
            values, out,
        )  # fmt: skip
        return out

    def cdf(self, x: ArrayLike) -> Any:
        """F(x), shaped like x; NaN while there is no law."""
        return self._evaluate(CDF, x)

    def sf(self, x: ArrayLike) -> Any:
        """1 - F(x), exact in the upper tail."""
        return self._evaluate(SF, x)

    def log_density(self, x: ArrayLike) -> Any:
        """log f(x), f per unit of x, in the middle as in the tails."""
        return self._evaluate(LOG_DENSITY, x)

    def icdf(self, share: ArrayLike) -> Any:
        """x with F(x) = share; the end of the law, or an infinity, at 0 and 1; NaN outside [0, 1]."""
        return self._evaluate(ICDF, share)

    def isf(self, share: ArrayLike) -> Any:
        """x with 1 - F(x) = share: the threshold that is passed with that probability, however small."""
        return self._evaluate(ISF, share)

    def _evaluate(self, what: int, x: ArrayLike) -> Any:
        values = as_values(x)
        out = np.full(values.size, np.nan)
        if self.ready:
            splice.evaluate(
                self._settings, self._states, self._cumulative, what, read_only(values.ravel()), out
            )
        return float(out[0]) if values.ndim == 0 else out.reshape(values.shape)

    def _begin(self, parameters: SplicedParameters) -> None:
        super().__init__(parameters)
        forget = 1.0 - 0.5 ** (1.0 / parameters.half_life)
        row = (parameters.tail, forget, parameters.warm_up, SIDES[parameters.side])
        self._settings = np.array([row], splice.SETTINGS)
        self._states = np.zeros(1, splice.STATE)
        self._recent: Floats = np.zeros(parameters.warm_up)
        self._counts: Floats = np.zeros(parameters.bins)
        self._cumulative: Floats = np.zeros(parameters.bins + 1)
        self._lows: Floats = np.zeros(parameters.memory)
        self._highs: Floats = np.zeros(parameters.memory)

    def _arrays(self) -> dict[str, Array]:
        return {name: getattr(self, f"_{name}") for name in _STATE}

    def _restore(self, arrays: Mapping[str, Any]) -> None:
        for name in _STATE:
            setattr(self, f"_{name}", taken(arrays, name, getattr(self, f"_{name}")))


_STATE = ("states", "recent", "counts", "cumulative", "lows", "highs")

__all__ = ["SplicedBinnedPareto", "SplicedParameters"]
