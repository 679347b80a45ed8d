"""The estimators as subjects of the laws that are not about verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.contracts.streams import Stream
from tests.contracts.subjects import Columns

import marigram as mg


class EstimatorSubject:
    """An estimator of values: what it says of an event is its estimate before it."""

    keys = 1
    timed = False

    def __init__(self, kind: type, d: int = 1, **parameters: Any) -> None:
        self.kind, self.d, self.parameters = kind, d, parameters
        told = ", ".join(f"{name}={value}" for name, value in parameters.items())
        self.name = f"{kind.__name__}({told}) d={d}"

    def fresh(self) -> Any:
        return self.kind(**self.parameters)

    def feed(self, running: Any, stream: Stream) -> Columns:
        return {"value": np.asarray(running.trace(stream.values))}

    def feed_one(self, running: Any, stream: Stream) -> Columns:
        before = np.atleast_1d(running.value)
        if before.shape != (self.d,):
            before = np.full(self.d, before[0])
        running.update(stream.values[0])
        return {"value": before[None, :]}

    def save(self, running: Any) -> bytes:
        data: bytes = running.to_bytes()
        return data

    def load(self, data: bytes) -> Any:
        return self.kind.from_bytes(data)

    def state(self, running: Any) -> dict[str, NDArray[Any]]:
        return {} if running._records is None else {"records": running._records.array}


class RegressionSubject(EstimatorSubject):
    """An estimator of a target, here half the sum of the features, which are the values themselves."""

    def feed(self, running: Any, stream: Stream) -> Columns:
        features, targets = pairs(stream.values)
        if self.kind is mg.ClippedLogistic:
            labels = np.where(np.isfinite(targets), np.sign(targets), np.nan)
            return {"probability": np.asarray(running.trace(features, labels))}
        return {"value": np.asarray(running.trace(features, targets))}

    feed_one = feed


def pairs(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features (n, d) and targets (n,)."""
    features = values.reshape(len(values), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        return features, 0.5 * features.sum(axis=1)
