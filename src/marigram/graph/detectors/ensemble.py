"""Several models as one: the mean of their calibrated logits, and which of them are worth it on validation.

Members join one after another, each time the one with which the average precision on validation is highest, as long as
it rises (R. Caruana et al., "Ensemble selection from libraries of models", ICML 2004). Models of different kinds err
differently, so two can be better than the better one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.evaluate.metrics import average_precision
from marigram.graph.data import EdgeType, Graph
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.jobs import Doubles, Ints, Job, Learner, Packed, Parts, Scorer

LEAST_GAIN = 0.002
"""Average precision that a member must bring: with less it is not worth the time it takes to score."""


@final
class MeanLearner:
    """Learns every member from the same job.

    Parameters
    ----------
    learners
        By name; at least one.
    """

    def __init__(self, learners: Mapping[str, Learner]) -> None:
        self.learners = dict(learners)

    def fit(self, job: Job, like: Scorer | None = None) -> MeanScorer:
        """Learn; curves come from validation, or, without one, from ``like``."""
        before = like if isinstance(like, MeanScorer) else None
        members = {
            name: learner.fit(job, None if before is None else before.members[name])
            for name, learner in self.learners.items()
        }
        if before is not None:
            return MeanScorer(members, before.curves)
        truth = job.labels[job.valid] == 1
        curves = {
            name: Calibration.fit(member.logits(job.graph, job.valid), truth)
            for name, member in members.items()
        }
        return MeanScorer(members, curves)


@final
class MeanScorer:
    """The mean of calibrated logits.

    Parameters
    ----------
    members, curves
        By name: what scores, and its curve.
    """

    def __init__(self, members: Mapping[str, Scorer], curves: Mapping[str, Calibration]) -> None:
        self.members, self.curves = dict(members), dict(curves)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of all members, each once."""
        return tuple(dict.fromkeys(name for member in self.members.values() for name in member.names))

    @property
    def importances(self) -> dict[str, float]:
        """Not known of an ensemble."""
        return {}

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Score nodes: (n,)."""
        return mean_logits(
            {name: member.logits(graph, nodes) for name, member in self.members.items()}, self.curves
        )

    def parts(self, graph: Graph, node: int, most: int) -> Parts:
        """Sum what all members say of a column or an edge, each in its share of the logit."""
        features: dict[str, tuple[float, float]] = {}
        edges: dict[tuple[EdgeType, int, int], float] = {}
        for name, member in self.members.items():
            share = self.curves[name].slope / len(self.members)
            told = member.parts(graph, node, most)
            for column, value, carried in told.features:
                features[column] = (value, features.get(column, (value, 0.0))[1] + share * carried)
            for kind, sender, row, carried in told.edges:
                edge = kind, sender, row
                edges[edge] = edges.get(edge, 0.0) + share * carried
        return Parts(
            [(column, *both) for column, both in features.items()],
            [(*edge, carried) for edge, carried in edges.items()],
        )

    def packed(self) -> Packed:
        """The members' own, with their numbers before the names."""
        packs = [member.packed() for member in self.members.values()]
        meta = {
            "type": "mean",
            "names": list(self.members),
            "members": [dict(pack.meta) for pack in packs],
            "curves": [asdict(self.curves[name]) for name in self.members],
        }
        arrays = {f"{i}.{name}": a for i, pack in enumerate(packs) for name, a in pack.arrays.items()}
        texts = {f"{i}.{name}": text for i, pack in enumerate(packs) for name, text in pack.texts.items()}
        return Packed(meta, arrays, texts)


def members_of(packed: Packed) -> dict[str, Packed]:
    """Return the members of what :meth:`MeanScorer.packed` wrote, by name."""
    found = {}
    for i, (name, meta) in enumerate(zip(packed.meta["names"], packed.meta["members"], strict=True)):
        prefix = f"{i}."
        arrays = {k.removeprefix(prefix): a for k, a in packed.arrays.items() if k.startswith(prefix)}
        texts = {k.removeprefix(prefix): t for k, t in packed.texts.items() if k.startswith(prefix)}
        found[name] = Packed(meta, arrays, texts)
    return found


def mean_logits(logits: Mapping[str, Doubles], curves: Mapping[str, Calibration]) -> Doubles:
    """Return the mean over the members of a s + b: (n,)."""
    return np.asarray(np.mean([curves[k].slope * s + curves[k].shift for k, s in logits.items()], axis=0))


def selected(
    logits: Mapping[str, Doubles], curves: Mapping[str, Calibration], positive: NDArray[np.bool_], first: str
) -> list[str]:
    """Return which members are better together on validation, beginning with ``first``.

    Parameters
    ----------
    logits, curves
        Of each candidate, (n,).
    positive
        (n,): the truth, of both classes.
    first
        The best one alone.
    """
    members = [first]
    reached = average_precision(positive, logits[first])
    while len(members) < len(logits):
        tried = {
            name: average_precision(
                positive, mean_logits({kind: logits[kind] for kind in [*members, name]}, curves)
            )
            for name in logits
            if name not in members
        }
        name = max(tried, key=lambda candidate: tried[candidate])
        if tried[name] < reached + LEAST_GAIN:
            break
        reached = tried[name]
        members.append(name)
    return members


__all__ = ["MeanLearner", "MeanScorer", "mean_logits", "members_of", "selected"]
