"""What a user may choose about :class:`marigram.Fitness`, checked and frozen; the radius that theory gives."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import force_setattr

from marigram.errors import ParameterError
from marigram.online._ranges import integer_in, number_in, one_of

SETTINGS = np.dtype(
    [("alpha", "f8"), ("log_alpha", "f8"), ("radius", "f8"), ("k", "i8"), ("k_min", "i8"), ("scaled", "u1")]
)
MISSED = 0.05
"""Probability that the radius of theory leaves any sample of the window's regime out."""
ORIENTATIONS = ("auto", "abnormal", "normal")


class FitnessParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of :class:`marigram.Fitness`, which tells their meaning."""

    window: int = 200
    radius: float | None = None
    k: int | None = None
    k_min: int = 3
    alpha: float = 1e-3
    scale: list[float] | float | None = None
    orientation: str = "auto"
    refresh: float = 0.1

    def __post_init__(self) -> None:
        integer_in("window", self.window, 8, 10_000_000)
        integer_in("k_min", self.k_min, 1, self.window // 2)
        if self.k is not None:
            integer_in("k", self.k, self.k_min, self.window)
        if self.radius is not None:
            force_setattr(self, "radius", number_in("radius", self.radius, 0.0, 1e150, above=True))
        for name, low, high in (("alpha", 1e-8, 0.1), ("refresh", 0.0, 1.0)):
            force_setattr(self, name, number_in(name, getattr(self, name), low, high))
        if isinstance(self.scale, list):
            checked = [number_in("scale", s, 0.0, 1e150, above=True) for s in self.scale]
            if not checked:
                raise ParameterError("scale must name one number for each coordinate, got none")
            force_setattr(self, "scale", checked)
        elif self.scale is not None:
            force_setattr(self, "scale", number_in("scale", self.scale, 0.0, 1e150, above=True))
        one_of("orientation", self.orientation, ORIENTATIONS)

    def settings(self, d: int) -> np.ndarray[Any, Any]:
        """The compiled form for events of d coordinates: one record in an array."""
        row = np.zeros(1, SETTINGS)
        radius = self.radius
        if radius is None:
            radius = theory_radius(d, self.window) if self.k is None else math.inf
        row["alpha"], row["log_alpha"] = self.alpha, math.log(self.alpha)
        row["radius"], row["k"], row["k_min"] = radius, self.k or 0, self.k_min
        row["scaled"] = self.scale is None
        return row

    def scales(self, d: int) -> np.ndarray[Any, Any]:
        """The scale (d,) to begin with."""
        if isinstance(self.scale, list) and len(self.scale) != d:
            raise ParameterError(f"scale has {len(self.scale)} numbers, events have {d} coordinates")
        return np.array(np.broadcast_to(1.0 if self.scale is None else self.scale, (d,)), np.float64)


def theory_radius(d: int, window: int, missed: float = MISSED) -> float:
    """r = sqrt(2) (sqrt(d) + sqrt(2 ln(W/delta))), in units of the noise's scale.

    Two samples of one regime differ by a Gaussian vector of covariance 2 I, so that with probability at least
    1 - delta all of the window's samples of x's own regime lie within r of x: the choice among them is then no
    choice, and their mean is not drawn towards x.

    Examples
    --------
    >>> round(theory_radius(5, 200), 2)
    8.92
    """
    return math.sqrt(2.0) * (math.sqrt(d) + math.sqrt(2.0 * math.log(window / missed)))


__all__ = ["FitnessParameters", "theory_radius"]
