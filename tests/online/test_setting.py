"""The error of the estimators on the article's kind of stream: skewed heavy tails, corruption, drift, both."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.estimators import REGIMES, error, setting

import marigram as mg

SEEDS = range(5)
FLOORS = {"clean": 0.026, "corrupt": 0.022, "drift": 0.055, "both": 0.055}


def median_error(make, regime: str) -> float:
    return float(np.median([error(make(), *setting(seed, regime)) for seed in SEEDS]))


@pytest.mark.parametrize("regime", REGIMES)
def test_the_ensemble_holds_its_floor_in_every_regime(regime: str) -> None:
    assert median_error(lambda: mg.StepEnsemble(mg.ClippedMean, clip="quantile"), regime) <= FLOORS[regime]


def test_clipping_at_a_quantile_is_what_corruption_calls_for() -> None:
    plain = median_error(lambda: mg.ClippedMean(step="power", horizon=20_000, clip=None), "corrupt")
    theory = median_error(lambda: mg.ClippedMean(step="power", horizon=20_000, clip=12.0), "corrupt")
    quantile = median_error(lambda: mg.ClippedMean(step="power", horizon=20_000), "corrupt")
    assert plain > 3 * theory
    assert theory > 5 * quantile


def test_a_step_that_vanishes_loses_a_drift() -> None:
    vanishing = median_error(lambda: mg.ClippedMean(alpha=1.0), "drift")
    kept = median_error(lambda: mg.ClippedMean(step="half-life", half_life=50), "drift")
    assert vanishing > 10 * kept
