"""What learning leaves behind: what it found, and the scorers with the curves that make probabilities of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self, final

import msgspec
import numpy as np

from marigram.errors import ParameterError
from marigram.graph.augmenters.gate import Augmentation
from marigram.graph.data import Graph
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.jobs import Doubles, Ints, Scorer
from marigram.graph.detectors.verdict import Comparison


@final
@dataclass(frozen=True, eq=False)
class Findings:
    """What learning found.

    Attributes
    ----------
    node_type
        The type that is scored.
    chosen
        The kind that was best on validation; of several, their names with ``" + "`` between.
    uses_graph
        Whether the scores come from the graph model rather than from the control.
    self_trained
        Whether nodes without a label joined.
    augmentation
        What was added to the training data and whether it helped; None when nothing was asked for.
    validation
        The graph model beside its control.
    """

    node_type: str
    chosen: str
    uses_graph: bool
    self_trained: bool
    augmentation: Augmentation | None
    validation: Comparison

    def as_dict(self) -> dict[str, Any]:
        """Return plain values with the verdict and its reason, for JSON; NaN is None."""
        figures = {k: None if v != v else v for k, v in asdict(self.validation).items()}
        return {
            "node_type": self.node_type,
            "chosen": self.chosen,
            "uses_graph": self.uses_graph,
            "self_trained": self.self_trained,
            "augmentation": None if self.augmentation is None else self.augmentation.as_dict(),
            "validation": figures,
            "verdict": self.validation.verdict,
            "reason": self.validation.reason,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Build what :meth:`as_dict` described.

        Raises
        ------
        KeyError, TypeError
            A name is missing or unknown.
        """
        added = told["augmentation"]
        figures: dict[str, Any] = {k: float("nan") if v is None else v for k, v in told["validation"].items()}
        return cls(
            node_type=told["node_type"],
            chosen=told["chosen"],
            uses_graph=told["uses_graph"],
            self_trained=told["self_trained"],
            augmentation=None if added is None else Augmentation.from_dict(added),
            validation=Comparison(**figures),
        )


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model: ``"best"``, and with labels ``"graph"`` and ``"control"``, the sides of the comparison.

    Attributes
    ----------
    findings
        What learning found.
    scorers, curves
        By those names: what gives logits, and what makes probabilities of them.
    """

    findings: Findings
    scorers: Mapping[str, Scorer]
    curves: Mapping[str, Calibration]

    def scorer(self, which: str) -> Scorer:
        """Return a scorer.

        Raises
        ------
        ParameterError
            There is none of this name.
        """
        if which not in self.scorers:
            raise ParameterError(f"which must be one of {', '.join(self.scorers)}, got {which!r}")
        return self.scorers[which]

    def probabilities(self, graph: Graph, rows: Ints, which: str) -> Doubles:
        """Return the probabilities (n,) of some nodes of the type that is scored, by their places in its table."""
        return self.curves[which].apply(self.scorer(which).logits(graph, rows))

    def fingerprint(self, which: str) -> str:
        """Return what the model is known by: the same for one that was saved and loaded."""
        packed = self.scorer(which).packed()
        digest = hashlib.blake2b(digest_size=16)
        digest.update(
            msgspec.json.encode([packed.meta, asdict(self.curves[which]), packed.texts], order="sorted")
        )
        for name, array in sorted(packed.arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


__all__ = ["Findings", "Fitted"]
