"""Which learner stands behind a kind, and the choice among several by validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, final, get_args

from marigram.evaluate.metrics import average_precision
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.ensemble import MeanLearner, MeanScorer, selected
from marigram.graph.detectors.jobs import Doubles, Job, Learner, Scorer
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.tables import TableLearner
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.detectors.verdict import FEWEST_POSITIVES

if TYPE_CHECKING:
    from marigram.graph.networks import NetworkSettings, TrainingSettings

Kind = Literal["trees", "sage", "gat", "gin", "gcn", "bwgnn", "hgt", "auto", "unsupervised"]
KINDS: tuple[str, ...] = get_args(Kind)
AUTO = ("trees", "sage", "gat", "gcn", "bwgnn")
"""What ``"auto"`` tries."""


@final
@dataclass(frozen=True, eq=False)
class Candidate:
    """A scorer that was tried.

    Attributes
    ----------
    kind
        Of what kind.
    learner, job, scorer
        What learned from what, and what came of it.
    logits
        On the validation nodes.
    average_precision
        On validation; NaN without an anomaly there.
    """

    kind: str
    learner: Learner
    job: Job
    scorer: Scorer
    logits: Doubles
    average_precision: float

    def refitted(self, job: Job) -> Scorer:
        """Return the scorer of the same kind, learned from another job for as long as this one."""
        return self.learner.fit(job, self.scorer)


def learner_of(
    kind: str,
    *,
    hops: int,
    seed: int,
    trees: TreeSettings,
    network: NetworkSettings | None = None,
    training: TrainingSettings | None = None,
) -> Learner:
    """Return the learner of a kind other than ``"auto"``."""
    if kind == "trees":
        return TableLearner(hops, trees)
    if kind == "unsupervised":
        from marigram.graph.detectors.unsupervised import RarityLearner

        return RarityLearner(hops)
    from marigram.graph.detectors.neural import NetworkLearner
    from marigram.graph.networks import NetworkSettings, TrainingSettings

    if network is None:
        network = NetworkSettings(width=64, layers=NETWORK_HOPS, dropout=0.2)
    training = TrainingSettings() if training is None else training
    return NetworkLearner(replace(network, kind=kind), replace(training, seed=seed))  # type: ignore[arg-type]


NETWORK_HOPS = 3
"""Layers of a network: more than that lost on validation, where trees still gain from the fourth hop."""


def tried(kind: str, learner: Learner, job: Job, scorer: Scorer | None = None) -> Candidate:
    """Fit a learner, unless its scorer is given, and see what it does on validation."""
    scorer = learner.fit(job) if scorer is None else scorer
    logits = scorer.logits(job.graph, job.valid)
    return Candidate(kind, learner, job, scorer, logits, _precision(job, logits))


def self_trained(first: Candidate, how: SelfTraining) -> Candidate:
    """Let the surest nodes join and learn again; the first stays where that is better on validation."""
    job = first.job
    pool = how.pool(job)
    if not len(pool):
        return first
    second = tried(first.kind, first.learner, how.extended(job, pool, first.scorer.logits(job.graph, pool)))
    return second if second.average_precision > first.average_precision else first


def best(candidates: Mapping[str, Candidate]) -> Candidate:
    """Return the candidate with the highest average precision on validation; the first where none is known."""
    ranked = list(candidates.values())
    known = [c for c in ranked if c.average_precision == c.average_precision]
    return max(known, key=lambda c: c.average_precision) if known else ranked[0]


def combined(candidates: Mapping[str, Candidate]) -> Candidate:
    """Return the best candidate, or with others the mean that is better on validation; see :mod:`.ensemble`.

    Where validation has too few anomalies to tell the best candidate stands alone.
    """
    first = best(candidates)
    job = first.job
    positive = job.labels[job.valid] == 1
    if min(int(positive.sum()), int((~positive).sum())) < FEWEST_POSITIVES:
        return first
    logits = {kind: candidate.logits for kind, candidate in candidates.items()}
    curves = {kind: Calibration.fit(found, positive) for kind, found in logits.items()}
    members = selected(logits, curves, positive, first.kind)
    if len(members) == 1:
        return first
    scorer = MeanScorer({kind: candidates[kind].scorer for kind in members}, {k: curves[k] for k in members})
    learner = MeanLearner({kind: candidates[kind].learner for kind in members})
    return tried(" + ".join(members), learner, job, scorer)


def _precision(job: Job, logits: Doubles) -> float:
    return average_precision(job.labels[job.valid] == 1, logits) if len(job.valid) else float("nan")


__all__ = ["AUTO", "KINDS", "Candidate", "Kind", "best", "combined", "learner_of", "self_trained", "tried"]
