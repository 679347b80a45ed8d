"""Multivariate stream detectors of river and pysad, each scoring an event before it learns it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import marigram as mg

Floats = NDArray[np.float64]
WINDOW = 250


def joint(rank: int) -> Callable[[Floats, int], Floats]:
    """Distances of the joint detector."""

    def score(x: Floats, seed: int) -> Floats:  # noqa: ARG001  (it has no randomness)
        return np.asarray(mg.Detector(joint=True, rank=rank, half_life=1000.0).update_many(x)["value"])

    return score


def coordinates(x: Floats, seed: int) -> Floats:  # noqa: ARG001  (as above)
    """Scores of the default detector, which takes the largest coordinate."""
    return np.asarray(mg.Detector().update_many(x)["score"])


def river_trees(x: Floats, seed: int) -> Floats:
    """river's half-space trees, behind its running scaling to [0, 1]."""
    from river import anomaly, preprocessing

    scaler = preprocessing.MinMaxScaler()
    trees = anomaly.HalfSpaceTrees(seed=seed, window_size=WINDOW)
    scores = np.zeros(len(x))
    for i, row in enumerate(x):
        named = dict(enumerate(row.tolist()))
        scaler.learn_one(named)
        scaled = scaler.transform_one(named)
        scores[i] = trees.score_one(scaled)
        trees.learn_one(scaled)
    return scores


def pysad_model(name: str) -> Callable[[Floats, int], Floats]:
    """A model of pysad, scoring first (its own ``fit_score_partial`` learns first)."""

    def score(x: Floats, seed: int) -> Floats:
        from pysad import models

        low, high = x[:WINDOW].min(axis=0), x[:WINDOW].max(axis=0)
        span = np.where(high > low, high - low, 1.0)
        scaled = (x - low) / span
        np.random.seed(seed)  # noqa: NPY002  (pysad draws from NumPy's global generator)
        if name == "HalfSpaceTrees":
            model = models.HalfSpaceTrees(
                feature_mins=np.zeros(x.shape[1]), feature_maxes=np.ones(x.shape[1]), window_size=WINDOW
            )
        else:
            model = getattr(models, name)()
        scores = np.zeros(len(x))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for i, row in enumerate(scaled):
                scores[i] = float(np.ravel(model.score_partial(row))[0]) if i else 0.0
                model.fit_partial(row)
        return np.nan_to_num(scores, posinf=1e300)

    return score


OURS = {"joint": joint(0), "joint, rank 8": joint(8), "default detector": coordinates}
PEERS = {
    "river HalfSpaceTrees": river_trees,
    "pysad HalfSpaceTrees": pysad_model("HalfSpaceTrees"),
    "pysad LODA": pysad_model("LODA"),
    "pysad xStream": pysad_model("xStream"),
}
__all__ = ["OURS", "PEERS", "Floats"]
