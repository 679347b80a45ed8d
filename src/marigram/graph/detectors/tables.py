"""Trees on the columns of :mod:`marigram.graph.hops`; without hops they are the no-graph control."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import SnapshotError
from marigram.graph.data import EdgeType, Graph
from marigram.graph.detectors.forest import Forest
from marigram.graph.detectors.jobs import Job, Packed, Parts, Scorer
from marigram.graph.detectors.trees import TreeModel, TreeSettings
from marigram.graph.hops import HopFeatures, HopView, Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AT_ONCE = 32_768
"""Rows whose columns are made at a time when scoring."""
SIDE_BY_SIDE = 2
"""Such parts that are scored at the same time, each in one thread."""


@final
class TableLearner:
    """Learns trees.

    Parameters
    ----------
    hops
        How far the columns look; 0 leaves the graph out.
    settings
        How the trees grow.
    """

    def __init__(self, hops: int, settings: TreeSettings) -> None:
        self.hops, self.settings = hops, settings

    def fit(self, job: Job, like: Scorer | None = None) -> TableScorer:
        """Learn trees on the training nodes."""
        view = self._view(job.graph, job.target)
        rounds = like.model.rounds if isinstance(like, TableScorer) else None
        return TableScorer(view.features, grown(view, job, self.settings, rounds))

    def _view(self, graph: Graph, target: str) -> HopView:
        features = graph.keep(
            ("hop features", target, self.hops), lambda: HopFeatures.fit(graph, target, hops=self.hops)
        )
        return features.view(graph)


@final
class TableScorer:
    """Trees and the columns that they look at.

    Parameters
    ----------
    features
        Which columns.
    model
        The trees.
    """

    def __init__(self, features: HopFeatures, model: TreeModel) -> None:
        self.features, self.model = features, model

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self.features.names

    @property
    def importances(self) -> dict[str, float]:
        """Each column's share of the gain."""
        return dict(zip(self.names, map(float, self.model.importances(len(self.names))), strict=True))

    def logits(self, graph: Graph, nodes: Ints) -> Doubles:
        """Score nodes: (n,)."""
        view = self.features.view(graph)
        parts = [nodes[start : start + AT_ONCE] for start in range(0, len(nodes), AT_ONCE)]
        with ThreadPoolExecutor(SIDE_BY_SIDE) as workers:
            return np.concatenate(
                [np.empty(0), *workers.map(lambda some: self.model.logits(view.rows(some)), parts)]
            )

    def parts(self, graph: Graph, node: int, most: int) -> Parts:
        """Contributions of the columns, and of each edge what the score loses without it.

        Without an edge, the columns of the node are made anew from the other edges; its neighbours keep their own.
        """
        view = self.features.view(graph)
        here = np.array([node])
        x = view.rows(here)
        moved = self.model.contributions(x)[0]
        features = [(n, float(v), float(c)) for n, v, c in zip(self.names, x[0], moved, strict=True)]
        whole = float(self.model.logits(x)[0])
        edges: list[tuple[EdgeType, int, int, float]] = []
        for kind, csr in view.into.items():
            rows = Rows.of(csr, here, view.own[here] if len(view.own) else view.own)
            slots = np.arange(rows.starts[0], rows.stops[0])
            tried = slots[-most:]
            if not len(tried):
                continue
            without = view.rows(np.repeat(here, len(tried)), {kind: rows.leaving_out(tried)})
            lost = whole - self.model.logits(without)
            edges += [
                (kind, int(rows.indices[slot]), int(rows.edge[slot]), float(c))
                for slot, c in zip(tried, lost, strict=True)
            ]
        return Parts(features, edges)

    def packed(self) -> Packed:
        """Columns and forests as arrays, boosters as LightGBM's text."""
        about, arrays = self.features.packed()
        meta = {
            "type": "trees",
            "features": about,
            "rounds": self.model.rounds,
            "forests": len(self.model.forests),
            "boosters": len(self.model.boosters),
        }
        for i, forest in enumerate(self.model.forests):
            arrays |= {f"forest{i}.{name}": values for name, values in forest.to_arrays().items()}
        texts = {f"booster{i}": b.model_to_string() for i, b in enumerate(self.model.boosters)}
        return Packed(meta, arrays, texts)

    @classmethod
    def unpacked(cls, packed: Packed) -> TableScorer:
        """Return the scorer of :meth:`packed`; ``SnapshotError`` when its pieces do not belong together."""
        meta, arrays = packed.meta, packed.arrays
        import lightgbm

        features = HopFeatures.unpacked(meta["features"], arrays)
        forests = []
        for i in range(meta["forests"]):
            prefix = f"forest{i}."
            forests.append(
                Forest.from_arrays(
                    {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
                )
            )
        boosters = [lightgbm.Booster(model_str=packed.texts[f"booster{i}"]) for i in range(meta["boosters"])]
        widths = {len(f.fill) for f in forests} | {b.num_feature() for b in boosters}
        if widths - {len(features.names)}:
            raise SnapshotError(
                f"the trees look at {sorted(widths)} columns, the model has {len(features.names)}"
            )
        return cls(features, TreeModel(boosters, forests, meta["rounds"]))


def grown(view: HopView, job: Job, settings: TreeSettings, rounds: int | None = None) -> TreeModel:
    """Grow trees on the training nodes and on what was added to them; ``rounds`` without validation."""
    samples = [added.sample(view) for added in job.added]
    x = np.concatenate([view.kept_rows(job.train), *(s.x for s in samples)])
    y = np.concatenate([job.labels[job.train], *(s.labels for s in samples)])
    weights = np.concatenate([job.weights[job.train], *(s.weights for s in samples)])
    valid = (view.kept_rows(job.valid), job.labels[job.valid]) if len(job.valid) else None
    return TreeModel.fit(x, y, weights, valid, settings.for_rows(len(x)), rounds=rounds)


__all__ = ["TableLearner", "TableScorer", "grown"]
