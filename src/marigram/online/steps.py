"""Step sizes: how fast an estimator follows, and how much noise it carries for that.

With t the events learned since the last restart,

    constant     eta_t = rate                                a fixed memory of about 1/rate events
    power        eta_t = T^-alpha                            the same, chosen by the number T of events to come
    anytime      eta_t = (t + 1)^-alpha                      T need not be known; the step vanishes in the end
    doubling     eta_t = 2^(-i alpha), 2^i <= t + 1 < 2^(i+1)  power steps in epochs of doubling length, T unknown
    half-life    eta_t = max((t + 1)^-alpha, 1 - 2^(-1/h))   averages at first, later forgets half in h events

alpha = 2/3 balances noise against drift when nothing is known of either (the noise costs T^(1 - alpha/2), the drift
T^alpha).  A step that vanishes cannot follow a drift that goes on: in production use a half-life, or the ensemble.

An estimator that begins from its own first events, not from a value it was given, averages until the named step is
the larger one: eta_t = max(1/(t + 1), named).
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.bits import bits_of, float_of
from marigram.numerics.elementary import larger
from marigram.numerics.jit import piece
from marigram.online._ranges import integer_in, number_in, one_of, settle

Kind = Literal["constant", "power", "anytime", "doubling", "half-life"]

USED = {
    "constant": ("rate",),
    "power": ("horizon", "alpha"),
    "anytime": ("alpha",),
    "doubling": ("alpha",),
    "half-life": ("half_life", "alpha"),
}
"""The settings that each kind of step reads; any other is refused, not ignored."""
DEFAULT_ALPHA = {"power": 2 / 3, "anytime": 2 / 3, "doubling": 2 / 3, "half-life": 1.0}

FIELDS = [("floor", "f8"), ("alpha", "f8"), ("settled", "f8"), ("epochs", "f8")]
"""Smallest step; exponent of the decay; events after which the floor is reached, 0 for a step that never decays;
whether the step stays the same within an epoch of doubling length."""
EXPONENT = np.int64(0x7FF0000000000000)


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range-checked choice of step sizes.

    Parameters
    ----------
    kind
        ``"constant"``, ``"power"``, ``"anytime"``, ``"doubling"`` or ``"half-life"``.
    rate
        The constant step, in (0, 1].
    alpha
        Exponent of the decay, in (0, 1]; by default 2/3, and 1 (a plain average) before a half-life.
    horizon
        T of ``"power"``, an integer from 1.
    half_life
        Events after which half of a value's weight is gone, in [0.5, 1e12].
    """

    kind: Kind = "anytime"
    rate: float | None = None
    alpha: float | None = None
    horizon: int | None = None
    half_life: float | None = None

    def __post_init__(self) -> None:
        one_of("step", self.kind, tuple(USED))
        used = USED[self.kind]
        for name in ("rate", "alpha", "horizon", "half_life"):
            if getattr(self, name) is not None and name not in used:
                raise ParameterError(
                    f"{name}= has no meaning for step={self.kind!r}, which reads {', '.join(used)}"
                )
        if self.kind == "constant":
            settle(self, "rate", 0.0, 1.0, above=True)
        if self.kind == "power":
            integer_in("horizon", self.horizon, 1, 10**15)
        if self.kind == "half-life":
            settle(self, "half_life", 0.5, 1e12)
        if self.alpha is not None:
            settle(self, "alpha", 0.0, 1.0, above=True)

    @classmethod
    def of(
        cls,
        step: str | float,
        rate: float | None = None,
        alpha: float | None = None,
        horizon: int | None = None,
        half_life: float | None = None,
    ) -> Steps:
        """The choice as a user writes it: a number is a constant step, a word its kind."""
        if not isinstance(step, str):
            if rate is not None:
                raise ParameterError(f"the constant step is given twice: step={step!r} and rate={rate!r}")
            return cls("constant", number_in("step", step, 0.0, 1.0, above=True), alpha, horizon, half_life)
        return cls(step, rate, alpha, horizon, half_life)  # type: ignore[arg-type]  # checked in __post_init__

    def settings(self, averaging: bool) -> dict[str, float]:
        """The fields a kernel reads; ``averaging``: begin with 1/(t + 1) where the named step is smaller."""
        alpha = DEFAULT_ALPHA.get(self.kind, 1.0) if self.alpha is None else self.alpha
        if self.kind in {"anytime", "doubling"}:
            epochs = float(self.kind == "doubling")
            return {"floor": 0.0, "alpha": alpha, "settled": math.inf, "epochs": epochs}
        if self.kind == "half-life":
            floor = -math.expm1(-math.log(2.0) / (self.half_life or 1.0))
            return {"floor": floor, "alpha": alpha, "settled": floor ** (-1.0 / alpha), "epochs": 0.0}
        floor = float(self.rate or 0.0) if self.kind == "constant" else float(self.horizon or 1) ** -alpha
        return {"floor": floor, "alpha": 1.0, "settled": 1.0 / floor if averaging else 0.0, "epochs": 0.0}


@piece
def step_size(p, t):
    """eta_t."""
    if t >= p.settled:
        return p.floor
    count = t + 1.0
    if p.epochs > 0.0:
        count = float_of(bits_of(count) & EXPONENT)
    decayed = 1.0 / count if p.alpha == 1.0 else count**-p.alpha
    return larger(p.floor, decayed)


__all__ = ["FIELDS", "Steps", "step_size"]
