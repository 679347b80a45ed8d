"""The default detector's parameters: few, range-checked when made, frozen after."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from marigram.errors import ParameterError

SETTINGS = np.dtype([("alpha", "f8"), ("log_alpha", "f8"), ("pool", "u1")])


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.Detector`.

    Parameters
    ----------
    alpha
        Promised probability, in [1e-8, 0.1], that a normal event is called an anomaly.
    season
        ``"auto"``: events that carry times get a time-of-day and time-of-week context; ``"off"``: never.
    pool
        Until a key holds 500 residuals of its own, judge it by the tail of all keys of its fleet.  Off by default:
        with it on, keys influence each other.  For events of one number, in one thread.
    """

    alpha: float = 1e-3
    season: Literal["auto", "off"] = "auto"
    pool: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.alpha, bool) or not isinstance(self.alpha, (int, float)):
            raise ParameterError(f"alpha must be a number in [1e-8, 0.1], got {self.alpha!r}")
        if not 1e-8 <= self.alpha <= 0.1:
            raise ParameterError(f"alpha must lie in [1e-8, 0.1], got {self.alpha!r}")
        if self.season not in ("auto", "off"):
            raise ParameterError(f"season must be 'auto' or 'off', got {self.season!r}")
        if not isinstance(self.pool, bool):
            raise ParameterError(f"pool must be true or false, got {self.pool!r}")

    def settings(self) -> np.ndarray:
        """The compiled kernel's form: one record in an array."""
        row = np.zeros(1, SETTINGS)
        row["alpha"] = self.alpha
        row["log_alpha"] = np.log(self.alpha)
        row["pool"] = self.pool
        return row


__all__ = ["SETTINGS", "Parameters"]
