"""The default: gradient-boosted trees and two kinds of random forest on hop features, averaged on the scale of logits.

Boosting finds what interacts, forests hold out against few labels and noise; their errors differ, so the mean is
better than either. Boosting stops where the average precision on validation is best.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.detectors.forest import Forest
from marigram.graph.detectors.growing import Binned, grow_forest

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

EDGE = 1e-4
"""Shares of a forest are held within this of 0 and 1: no finite number of trees is certain."""
ENOUGH = 20_000
"""Training rows up to which the settings hold; beyond, models get fewer in proportion."""
FEWEST = 10
"""Rounds of boosting that are always used: with few anomalies the first rounds look best by luck."""


@final
@dataclass(frozen=True, kw_only=True)
class TreeSettings:
    """How the trees grow; checked when it is made.

    Parameters
    ----------
    rounds
        Of boosting at most, from 1.
    patience
        Rounds without a better validation after which boosting stops, from 1.
    rate
        Of boosting, above 0 to 1.
    boosters
        Boosted models from different seeds, averaged, from 1.
    forest
        Trees of each forest, from 1.
    leaf
        Fewest rows in a leaf of a forest, from 1.
    balance
        Weight of an anomaly: (normal / anomalous)^balance, 0 to 1.
    threads
        Models and trees that grow side by side, from 1; the result does not depend on it. Each has one thread: those
        of LightGBM wait by spinning, and where cores are shared were slower.
    seed
        Of everything random.
    """

    rounds: int = 600
    patience: int = 60
    rate: float = 0.04
    boosters: int = 3
    forest: int = 250
    leaf: int = 3
    balance: float = 0.25
    threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "patience", "boosters", "forest", "leaf", "threads"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ParameterError(f"{name} must be an integer of at least 1, got {getattr(self, name)!r}")
        if not 0 < self.rate <= 1:
            raise ParameterError(f"rate must be above 0 and at most 1, got {self.rate!r}")
        if not 0 <= self.balance <= 1:
            raise ParameterError(f"balance must be from 0 to 1, got {self.balance!r}")

    def for_rows(self, count: int) -> TreeSettings:
        """Return the settings for so many training rows: where there are many, fewer and quicker models do."""
        share = min(1.0, ENOUGH / max(count, 1))
        return replace(
            self,
            boosters=max(1, round(self.boosters * share)),
            forest=max(min(self.forest, 50), round(self.forest * min(1.0, ENOUGH / 2 / max(count, 1)))),
            rate=min(1.0, self.rate if share > 0.2 else 2 * self.rate),
        )


@final
class TreeModel:
    """A fitted ensemble.

    Parameters
    ----------
    boosters
        LightGBM's boosters.
    forests
        The forests beside them.
    rounds
        How many rounds of boosting were best.
    """

    def __init__(self, boosters: list[Any], forests: list[Forest], rounds: int) -> None:
        self.boosters, self.forests, self.rounds = boosters, forests, rounds

    @classmethod
    def fit(
        cls,
        x: Floats,
        y: NDArray[Any],
        weights: NDArray[Any],
        validation: tuple[Floats, NDArray[Any]] | None,
        settings: TreeSettings,
        *,
        rounds: int | None = None,
    ) -> TreeModel:
        """Learn from rows ``x`` (n, d) with labels ``y`` in {0, 1} and weights (n,).

        Parameters
        ----------
        validation
            Rows and labels to stop by; None boosts for ``rounds``.
        settings
            How the trees grow.
        rounds
            Of boosting, without validation; by default a third of the settings'.
        """
        if not x.shape[1]:
            return cls([], [], 0)
        positive = float(weights[y == 1].sum())
        ratio = (float(weights.sum()) - positive) / positive
        weights = np.where(y == 1, ratio**settings.balance, 1.0) * weights
        boosting = _Boosting(x, y, weights, validation, settings, rounds)
        with ThreadPoolExecutor(settings.threads) as workers:
            boosted = [workers.submit(boosting.run, number) for number in range(settings.boosters)]
            binned = Binned.of(x)
            forests = [
                grow_forest(
                    binned, y, weights, trees=settings.forest, leaf=settings.leaf, extra=extra,
                    seed=settings.seed, workers=workers,
                )
                for extra in (False, True)
            ]  # fmt: skip
            boosters, best = zip(*(future.result() for future in boosted), strict=True)
        return cls(list(boosters), forests, int(np.median(best)))

    def logits(self, x: Floats) -> Doubles:
        """Return the mean logit of each row: (n,)."""
        if not x.shape[1]:  # nothing is known of anybody
            return np.zeros(len(x))
        boosted = np.mean([b.predict(x, raw_score=True, num_threads=1) for b in self.boosters], axis=0)
        forested = np.mean([_logit(forest.shares(x)) for forest in self.forests], axis=0)
        return np.asarray((boosted + forested) / 2)

    def contributions(self, x: Floats) -> Doubles:
        """Return how much each column moved each row's logit, about: (n, d).

        Exact Shapley values of boosting (S. Lundberg, 2018); of the forests the way down the trees.
        """
        if not x.shape[1]:
            return np.zeros(x.shape)
        boosted = np.mean(
            [b.predict(x, pred_contrib=True, num_threads=1)[:, :-1] for b in self.boosters], axis=0
        )
        forested = np.mean([_logit_shares(forest.contributions(x)) for forest in self.forests], axis=0)
        return np.asarray((boosted + forested) / 2)

    def importances(self, width: int) -> Doubles:
        """Return each of ``width`` columns' share of the gain of all splits of boosting: (d,), sums to 1."""
        if not self.boosters:
            return np.zeros(width)
        gain = np.sum([b.feature_importance("gain") for b in self.boosters], axis=0)
        return np.asarray(gain / max(gain.sum(), 1e-300))


@final
class _Boosting:
    """Boosted models that differ by their seed alone; the columns are cut into bins once.

    Parameters
    ----------
    x, y, weights
        Rows to learn from.
    validation
        Rows and labels to stop by, or None.
    settings
        How trees grow.
    rounds
        Of boosting, without validation.
    """

    def __init__(
        self,
        x: Floats,
        y: NDArray[Any],
        weights: NDArray[Any],
        validation: tuple[Floats, NDArray[Any]] | None,
        settings: TreeSettings,
        rounds: int | None,
    ) -> None:
        import lightgbm

        self.settings, self.rounds = settings, rounds
        self.parameters = {
            "objective": "binary",
            "metric": "average_precision",
            "learning_rate": settings.rate,
            "num_leaves": 31,
            "min_data_in_leaf": max(2, min(20, len(x) // 100)),
            "feature_fraction": min(0.4, max(0.1, 400 / x.shape[1])),
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
        }
        self.data = lightgbm.Dataset(x, y, weight=weights, params=self.parameters).construct()
        self.against = None
        if validation is not None:
            self.against = lightgbm.Dataset(
                *validation, reference=self.data, params=self.parameters
            ).construct()

    def run(self, number: int) -> tuple[Any, int]:
        """Boost one model; return it and its best number of rounds."""
        import lightgbm

        parameters = self.parameters | {"seed": self.settings.seed + 1000 * number}
        if self.against is None:
            booster = lightgbm.train(parameters, self.data, self.rounds or self.settings.rounds // 3)
            return booster, booster.current_iteration()
        booster = lightgbm.train(
            parameters,
            self.data,
            self.settings.rounds,
            valid_sets=[self.against],
            callbacks=[lightgbm.early_stopping(self.settings.patience, verbose=False)],
        )
        return booster, max(booster.best_iteration, FEWEST)


def _logit(share: Doubles) -> Doubles:
    held = np.clip(share, EDGE, 1 - EDGE)
    return np.asarray(np.log(held / (1 - held)))


def _logit_shares(parts: Doubles) -> Doubles:
    """What moved a share, in proportion as what moved its logit: (n, d + 1) -> (n, d)."""
    moved = _logit(parts.sum(1)) - _logit(parts[:, -1])
    total = parts[:, :-1].sum(1)
    steady = np.abs(total) > 1e-9  # else the parts cancel, and the slope at the share takes over
    held = np.clip(parts.sum(1), EDGE, 1 - EDGE)
    slope = np.where(steady, moved / np.where(steady, total, 1), 1 / (held * (1 - held)))
    return np.asarray(parts[:, :-1] * slope[:, None])


__all__ = ["TreeModel", "TreeSettings"]
