"""Projection: the estimate is kept in a ball or a box that is known to hold the truth.

    Proj_ball(theta) = theta min(1, radius/|theta|),        Proj_box(theta)_j = min(max(theta_j, low), high).

Both are nearest points, so a projection never leads away from a truth inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec.structs import force_setattr

from marigram.errors import ParameterError
from marigram.numerics.elementary import larger, smaller
from marigram.numerics.jit import part
from marigram.online._ranges import number_in

FIELDS = [("bounded", "f8"), ("ball", "f8"), ("low", "f8"), ("high", "f8")]
"""Whether anything is projected; radius of the ball, 0 for a box; bounds of the box."""


class Regions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range-checked choice of where the estimate is kept: a ball, a box, or anywhere.

    Parameters
    ----------
    ball
        Radius of a ball around the origin, above 0.
    box
        Least and largest value of every coordinate.
    largest
        What no bound may exceed.
    """

    ball: float | None = None
    box: tuple[float, float] | None = None
    largest: float = 1e300

    def __post_init__(self) -> None:
        if self.ball is not None and self.box is not None:
            raise ParameterError("ball and box are two regions: give one of them")
        if self.ball is not None:
            force_setattr(self, "ball", number_in("ball", self.ball, 0.0, self.largest, above=True))
        if self.box is not None:
            force_setattr(self, "box", _box(self.box, self.largest))

    def settings(self) -> dict[str, float]:
        """The fields a kernel reads."""
        low, high = (-self.largest, self.largest) if self.box is None else self.box
        bounded = float(self.ball is not None or self.box is not None)
        return {"bounded": bounded, "ball": self.ball or 0.0, "low": low, "high": high}

    def inside(self, start: float | None) -> None:
        """Refuse a start of every coordinate that no projection could give."""
        low, high = (-math.inf, math.inf) if self.box is None else self.box
        if self.ball is not None:
            low, high = -self.ball, self.ball
        if start is not None and not low <= start <= high:
            raise ParameterError(f"start must lie in the region [{low:g}, {high:g}], got {start!r}")


def _box(box: object, largest: float) -> tuple[float, float]:
    if not isinstance(box, Sequence | np.ndarray) or isinstance(box, str) or len(box) != 2:
        raise ParameterError(f"box must be (low, high), two numbers for all coordinates, got {box!r}")
    low, high = (number_in(f"box[{i}]", bound, -largest, largest) for i, bound in enumerate(box))
    if not low < high:
        raise ParameterError(f"box must be (low, high) with low < high, got {box!r}")
    return low, high


@part
def project(p, theta):
    """Move theta to the nearest point of the region."""
    if p.ball == 0.0:
        for j in range(theta.shape[0]):
            theta[j] = smaller(larger(theta[j], p.low), p.high)
        return
    most = 0.0
    for j in range(theta.shape[0]):
        most = larger(most, abs(theta[j]))
    if most == 0.0:
        return
    total = 0.0
    for j in range(theta.shape[0]):
        u = theta[j] / most
        total += u * u
    norm = most * math.sqrt(total)
    if norm > p.ball:
        for j in range(theta.shape[0]):
            theta[j] *= p.ball / norm


__all__ = ["FIELDS", "Regions", "project"]
