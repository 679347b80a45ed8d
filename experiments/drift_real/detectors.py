"""The detectors side by side: each gives scores, before it learns a row, and alarms at the nominal rate alpha.

Only ours give p-values.  A peer raises an alarm where its score exceeds the 1 - alpha quantile of its own scores so
far, read every 100 rows: the rule that river's QuantileFilter stands for, made exact.  Peers keep their defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import marigram as mg

Floats = NDArray[np.float64]
Answer = tuple[Floats, NDArray[np.bool_]]
WARM = 250
"""Rows that a peer learns before it is asked; those of PyOD see nothing else."""
REFRESH = 100


def default(X: Floats, alpha: float) -> Answer:
    """``mg.Detector``: an alarm is the verdict ``anomaly``."""
    table = mg.Detector(alpha).update_many(X)
    return _numbers(table["score"]), np.asarray(table["kind"] == mg.Kind.ANOMALY)


def fitness(X: Floats, alpha: float) -> Answer:
    """``mg.Fitness``, Gaussian base."""
    table = mg.Fitness(alpha=alpha).update_many(X)
    return _numbers(table["score"]), np.asarray(table["kind"] == mg.Kind.ANOMALY)


def river(make: Callable[[], Any]) -> Callable[[Floats, float], Answer]:
    """A detector of river."""

    def run(X: Floats, alpha: float) -> Answer:
        model, scores = make(), np.zeros(len(X))
        for i, row in enumerate(X.tolist()):
            event = dict(enumerate(row))
            if i >= WARM:
                scores[i] = model.score_one(event)
            model.learn_one(event)
        return scores, alarms(scores, alpha)

    return run


def half_space_trees() -> Any:
    """River's half-space trees, behind the scaling that they need."""
    from river import anomaly, compose, preprocessing

    return compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(seed=0))


def one_class_svm() -> Any:
    """River's one-class SVM, behind a scaling."""
    from river import anomaly, compose, preprocessing

    return compose.Pipeline(preprocessing.StandardScaler(), anomaly.OneClassSVM())


def pysad(name: str) -> Callable[[Floats, float], Answer]:
    """A detector of pysad, scored before it learns."""

    def run(X: Floats, alpha: float) -> Answer:
        import pysad.models

        np.random.seed(0)  # noqa: NPY002 - pysad draws from the global generator
        model, scores = getattr(pysad.models, name)(), np.zeros(len(X))
        for i, row in enumerate(X):
            if i >= WARM:
                scores[i] = np.ravel(model.score_partial(row))[0]
            model.fit_partial(row)
        return np.nan_to_num(scores), alarms(np.nan_to_num(scores), alpha)

    return run


def pyod(name: str) -> Callable[[Floats, float], Answer]:
    """A detector of PyOD, fitted to the first rows and frozen, as it is meant to be used."""

    def run(X: Floats, alpha: float) -> Answer:
        from pyod.models.ecod import ECOD
        from pyod.models.iforest import IForest

        model = ECOD() if name == "ECOD" else IForest(random_state=0)
        model.fit(X[:WARM])
        scores = np.zeros(len(X))
        scores[WARM:] = model.decision_function(X[WARM:])
        return scores, np.where(
            np.arange(len(X)) < WARM, False, scores > np.quantile(model.decision_scores_, 1.0 - alpha)
        )

    return run


def alarms(scores: Floats, alpha: float) -> NDArray[np.bool_]:
    """Scores above the 1 - alpha quantile of the earlier ones; none in the first REFRESH rows after the warm-up."""
    told = np.zeros(len(scores), bool)
    for start in range(WARM + REFRESH, len(scores), REFRESH):
        bar = np.quantile(scores[WARM:start], 1.0 - alpha)
        told[start : start + REFRESH] = scores[start : start + REFRESH] > bar
    return told


def _numbers(column: Any) -> Floats:
    return np.nan_to_num(np.asarray(column, np.float64))


DETECTORS: dict[str, Callable[[Floats, float], Answer]] = {
    "marigram.Detector": default,
    "marigram.Fitness": fitness,
    "river.HalfSpaceTrees": river(half_space_trees),
    "river.OneClassSVM": river(one_class_svm),
    "pysad.LODA": pysad("LODA"),
    "pysad.ExactStorm": pysad("ExactStorm"),
    "pyod.IForest, frozen": pyod("IForest"),
    "pyod.ECOD, frozen": pyod("ECOD"),
}

__all__ = ["DETECTORS", "alarms"]
