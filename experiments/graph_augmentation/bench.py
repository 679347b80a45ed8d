"""One fixed detector, every augmenter: a cell is what one of them gives on one graph, regime and seed.

The trees learn from columns that lie ready, and augmenters add rows; for networks (``"sage"``, ``"hgt"``) they add
nodes to the graph.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.graph_augmentation.sets import Case
from marigram import graph as mgg
from marigram.graph.augmenters.gate import CONTROL, gated
from marigram.graph.augmenters.generated import diffusion, godm, vae
from marigram.graph.augmenters.kinds import Makers, extended
from marigram.graph.augmenters.makers import Made, Maker, known_anomalies
from marigram.graph.detectors.auto import Candidate, learner_of, tried
from marigram.graph.detectors.jobs import Job, Scorer
from marigram.graph.detectors.labels import job_of
from marigram.graph.detectors.tables import TableScorer, grown
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.hops import HopFeatures

Floats = NDArray[np.float32]
Design = tuple[str, float]
"""An augmenter and its ratio."""


class Columns:
    """The columns of all nodes of a graph, made once: they do not depend on labels or splits."""

    _made: ClassVar[dict[str, Columns]] = {}

    def __init__(self, case: Case, hops: int) -> None:
        self.features = HopFeatures.fit(case.graph, case.target, hops=hops)
        self._x = self.features.view(case.graph).rows(np.arange(case.graph.nodes[case.target].count))

    @classmethod
    def of(cls, case: Case, hops: int) -> Columns:
        """Return those of a case, from before where its graph was seen."""
        if case.name not in cls._made:
            cls._made = {case.name: cls(case, hops)}  # one graph at a time
        return cls._made[case.name]

    def rows(self, nodes: NDArray[np.int64]) -> Floats:
        """Return the columns of some nodes."""
        return self._x[nodes]

    kept_rows = rows


class FixedTrees:
    """The detector of the table: the product's trees, smaller, on columns that lie ready."""

    def __init__(self, columns: Columns, settings: TreeSettings) -> None:
        self.columns, self.settings = columns, settings

    def fit(self, job: Job, like: Scorer | None = None) -> Any:
        """Learn from a job."""
        assert like is None  # noqa: S101 - labelled graphs
        view: Any = self.columns
        return FixedScorer(self.columns, TableScorer(self.columns.features, grown(view, job, self.settings)))


class FixedScorer:
    """What :class:`FixedTrees` learned."""

    def __init__(self, columns: Columns, scorer: TableScorer) -> None:
        self.columns, self.scorer = columns, scorer

    def logits(self, graph: mgg.Graph, nodes: NDArray[np.int64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Score nodes of the graph that the columns are of."""
        return self.scorer.model.logits(self.columns.rows(nodes))


class Bench:
    """All augmenters on one case; whatever two cells need is made once."""

    def __init__(self, case: Case, seed: int, config: dict[str, Any], detector: str = "trees") -> None:
        self.case, self.seed, self.config, self.detector = case, seed, config, detector
        settings = TreeSettings(seed=seed, **config["trees"])
        self._tried: dict[Design, Candidate] = {}
        self.learner: Any
        learning = mgg.SelfTraining(among="test")
        if detector == "trees":
            self.makers = Makers(seed, learning=learning)
            self.learner = FixedTrees(Columns.of(case, config["hops"]), settings)
            return
        from marigram.graph.networks import NetworkSettings, TrainingSettings

        budget = config["budget"]
        made = {
            "vae": vae(seed, learning, budget=budget), "godm": godm(seed, budget=budget),
            "diffusion": diffusion(seed, learning, budget=budget),
        }  # fmt: skip
        self.makers = Makers(seed, made, learning=learning)
        network, training = NetworkSettings(**config["network"]), TrainingSettings(**config["training"])
        self.learner = learner_of(
            detector, hops=config["hops"], seed=seed, trees=settings, network=network, training=training
        )

    @cached_property
    def first(self) -> Candidate:
        """The detector without augmentation."""
        return tried(self.detector, self.learner, job_of(self.case.graph, self.case.target, seed=self.seed))

    def candidate(self, kind: str, ratio: float) -> Candidate:
        """The detector with an augmenter."""
        if kind == "none":
            return self.first
        if (kind, ratio) not in self._tried:
            name, among = (kind.replace("-open", ""), "all") if "-open" in kind else (kind, "test")
            learning = mgg.SelfTraining(among=among)  # type: ignore[arg-type]
            job = extended(
                name,
                self.first,
                self.makers,
                ratio=ratio,
                tabular=self.detector == "trees",
                learning=learning,
            )
            self._tried[kind, ratio] = tried(self.detector, self.learner, job)
        return self._tried[kind, ratio]

    def made(self, maker: Maker, ratio: float) -> Candidate:
        """The detector with the rows of a maker that has no name."""
        job = self.first.job
        count = max(1, round(ratio * len(known_anomalies(job))))
        return tried("trees", self.learner, replace(job, added=(Made(maker, job, count, self.seed, 1.0),)))

    def cell(self, kind: str) -> dict[str, Any]:
        """Tune an augmenter on validation, or pass the gate, and measure on test."""
        begun = time.monotonic()
        winner, about = self._gate() if kind == "auto" else self._tuned(kind)
        return self.measured(kind, winner, begun, **about)

    def measured(self, kind: str, winner: Candidate, begun: float, **about: Any) -> dict[str, Any]:
        """The figures of a model on test."""
        table = self.case.graph.nodes[self.case.target]
        assert table.labels is not None  # noqa: S101 - labelled graphs
        test = np.flatnonzero(table.test_mask & (table.labels >= 0))
        found = mgg.figures(table.labels[test] == 1, winner.scorer.logits(self.case.graph, test))
        figures = {name: round(float(value), 6) for name, value in found._asdict().items()}
        spent = round(time.monotonic() - begun, 2)
        return {"kind": kind, "seed": self.seed, **about, "valid": round(winner.average_precision, 6),
                **figures, "seconds": spent}  # fmt: skip

    def _tuned(self, kind: str) -> tuple[Candidate, dict[str, Any]]:
        designs = self.config["designs"].get(kind, [(kind, ratio) for ratio in self.config["ratios"]])
        found = {(name, ratio): self.candidate(name, ratio) for name, ratio in designs}
        best = max(found, key=lambda design: found[design].average_precision)
        return found[best], {"chosen": best[0], "ratio": best[1] if kind != "none" else 0.0}

    def _gate(self) -> tuple[Candidate, dict[str, Any]]:
        choices = [(kind, float(ratio)) for kind, ratio in self.config["auto"]]
        found = {design: self.candidate(*design) for design in choices}
        winner, told = gated(self.first, self.candidate(*CONTROL), found, "auto", seed=self.seed)
        return winner, {"ratio": told.ratio, "chosen": told.kind}


__all__ = ["Bench", "Columns", "Design", "FixedTrees"]
