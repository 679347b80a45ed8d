"""The tests for change as a textbook would write them."""

from __future__ import annotations

import math
from typing import NamedTuple

from marigram.change import level_shift


class Cusum:
    """S <- max(0, S + g), and the number of events since it left zero."""

    def __init__(self) -> None:
        self.value, self.age = 0.0, 0

    def add(self, g: float) -> None:
        if self.value <= 0.0:
            self.age = -1
        self.value = max(0.0, self.value + g)
        self.age += 1


class Shift(NamedTuple):
    """One-sided tests of both sides."""

    up: Cusum
    down: Cusum


def evidence(p: float, smallest: float) -> float:
    """The log of the betting density kappa p^(kappa - 1), p no smaller than ``smallest``."""
    kappa = level_shift.KAPPA
    return math.log(kappa) - (1.0 - kappa) * math.log(max(p, smallest))


def step(shift: Shift, *, above: bool, p: float, smallest: float) -> None:
    """An event speaks for its own side, and against the other as the most ordinary event does."""
    for cusum, own in ((shift.up, above), (shift.down, not above)):
        cusum.add(evidence(p if own else 1.0, smallest))
