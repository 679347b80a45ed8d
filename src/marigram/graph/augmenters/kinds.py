"""All augmenters by name, alone or one after another (``"pseudo+smote"``), and what they make of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import final

import numpy as np

from marigram.errors import ParameterError
from marigram.graph.augmenters.between import Mixup, Smote
from marigram.graph.augmenters.gaussian import Gaussian
from marigram.graph.augmenters.generated import diffusion, godm, vae
from marigram.graph.augmenters.latent import Latent
from marigram.graph.augmenters.makers import Duplicate, Made, Maker, Perturb, divided, known_anomalies
from marigram.graph.augmenters.shift import is_shifted
from marigram.graph.augmenters.space import FORMS
from marigram.graph.detectors.auto import Candidate, tried
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.selftrain import SelfTraining

MAKERS = (
    "duplicate", "perturb", "smote", "mixup", "gaussian", "vae", "vae-rows", "vae-both", "vae-between", "godm",
    "diffusion", "diffusion-plain", "diffusion-rows", "diffusion-both", "diffusion-between",
)  # fmt: skip
"""Augmenters that make new anomalies."""
AUGMENTERS = ("none", "undersample", "undersample-shifted", "pseudo", *MAKERS)
MOST_RATIO = 1000.0


@final
class Makers:
    """The makers of one seed; what a generator has learned serves every ratio.

    Parameters
    ----------
    seed
        Of everything random.
    given
        Makers that stand in for those of the same name.
    learning
        Whom ``"diffusion"`` and ``"vae"`` may learn from beside the known anomalies.
    """

    def __init__(
        self, seed: int, given: Mapping[str, Maker] | None = None, learning: SelfTraining | None = None
    ) -> None:
        self.seed, self.learning = seed, learning or SelfTraining()
        self._made: dict[str, Maker] = dict(given or {})

    def of(self, name: str) -> Maker:
        """Return a maker by its name."""
        if name not in self._made:
            self._made[name] = self._new(name)
        return self._made[name]

    def _new(self, name: str) -> Maker:
        first, _, ending = name.partition("-")
        if ending:
            return self._latent_of(first, name).shaped(FORMS[f"-{ending}"])
        if name in ("vae", "godm", "diffusion"):
            return self._latent(name)
        plain: dict[str, Maker] = {
            "duplicate": Duplicate(), "perturb": Perturb(), "smote": Smote(), "mixup": Mixup(), "gaussian": Gaussian(),
        }  # fmt: skip
        return plain[name]

    def _latent_of(self, first: str, name: str) -> Latent:
        maker = self.of(first)
        if not isinstance(maker, Latent):
            raise ParameterError(f"{name} needs the package's own {first}")
        return maker

    def _latent(self, name: str) -> Latent:
        if name == "godm":
            return Latent("published", godm(self.seed), seed=self.seed)
        if name == "vae":
            return Latent("gaussian", vae(self.seed, self.learning), learning=self.learning, seed=self.seed)
        return Latent(
            "diffusion", diffusion(self.seed, self.learning), learning=self.learning, seed=self.seed
        )


def parts_of(kind: str) -> tuple[str, ...]:
    """Return the augmenters that a name stands for.

    Raises
    ------
    ParameterError
        One of them does not exist.
    """
    parts = tuple(kind.split("+"))
    for part in parts:
        if part not in AUGMENTERS:
            raise ParameterError(
                f"kind must be one of {', '.join(AUGMENTERS)}, or some of them with + between, got {kind!r}"
            )
    return parts


def check_ratio(ratio: float) -> None:
    """Raise ``ParameterError`` when ``ratio`` is not above 0 and at most 1000."""
    if not 0 < ratio <= MOST_RATIO:
        raise ParameterError(f"ratio must be above 0 and at most {MOST_RATIO:g}, got {ratio!r}")


def extended(
    kind: str,
    first: Candidate,
    makers: Makers,
    *,
    ratio: float,
    tabular: bool,
    learning: SelfTraining | None = None,
) -> Job:
    """Return the job of a first model with what an augmenter adds to it or takes from it.

    Parameters
    ----------
    kind
        Which.
    first
        A model of the job as it is; self-training asks it who is suspicious. After ``"undersample"`` it asks one that
        learned from what is left.
    makers
        Where new nodes come from; all are made after the anomalies that are known for certain.
    ratio
        New anomalies for each known one.
    tabular
        Whether the model is one of tables, which learns from rows; else the graph grows.
    learning
        How self-training goes, apart from the ratio.
    """
    check_ratio(ratio)
    job = replace(first.job, graph=divided(first.job))
    known, grown = job, job
    for part in parts_of(kind):
        if part == "undersample" or (
            part == "undersample-shifted" and _shifted(known, learning, makers.seed)
        ):
            grown = undersampled(grown, ratio, makers.seed)
        elif part == "pseudo":
            namer = _namer(grown, first)
            grown = _self_trained(grown, namer, replace(learning or SelfTraining(), ratio=ratio))
        elif part in MAKERS:
            count = max(1, round(ratio * len(known_anomalies(known))))
            grown = _with_made(grown, known, makers, part, count, tabular=tabular)
    return grown


def _shifted(job: Job, learning: SelfTraining | None, seed: int) -> bool:
    pool = (learning or SelfTraining()).pool(job)
    return is_shifted(job, pool, seed)


def undersampled(job: Job, ratio: float, seed: int) -> Job:
    """Return the job with fewer normal training nodes: as few as would make ``ratio`` more anomalies as rare."""
    normal = job.train[job.labels[job.train] != 1]
    rng = np.random.default_rng([seed, 26])
    kept = rng.choice(normal, max(1, round(len(normal) / (1 + ratio))), replace=False)
    return replace(job, train=np.sort(np.concatenate([known_anomalies(job), kept])))


def _namer(grown: Job, first: Candidate) -> Candidate:
    """Who says which nodes are suspicious: the first model, or where normal nodes were left out, one without them."""
    if len(grown.train) >= len(first.job.train):
        return first
    return tried(first.kind, first.learner, replace(first.job, train=grown.train))


def _self_trained(job: Job, namer: Candidate, how: SelfTraining) -> Job:
    pool = how.pool(job)
    return how.extended(job, pool, namer.scorer.logits(namer.job.graph, pool)) if len(pool) else job


def _with_made(job: Job, known: Job, makers: Makers, name: str, count: int, *, tabular: bool) -> Job:
    maker = makers.of(name)
    if tabular:
        return replace(job, added=(*job.added, Made(maker, known, count, makers.seed, WEIGHT)))
    graph = maker.graph(replace(known, graph=job.graph), count, makers.seed)
    new = np.arange(len(job.labels), graph.nodes[job.target].count)
    return replace(
        job, graph=graph, train=np.concatenate([job.train, new]),
        labels=np.concatenate([job.labels, np.ones(len(new), np.float32)]),
        weights=np.concatenate([job.weights, np.full(len(new), WEIGHT, np.float32)]),
    )  # fmt: skip


WEIGHT = 1.0
"""Of a new node, beside the 1 of a real one."""

__all__ = [
    "AUGMENTERS",
    "MAKERS",
    "Makers",
    "check_ratio",
    "extended",
    "parts_of",
    "undersampled",
]
