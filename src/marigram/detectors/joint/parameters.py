"""The joint detector's parameters: few, range-checked when made, frozen after."""

from __future__ import annotations

import msgspec
import numpy as np

from marigram.errors import ParameterError

SETTINGS = np.dtype([("alpha", "f8"), ("log_alpha", "f8"), ("half_life", "f8"), ("step", "f8")])
MOST_RANK = 64


class JointParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about a joint detector.

    Parameters
    ----------
    alpha
        Promised probability, in [1e-8, 0.1], that a normal event is called an anomaly.
    rank
        Directions of common variation that are learned, in [0, 64]; 0: the coordinates count as uncorrelated.
    half_life
        Events, in [10, 1e6], after which half of what the mean has learned is forgotten; the scales forget in ten
        times as many.
    """

    alpha: float = 1e-3
    rank: int = 0
    half_life: float = 140.0

    def __post_init__(self) -> None:
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, (int, float)):
            raise ParameterError(f"alpha must be a number in [1e-8, 0.1], got {self.alpha!r}")
        if not 1e-8 <= self.alpha <= 0.1:
            raise ParameterError(f"alpha must lie in [1e-8, 0.1], got {self.alpha!r}")
        rank: object = self.rank
        if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank <= MOST_RANK:
            raise ParameterError(f"rank must be a whole number in [0, {MOST_RANK}], got {rank!r}")
        if isinstance(self.half_life, bool) or not isinstance(self.half_life, (int, float)):
            raise ParameterError(f"half_life must be a number in [10, 1e6], got {self.half_life!r}")
        if not 10.0 <= self.half_life <= 1e6:
            raise ParameterError(f"half_life must lie in [10, 1e6], got {self.half_life!r}")

    def settings(self) -> np.ndarray:
        """The compiled kernel's form: one record in an array."""
        row = np.zeros(1, SETTINGS)
        row["alpha"] = self.alpha
        row["log_alpha"] = np.log(self.alpha)
        row["half_life"] = self.half_life
        row["step"] = -np.expm1(-np.log(2.0) / self.half_life)
        return row


__all__ = ["SETTINGS", "JointParameters"]
