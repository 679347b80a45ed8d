"""A Gaussian process over events whose mean is what the streams say: with no label it *is* the stream score.

    f(v) = m(v) + g(v),   g ~ GP(0, k),   m(v) = logit(rank of the stream score of v),
    k(u, v) = exp(-d(u, v)^2 / (2 l^2)) (e + (1 - e) s(u, v)^p),

where d^2 is the mean over groups of columns of the mean squared difference of ranks, and s is the cosine of the shared
names, each weighted by how rare it is; its power p, a whole number so that k stays a kernel, lets a label reach far
only among events that share nearly all names. A label is an observation of f at +Y or -Y with variance r, so that one
label moves its surroundings and nothing far away: the strong regularisation that few labels need. The posterior is the
ordinary one (C. Rasmussen, C. Williams, "Gaussian Processes for Machine Learning", 2006, eq. 2.25 and 2.26).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from marigram.bridge.loop.described import Described
from marigram.errors import ParameterError, SnapshotError

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

POINTS = 512
"""Quantiles that are kept of each column."""
AT_ONCE = 16_384


@final
@dataclass(frozen=True, kw_only=True)
class ProcessSettings:
    """How alike events must be for a label to carry over; checked when it is made.

    Parameters
    ----------
    length
        l, above 0 to 10, in ranks: 0.5 is half of the way from the lowest to the highest.
    base
        e, 0 to 1: how much events that share no name can tell of each other.
    power
        p, 1 to 10, whole: how many of the names two events must share to tell much of each other.
    observed
        Y, above 0 to 20: the logit that a label stands for.
    noise
        r, above 0 to 100: how little a label is believed.
    """

    length: float = 0.5
    base: float = 0.3
    power: int = 3
    observed: float = 4.0
    noise: float = 0.1

    def __post_init__(self) -> None:
        for name, low, high in (("length", 0, 10), ("observed", 0, 20), ("noise", 0, 100)):
            if not low < getattr(self, name) <= high:
                raise ParameterError(
                    f"{name} must be above {low} and at most {high}, got {getattr(self, name)!r}"
                )
        if not 0 <= self.base <= 1:
            raise ParameterError(f"base must be from 0 to 1, got {self.base!r}")
        if self.power not in range(1, 11):
            raise ParameterError(f"power must be a whole number from 1 to 10, got {self.power!r}")


@final
@dataclass(frozen=True, eq=False)
class Scale:
    """What is usual, learned from the events without their labels: it makes them points whose distance means something.

    Attributes
    ----------
    names, groups
        Of the columns.
    points
        float32 (Q, D): quantiles of each column.
    shared_names
        Of the columns of names.
    hashes, rarity
        uint64 and float32, all known names and how much sharing one says: -log of the share of events that have it.
    scores
        float64 (Q,): quantiles of the stream score.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    points: Floats
    shared_names: tuple[str, ...]
    hashes: NDArray[np.uint64]
    rarity: Floats
    scores: Doubles

    @classmethod
    def fit(cls, events: Described, scores: NDArray[Any]) -> Self:
        """Learn from events and their stream scores (n,)."""
        levels = np.linspace(0, 1, min(POINTS, max(len(events), 2)))
        points = np.full((len(levels), events.x.shape[1]), np.nan, np.float32)
        for j in range(events.x.shape[1]):
            known = events.x[:, j][np.isfinite(events.x[:, j])]
            if len(known):
                points[:, j] = np.quantile(known, levels)
        named = events.shared[events.shared != 0]
        hashes, counts = np.unique(named, return_counts=True)
        rarity = -np.log(counts / max(len(events), 1) + 1e-9).astype(np.float32)
        finite = np.asarray(scores, float)[np.isfinite(scores)]
        quantiles = np.quantile(finite, np.linspace(0, 1, 8 * POINTS)) if len(finite) else np.zeros(2)
        return cls(
            events.names, events.groups, points, events.shared_names, hashes, np.maximum(rarity, 0), quantiles
        )

    def prior(self, scores: NDArray[Any]) -> Doubles:
        """Return m: the logit of the share of events with a lower stream score; it grows on beyond the largest."""
        low = np.searchsorted(self.scores, scores, "left")
        high = np.searchsorted(self.scores, scores, "right")
        count = len(self.scores)
        share = ((low + high) / 2 + 0.5) / (count + 1)
        spread = max(float(self.scores[-1] - self.scores[0]), 1e-9)
        beyond = np.maximum(np.asarray(scores, float) - self.scores[-1], 0) / spread
        within = 1e-7 * np.clip((np.asarray(scores, float) - self.scores[0]) / spread, 0, 1)
        return np.asarray(np.log(share / (1 - share)) + beyond + within)

    def placed(self, events: Described) -> Placed:
        """Return the events as points: their ranks, weighted so that dot products give d^2, and their rarities."""
        where = {name: j for j, name in enumerate(events.names)}
        ranks = np.full((len(events), len(self.names)), 0.5, np.float32)
        for j, name in enumerate(self.names):
            if name in where:
                ranks[:, j] = _rank(self.points[:, j], events.x[:, where[name]])
        sizes = {group: self.groups.count(group) for group in set(self.groups)}
        weight = np.array([1 / (sizes[group] * len(sizes)) for group in self.groups], np.float32)
        at = {name: j for j, name in enumerate(events.shared_names)}
        shared = np.zeros((len(events), len(self.shared_names)), np.uint64)
        for j, name in enumerate(self.shared_names):
            if name in at:
                shared[:, j] = events.shared[:, at[name]]
        place = np.minimum(np.searchsorted(self.hashes, shared), max(len(self.hashes) - 1, 0))
        unknown = float(self.rarity.max(initial=1.0)) + 0.7
        if len(self.hashes):
            rare = np.where(self.hashes[place] == shared, self.rarity[place], unknown)
        else:
            rare = np.full(shared.shape, unknown)
        rare = np.where(shared == 0, 0.0, rare).astype(np.float32)
        return Placed(ranks * np.sqrt(weight), shared, np.sqrt(rare), np.maximum(rare.sum(1), 1e-6))


@final
@dataclass(frozen=True, eq=False)
class Placed:
    """n events as points: ``ranks`` (n, D), ``shared`` (n, C), ``root`` (n, C) and ``total`` (n,)."""

    ranks: Floats
    shared: NDArray[np.uint64]
    root: Floats
    total: Floats

    def __len__(self) -> int:
        return len(self.ranks)

    def take(self, rows: NDArray[Any]) -> Placed:
        """Return some of them."""
        return Placed(self.ranks[rows], self.shared[rows], self.root[rows], self.total[rows])

    def kernel(self, other: Placed, settings: ProcessSettings) -> Doubles:
        """Return k(u, v) for each event here and each there: (n, m)."""
        a, b = self.ranks, other.ranks
        square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * (a @ b.T)
        near = np.exp(-np.maximum(square, 0) / (2 * settings.length**2))
        alike = np.zeros(near.shape, np.float32)
        for c in range(self.shared.shape[1]):
            same = self.shared[:, c][:, None] == other.shared[:, c][None]
            alike += np.where(same, self.root[:, c][:, None] * other.root[:, c][None], 0)
        alike /= np.sqrt(self.total[:, None] * other.total[None])
        return np.asarray(near * (settings.base + (1 - settings.base) * alike**settings.power), np.float64)


@final
class Process:
    """The posterior after some labels.

    Parameters
    ----------
    scale
        What is usual.
    settings
        How alike events must be.
    known
        The m labelled events, as points.
    weights
        float64 (m,): by how much each moves what is like it.
    root
        float64 (m, m): the lower Cholesky factor of the labels' covariance.
    """

    def __init__(
        self, scale: Scale, settings: ProcessSettings, known: Placed, weights: Doubles, root: Doubles
    ) -> None:
        self.scale, self.settings = scale, settings
        self.known, self.weights, self.root = known, weights, root

    @classmethod
    def fit(
        cls,
        scale: Scale,
        known: Placed,
        prior: Doubles,
        labels: NDArray[Any],
        noise: NDArray[Any] | None = None,
        settings: ProcessSettings | None = None,
    ) -> Self:
        """Learn from m labelled events.

        Parameters
        ----------
        scale
            What is usual.
        known
            The labelled events.
        prior
            (m,) m(v) of each.
        labels
            (m,) 1 or 0.
        noise
            (m,) the variance of each label, in multiples of the settings'; None: 1.
        settings
            How alike events must be.
        """
        chosen = settings or ProcessSettings()
        doubt = chosen.noise * (np.ones(len(known)) if noise is None else np.asarray(noise, float))
        covariance = known.kernel(known, chosen) + np.diag(doubt)
        root: Doubles = np.asarray(np.linalg.cholesky(covariance)) if len(known) else np.zeros((0, 0))
        gap = np.where(np.asarray(labels) == 1, chosen.observed, -chosen.observed) - prior
        weights = np.linalg.solve(root.T, np.linalg.solve(root, gap)) if len(known) else np.zeros(0)
        return cls(scale, chosen, known, weights, root)

    def logits(self, events: Placed, prior: Doubles) -> Doubles:
        """Return f of each event: (n,)."""
        out = np.array(prior, float)
        for start in range(0, len(events), AT_ONCE) if len(self.known) else ():
            rows = np.arange(start, min(start + AT_ONCE, len(events)))
            out[rows] += events.take(rows).kernel(self.known, self.settings) @ self.weights
        return out

    def loadings(self, events: Placed) -> Doubles:
        """Return what the labels explain of each event, (n, m): the posterior covariance is k less their products."""
        if not len(self.known):
            return np.zeros((len(events), 0))
        return np.asarray(np.linalg.solve(self.root, self.known.kernel(events, self.settings)).T)

    def packed(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a header and arrays, for saving."""
        k = self.known
        meta = {
            "settings": dataclasses.asdict(self.settings),
            "names": list(self.scale.names),
            "groups": list(self.scale.groups),
            "shared_names": list(self.scale.shared_names),
        }
        arrays: dict[str, NDArray[Any]] = {
            "points": self.scale.points, "hashes": self.scale.hashes, "rarity": self.scale.rarity,
            "scores": self.scale.scores, "ranks": k.ranks, "shared": k.shared, "root_rarity": k.root,
            "total": k.total, "weights": self.weights, "root": self.root,
        }  # fmt: skip
        return meta, arrays

    @classmethod
    def unpacked(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the process of :meth:`packed`; ``SnapshotError`` when its pieces do not belong together."""
        try:
            settings = {"power": 1, **meta["settings"]}  # versions of before there was a power had none
            scale = Scale(
                tuple(meta["names"]), tuple(meta["groups"]), arrays["points"], tuple(meta["shared_names"]),
                arrays["hashes"], arrays["rarity"], arrays["scores"],
            )  # fmt: skip
            known = Placed(arrays["ranks"], arrays["shared"], arrays["root_rarity"], arrays["total"])
            made = cls(scale, ProcessSettings(**settings), known, arrays["weights"], arrays["root"])
        except (KeyError, TypeError) as error:
            raise SnapshotError(f"this is no model of the loop: {error}") from error
        if made.root.shape != (len(known), len(known)) or made.weights.shape != (len(known),):
            raise SnapshotError("the labels of the model and their covariance are not of one size")
        return made


def _rank(points: Floats, values: Floats) -> Floats:
    """Share of the known values that lie below, the middle for ties; 0.5 where there is nothing to tell."""
    known = points[np.isfinite(points)]
    if not len(known) or known[0] == known[-1]:
        return np.full(len(values), 0.5, np.float32)
    middle = np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")
    return np.where(np.isfinite(values), middle / (2 * len(known)), 1.0).astype(np.float32)


__all__ = ["AT_ONCE", "POINTS", "Placed", "Process", "ProcessSettings", "Scale"]
