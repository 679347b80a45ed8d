"""The one object for anomalous nodes: fit, score, explain, save, with the no-graph control beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, Self, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.graph.augmenters.gate import AUTO as CHOICES
from marigram.graph.augmenters.gate import Augmentation
from marigram.graph.augmenters.kinds import check_ratio, parts_of
from marigram.graph.data import Graph
from marigram.graph.data.anything import as_graph
from marigram.graph.detectors.auto import KINDS, Kind
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.explain import Explanation
from marigram.graph.detectors.fitted import Findings, Fitted
from marigram.graph.detectors.fitting import fit_with_labels, fit_without_labels
from marigram.graph.detectors.labels import job_of, target_of
from marigram.graph.detectors.modelfiles import load_model, save_model
from marigram.graph.detectors.plan import Plan
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.detectors.verdict import Comparison, Verdict

if TYPE_CHECKING:
    from marigram.graph.networks import NetworkSettings, TrainingSettings

Which = Literal["best", "graph", "control"]
MOST_EDGES_TRIED = 200
"""Edges of each relation that :meth:`NodeDetector.explain` tries, the latest first."""


@final
class NodeDetector:
    """Finds anomalous nodes from some labels, and says whether the graph helped.

    Parameters
    ----------
    kind
        ``"trees"``: boosting and forests on the columns of :mod:`marigram.graph.hops`. ``"sage"``, ``"gat"``,
        ``"gin"``, ``"gcn"``, ``"bwgnn"``, ``"hgt"``: networks. ``"auto"``: what is best on validation,
        one of them or the mean of several.
        ``"unsupervised"``: without labels, what lies far out.
    hops
        How far trees look, 1 to 8. Each hop costs one pass over the edges.
    seed
        Of everything random, from 0.
    self_train
        True, or a :class:`SelfTraining`: let unlabelled nodes join the training, where that is better on validation.
        Worth its time where anomalies are few.
    node_type
        Which type is scored; None is the only one with labels.
    trees
        How trees grow; also those of the control. Its seed gives way to ``seed``.
    network, training
        What networks are built of and how they learn, whatever their kind; seed and kind give way to those above. None:
        3 layers of width 64, a fifth of the states dropped, at most 300 epochs.

    Attributes
    ----------
    verdict
        ``"helps"``: the 95 % interval of the gain over the control on validation lies above 0; ``"does not help"``;
        ``"too few labels"``: under 10 anomalies in validation.
    reason
        The same in a sentence with figures.
    validation
        :class:`Comparison` with the figures.
    chosen
        The kind that was best on validation; of several, their names with ``" + "`` between.
    uses_graph
        Whether the scores come from it rather than from the control: whichever was better on validation.
    node_type
        The type that is scored.
    report
        All of these as plain values, for JSON.

    Raises
    ------
    ParameterError
        A parameter is outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> rng = np.random.default_rng(0)
    >>> guilty = np.arange(400) % 8 == 0
    >>> values = mgg.Columns.of_numbers(rng.normal(size=(400, 3)).astype(np.float32) + guilty[:, None])
    >>> users = mgg.NodeTable.bare(400).with_attributes(values).with_labels(guilty.astype(np.int8))
    >>> pays = mgg.EdgeTable(src=rng.integers(0, 400, 900), dst=rng.integers(0, 400, 900))
    >>> data = mgg.Graph(nodes={"user": users}, edges={("user", "pays", "user"): pays})
    >>> data = mgg.stratified(data, seeds=[0])
    >>> model = mgg.NodeDetector(hops=1).fit(data)
    >>> model.verdict
    'does not help'
    >>> score = model.score(data)
    >>> score.shape, bool(score[guilty].mean() > score[~guilty].mean())
    ((400,), True)
    """

    def __init__(
        self,
        kind: Kind = "trees",
        *,
        hops: int = 4,
        seed: int = 0,
        self_train: bool | SelfTraining = False,
        node_type: str | None = None,
        trees: TreeSettings | None = None,
        network: NetworkSettings | None = None,
        training: TrainingSettings | None = None,
    ) -> None:
        self.plan = Plan(
            kind=kind,
            hops=hops,
            seed=seed,
            self_train=self_train,
            trees=trees if trees is not None else TreeSettings(seed=seed),
            network=network,
            training=training,
        )
        self._target = node_type
        self._fitted: Fitted | None = None
        self._graph: Graph | None = None

    @property
    def kind(self) -> str:
        """As was asked for; what came of ``"auto"`` is :attr:`chosen`."""
        return self.plan.kind

    @property
    def steps(self) -> int:
        """How many steps :meth:`fit` has."""
        plan = self.plan
        return 1 if plan.kind == "unsupervised" else 2 + len(plan.kinds) + bool(plan.self_train)

    @staticmethod
    def more_steps(augment: str | None) -> int:
        """How many more steps :meth:`fit` has with an augmenter."""
        if augment is None:
            return 0
        return 1 + (len(CHOICES) if augment == "auto" else 1)

    # --- learning ----------------------------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        *,
        augment: str | None = None,
        ratio: float = 10.0,
        tell: Callable[[str], None] | None = None,
    ) -> Self:
        """Learn from a graph, a PyG ``Data`` or ``HeteroData``, or a networkx graph, and return self.

        Training nodes are learned from, validation nodes chosen by. Without masks all labelled nodes are for training;
        without a validation part a quarter of the training nodes is held out. The data are not changed.

        Parameters
        ----------
        data
            With labels, apart from ``"unsupervised"``.
        augment
            An augmenter of :func:`marigram.graph.augment`, or ``"auto"``: the best on validation, if it is shown to
            beat no augmentation and duplicates there, else none. Self-training is one of them, and goes as
            ``self_train`` says. For trees, real nodes keep the columns that they have in ``data``. What came of it is
            :attr:`augmentation`.
        ratio
            New anomalies for each known one, above 0 to 1000; ``"auto"`` has its own.
        tell
            Called with its name at the beginning of each of the :attr:`steps` and :meth:`more_steps`.

        Raises
        ------
        InputError
            No type has labels, or training lacks one of the classes.
        ParameterError
            There is no such augmenter, or the ratio is out of its range.
        """
        if augment is not None:
            _check_augmenter(augment, ratio, self.kind)
        graph, told = as_graph(data), tell or (lambda step: None)  # noqa: ARG005 - nobody listens
        if self.kind == "unsupervised":
            told(self.kind)
            self._fitted = fit_without_labels(
                graph, target_of(graph, self._target, labelled=False), self.plan
            )
        else:
            job = job_of(graph, target_of(graph, self._target), seed=self.plan.seed)
            self._fitted = fit_with_labels(job, self.plan, augment=augment, ratio=ratio, tell=told)
        self._graph = graph
        return self

    @property
    def fitted(self) -> Fitted:
        """What :meth:`fit` left behind.

        Raises
        ------
        ParameterError
            It was not called.
        """
        if self._fitted is None:
            raise ParameterError("this detector has learned nothing yet: call fit first")
        return self._fitted

    # --- what came of it ---------------------------------------------------------------------------------------------

    @property
    def validation(self) -> Comparison:
        """The graph model beside its control on the validation nodes."""
        return self.fitted.findings.validation

    @property
    def verdict(self) -> Verdict:
        """Whether the graph helped."""
        return self.validation.verdict

    @property
    def reason(self) -> str:
        """The verdict in a sentence with its figures."""
        return self.validation.reason

    @property
    def chosen(self) -> str:
        """The kind of the graph model."""
        return self.fitted.findings.chosen

    @property
    def augmentation(self) -> Augmentation | None:
        """What was added to the training data and whether it helped; None when nothing was asked for."""
        return self.fitted.findings.augmentation

    @property
    def uses_graph(self) -> bool:
        """Whether :meth:`score` comes from the graph model."""
        return self.fitted.findings.uses_graph

    @property
    def node_type(self) -> str:
        """The node type that is scored."""
        return self.fitted.findings.node_type

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that the model behind :meth:`score` looks at."""
        return self.fitted.scorer("best").names

    @property
    def importances(self) -> dict[str, float]:
        """Column -> its share in what the model behind :meth:`score` decides; empty for networks."""
        return self.fitted.scorer("best").importances

    @property
    def report(self) -> dict[str, Any]:
        """Everything that :meth:`fit` found, as plain values; NaN is None."""
        asked = {"kind": self.kind, "hops": self.plan.hops, "seed": self.plan.seed}
        return asked | self.fitted.findings.as_dict()

    # --- use ---------------------------------------------------------------------------------------------------------

    def score(self, data: Any, which: Which = "best") -> NDArray[np.float64]:
        """Return the probability of each node to be an anomaly: float64 (N,) in the order of the source.

        Parameters
        ----------
        data
            The graph of :meth:`fit` or another one with the same types and attributes. No label is looked at.
        which
            ``"best"``: the winner on validation, refitted on training and validation nodes; ``"graph"`` and
            ``"control"``: both sides of the comparison, learned from training nodes alone.

        Returns
        -------
        NaN on nodes of other types. Without labels (``"unsupervised"``) the value is the share of nodes that are less
        far out, not a probability.

        Raises
        ------
        ParameterError
            The graph has other types or attributes.
        """
        graph, target = as_graph(data), self.node_type
        self._check_scored(graph, which)
        return graph.flat({target: self.score_rows(graph, 0, graph.nodes[target].count, which)})

    def score_rows(self, data: Any, start: int, stop: int, which: Which = "best") -> NDArray[np.float64]:
        """Return the probabilities of the nodes from ``start`` up to ``stop``: float64 (stop - start,).

        The numbers are places in the table of :attr:`node_type`. For graphs of which not all nodes are to be scored
        at once.

        Raises
        ------
        ParameterError
            The graph has other types or attributes, or no such nodes.
        """
        graph = as_graph(data)
        self._check_scored(graph, which)
        count = graph.nodes[self.node_type].count
        if not 0 <= start <= stop <= count:
            raise ParameterError(f"rows must lie within 0 to {count}, got {start} to {stop}")
        return self.fitted.probabilities(graph, np.arange(start, stop), which)

    def _check_scored(self, graph: Graph, which: str) -> None:
        self.fitted.scorer(which)
        if self.node_type not in graph.nodes:
            raise ParameterError(f"the graph has no nodes of type {self.node_type!r}")

    def explain(self, node: int, data: Any = None, *, top: int = 10) -> Explanation:
        """Say what carried the score of a node.

        Parameters
        ----------
        node
            Its number in the order of the source.
        data
            Its graph; None is that of :meth:`fit`, which a loaded model does not have.
        top
            How many columns, neighbours and edges to name.

        Raises
        ------
        ParameterError
            There is no such node of the type that is scored, or no graph.
        """
        target = self.node_type
        graph = self._graph if data is None else as_graph(data)
        if graph is None:
            raise ParameterError("a loaded model needs the graph: explain(node, data)")
        where = np.flatnonzero(graph.places(target) == node)
        if len(where) != 1:
            raise ParameterError(f"node {node} is not of type {target!r}")
        score = float(self.fitted.probabilities(graph, where, "best")[0])
        parts = self.fitted.scorer("best").parts(graph, int(where[0]), MOST_EDGES_TRIED)
        return Explanation.of(int(node), score, parts, graph, top)

    def fingerprint(self, which: Which = "best") -> str:
        """Return what the model behind these scores is known by: the same for a model that was saved and loaded."""
        return self.fitted.fingerprint(which)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to a folder, see :mod:`marigram.graph.detectors.modelfiles`."""
        curves = {name: asdict(curve) for name, curve in self.fitted.curves.items()}
        about = self.plan.as_dict() | {"found": self.report, "curves": curves}
        save_model(folder, about, self.fitted.scorers)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            There is no such folder.
        SnapshotError
            It is not a model, or not as it was written.
        """
        about, scorers = load_model(folder)
        model = cls()
        try:
            model.plan = Plan.from_dict(about)
            findings = Findings.from_dict(about["found"])
            curves = {name: Calibration(**curve) for name, curve in about["curves"].items()}
        except (KeyError, TypeError, ParameterError) as error:
            raise SnapshotError(f"{os.fspath(folder)} does not hold a model: {error}") from error
        model._fitted = Fitted(findings, scorers, curves)
        return model


def _check_augmenter(augment: str, ratio: float, kind: str) -> None:
    if kind == "unsupervised":
        raise ParameterError("augment is for detectors that learn from labels")
    check_ratio(ratio)
    if augment != "auto":
        parts_of(augment)


__all__ = ["KINDS", "NodeDetector"]
