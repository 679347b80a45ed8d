"""Clipping: what makes an estimator robust is that no event moves it by more than eta * level.

    clip(g, level) = g min(1, level/|g|),     |.| the Euclidean norm over the d coordinates.

The level is fixed, or follows the tau-quantile of the norms (Merad and Gaiffas, TMLR 2024, in a streaming form):

    level <- level exp(gain (tau - 1{|g| <= level})),    gain = .02,

so that about 1 - tau of the events are clipped, in whatever unit the data come.  Of norms beyond the level that follow
each other the r-th moves it by the r-th part only, up to BURST of them: a burst of corruption is hardly more evidence
of the usual norm than a single event is.  A longer one is no burst, and the level goes after it.  While few norms are
known the median is sought instead, with a larger gain: a level that begins too high would take long to come down.

The theory's level "2G" is 2 M G, for a range of diameter G and a loss of smoothness M (1 for the mean): no gradient of
the risk is ever clipped.  It is about ten times as high as a useful one: with 1 % of far corruption the error is
proportional to the level.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from marigram.errors import ParameterError
from marigram.numerics.elementary import exp_small, larger, smaller
from marigram.numerics.jit import piece
from marigram.online._ranges import number_in, one_of, settle
from marigram.online.records import BEYOND, CLIP, N

FIELDS = [("clip", "f8"), ("tau", "f8")]
"""Fixed level, infinite for no clipping, 0 for the running quantile; that quantile's tau."""

GAIN = 0.02
EARLY_GAIN = 2.0
"""The gain of the n-th norm is EARLY_GAIN / (n + 2) as long as that is larger than GAIN."""
EARLY = 4.0
"""After this many norms the quantile that is sought has gone half the way from the median to tau."""
BURST = 32.0
"""Norms beyond the level, in a row, that are damped."""
SMALLEST, LARGEST = 1e-300, 1e300
"""What a level may be."""


class Clips(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range-checked choice of the clip level.

    Parameters
    ----------
    level
        ``"quantile"``: the running tau-quantile of the gradients' norms; a number in [1e-300, 1e300]: fixed, in the
        unit of the gradient; ``"2G"``: twice the diameter times the smoothness; None: no clipping, plain SGD.
    tau
        The quantile, in [0.5, 0.999].
    diameter
        G of ``"2G"``, in [1e-100, 1e100]; only read there.
    """

    level: float | Literal["quantile", "2G"] | None = "quantile"
    tau: float = 0.95
    diameter: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.level, str):
            one_of("clip", self.level, ("quantile", "2G"))
        elif self.level is not None:
            force_setattr(self, "level", number_in("clip", self.level, SMALLEST, LARGEST))
        settle(self, "tau", 0.5, 0.999)
        if self.level == "2G":
            if self.diameter is None:
                raise ParameterError("clip='2G' needs a diameter, or a ball whose diameter is taken")
            settle(self, "diameter", 1e-100, 1e100)
        elif self.diameter is not None:
            raise ParameterError(f"diameter= has no meaning for clip={self.level!r}, only for clip='2G'")

    @classmethod
    def of(
        cls,
        level: float | Literal["quantile", "2G"] | None,
        tau: float,
        diameter: float | None,
        ball: float | None,
    ) -> Clips:
        """The choice as a user writes it: the diameter of "2G" is that of the ball, unless given."""
        if level == "2G" and diameter is None and ball is not None:
            diameter = 2.0 * number_in("ball", ball, 0.0, 5e99, above=True)
        return cls(level, tau, diameter)

    @property
    def follows(self) -> bool:
        """Whether the level is a running quantile."""
        return self.level == "quantile"

    def settings(self, smoothness: float = 1.0) -> dict[str, float]:
        """The fields a kernel reads, for a loss of this smoothness."""
        fixed = {None: math.inf, "quantile": 0.0, "2G": 2.0 * smoothness * (self.diameter or 0.0)}
        level = fixed[self.level] if self.level is None or isinstance(self.level, str) else self.level
        return {"clip": level, "tau": self.tau}


@piece
def clip_level(p, s):
    """The level in force: fixed, or what the record has learned (0 after a constant history)."""
    return p.clip if p.clip > 0.0 else s[CLIP]


@piece
def clip_factor(level, norm):
    """min(1, level/norm)."""
    return 1.0 if norm <= level else level / norm


@piece
def clip_learn(p, s, norm):
    """Move a running level by the norm of one gradient.

    The first norm after a constant history sets the level.  It was clipped at 0, so it moved nothing.
    """
    if p.clip > 0.0:
        return
    if s[CLIP] == 0.0:
        s[CLIP] = norm
        return
    n = s[N]
    tau = p.tau - (p.tau - 0.5) * EARLY / (EARLY + n)
    gain = GAIN
    if norm <= s[CLIP]:
        s[BEYOND] = 0.0
        tau -= 1.0
    else:
        s[BEYOND] += 1.0
        if s[BEYOND] <= BURST:
            gain /= s[BEYOND]
    level = s[CLIP] * exp_small(larger(gain, EARLY_GAIN / (n + 2.0)) * tau)
    s[CLIP] = smaller(larger(level, SMALLEST), LARGEST)


__all__ = ["FIELDS", "Clips", "clip_factor", "clip_learn", "clip_level"]
