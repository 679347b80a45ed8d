"""Clipping: what makes an estimator robust is that no event moves it by more than eta * level.

    clip(g, level) = g min(1, level/|g|),     |.| the Euclidean norm over the d coordinates.

The level is fixed, or follows the tau-quantile of the norms (Merad and Gaiffas, TMLR 2024, in a streaming form):

    level <- level exp(gain (tau - 1{|g| <= level})),    gain = .02,

so that about 1 - tau of the events are clipped, in whatever unit the data come.  While few norms are known the
median is sought instead, with a larger gain: a level that begins too high would take long to come down.

The theory's level, twice the diameter of the parameter's range, is about ten times as high as a useful one: with 1 %
of far corruption the error is proportional to the level.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from marigram.numerics.elementary import exp_small, larger, smaller
from marigram.numerics.jit import piece
from marigram.online._ranges import number_in, one_of, settle
from marigram.online.records import CLIP, N

FIELDS = [("clip", "f8"), ("tau", "f8")]
"""Fixed level, infinite for no clipping, 0 for the running quantile; that quantile's tau."""

GAIN = 0.02
EARLY_GAIN = 2.0
"""The gain of the n-th norm is EARLY_GAIN / (n + 2) as long as that is larger than GAIN."""
EARLY = 4.0
"""After this many norms the quantile that is sought has gone half the way from the median to tau."""
SMALLEST, LARGEST = 1e-300, 1e300
"""What a level may be."""


class Clips(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range-checked choice of the clip level.

    Parameters
    ----------
    level
        ``"quantile"``: the running tau-quantile of the gradients' norms; a number in [1e-300, 1e300]: fixed, in the
        unit of the gradient; None: no clipping, which is plain SGD.
    tau
        The quantile, in [0.5, 0.999].
    """

    level: float | Literal["quantile"] | None = "quantile"
    tau: float = 0.95

    def __post_init__(self) -> None:
        if isinstance(self.level, str):
            one_of("clip", self.level, ("quantile",))
        elif self.level is not None:
            force_setattr(self, "level", number_in("clip", self.level, SMALLEST, LARGEST))
        settle(self, "tau", 0.5, 0.999)

    def settings(self) -> dict[str, float]:
        """The fields a kernel reads."""
        if self.level is None:
            return {"clip": math.inf, "tau": self.tau}
        return {"clip": 0.0 if isinstance(self.level, str) else float(self.level), "tau": self.tau}


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
    gain = larger(GAIN, EARLY_GAIN / (n + 2.0))
    level = s[CLIP] * exp_small(gain * (tau - (1.0 if norm <= s[CLIP] else 0.0)))
    s[CLIP] = smaller(larger(level, SMALLEST), LARGEST)


__all__ = ["FIELDS", "Clips", "clip_factor", "clip_learn", "clip_level"]
