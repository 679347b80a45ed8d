"""Every estimator in several settings, behind one face, for the laws that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import marigram as mg
from marigram.online.estimator import TargetEstimator


class Subject(NamedTuple):
    """An estimator of d coordinates; one that learns from targets gets them as an extra last column."""

    name: str
    make: Callable[[], Any]
    d: int
    unit: str = "quantile"
    """What its clip level is in: "quantile" follows the data, "fixed" does not."""

    @property
    def targets(self) -> bool:
        return isinstance(self.make(), TargetEstimator)

    @property
    def width(self) -> int:
        return self.d + self.targets

    def split(self, events: np.ndarray) -> tuple[np.ndarray, ...]:
        """Events (n, width) as arguments: (n,) or (n, d), and (n,) targets where there are any."""
        if self.targets:
            y = events[:, -1]
            if isinstance(self.make(), mg.ClippedLogistic):
                y = np.where(np.abs(y) <= 1e100, np.where(y > 0.0, 1.0, -1.0), np.nan)
            return events[:, :-1], y
        return (events[:, 0] if self.d == 1 else events,)

    def trace(self, running: Any, events: np.ndarray) -> np.ndarray:
        return running.trace(*self.split(events))

    def learn(self, running: Any, events: np.ndarray) -> None:
        running.update_many(*self.split(events))

    def load(self, data: bytes) -> Any:
        return type(self.make()).from_bytes(data)


def subject(name: str, kind: type, d: int, unit: str = "quantile", **options: Any) -> Subject:
    return Subject(f"{name} d={d}", lambda: kind(**options), d, unit)


SUBJECTS = [
    *(subject("mean", mg.ClippedMean, d) for d in (1, 6)),
    subject("mean half-life", mg.ClippedMean, 1, step="half-life", half_life=40),
    subject("mean textbook", mg.ClippedMean, 6, "fixed", step=0.1, clip=2.0, start=0.0),
    subject("mean plain", mg.ClippedMean, 1, clip=None),
    subject("mean doubling in a box", mg.ClippedMean, 6, "fixed", step="doubling", box=(-2.0, 1.5)),
    subject("mean 2G", mg.ClippedMean, 1, "fixed", step="power", horizon=300, clip="2G", ball=4.0),
    *(subject("scale", mg.ClippedScale, d) for d in (1, 6)),
    subject("scale in a box", mg.ClippedScale, 6, "fixed", box=(0.1, 4.0)),
    subject("scale centred", mg.ClippedScale, 1, centre=0.0, step="anytime"),
    *(subject("ensemble", mg.StepEnsemble, d) for d in (1, 6)),
    subject("ensemble fixed clip", mg.StepEnsemble, 6, "fixed", clip=3.0),
    *(subject("linear", mg.ClippedLinear, d) for d in (1, 6)),
    subject("linear ridge", mg.ClippedLinear, 6, "fixed", mu=0.5, ball=3.0, clip=1.0),
    subject("linear textbook", mg.ClippedLinear, 1, "fixed", smoothness=4.0, clip=1.0, step=0.2),
    *(subject("logistic", mg.ClippedLogistic, d) for d in (1, 6)),
    subject("logistic ridge", mg.ClippedLogistic, 6, "fixed", mu=0.5, box=(-1.0, 1.0), clip=1.0),
    subject(
        "logistic 2G", mg.ClippedLogistic, 1, "fixed", smoothness=4.0, clip="2G", ball=3.0, step="doubling"
    ),
]

every = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.name)
