"""The one object for anomalous nodes: fit, score, explain, save, with the no-graph control beside it.

The training part is learned from, the validation part stops, chooses, calibrates and judges; then the winner learns
from both. Labels of other nodes are never looked at.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.errors import ParameterError, SnapshotError
from marigram.graph.augmenters.gate import AUTO as CHOICES
from marigram.graph.augmenters.gate import Augmentation, augmented
from marigram.graph.augmenters.kinds import check_ratio, parts_of
from marigram.graph.data import Graph
from marigram.graph.data.anything import as_graph
from marigram.graph.detectors.auto import (
    AUTO,
    KINDS,
    Candidate,
    Kind,
    combined,
    learner_of,
    self_trained,
    tried,
)
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.control import control_learner
from marigram.graph.detectors.explain import Explanation
from marigram.graph.detectors.jobs import Job, Scorer
from marigram.graph.detectors.labels import job_of, target_of
from marigram.graph.detectors.modelfiles import load_model, save_model
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.detectors.verdict import Comparison, Verdict
from marigram.graph.hops import MOST_HOPS

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
        if kind not in KINDS:
            raise ParameterError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        if type(hops) is not int or not 1 <= hops <= MOST_HOPS:
            raise ParameterError(f"hops must be an integer from 1 to {MOST_HOPS}, got {hops!r}")
        if type(seed) is not int or not 0 <= seed < 2**31:
            raise ParameterError(f"seed must be an integer from 0 to {2**31 - 1}, got {seed!r}")
        if not isinstance(self_train, bool | SelfTraining):
            raise ParameterError(f"self_train must be True, False or a SelfTraining, got {self_train!r}")
        self.kind: str = kind
        self.hops, self.seed, self.self_train = hops, seed, self_train
        self.trees = trees if trees is not None else TreeSettings(seed=seed)
        self.network, self.training = network, training
        self._target = node_type
        self._about: dict[str, Any] = {}
        self._scorers: dict[str, Scorer] = {}
        self._curves: dict[str, Calibration] = {}
        self._graph: Graph | None = None

    @property
    def steps(self) -> int:
        """How many steps :meth:`fit` has."""
        return 1 if self.kind == "unsupervised" else 2 + len(self._kinds) + bool(self.self_train)

    @staticmethod
    def more_steps(augment: str | None) -> int:
        """How many more steps :meth:`fit` has with an augmenter."""
        if augment is None:
            return 0
        return 1 + (len(CHOICES) if augment == "auto" else 1)

    @property
    def _kinds(self) -> tuple[str, ...]:
        return AUTO if self.kind == "auto" else (self.kind,)

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
            return self._fit_without_labels(graph)
        job = job_of(graph, target_of(graph, self._target), seed=self.seed)
        settings = replace(self.trees, seed=self.seed)
        told("control, without the graph")
        control = tried("control", control_learner(settings), job)
        winner, added = self._graph_model(job, settings, told, augment), None
        if augment is not None:
            winner, added = augmented(
                winner, augment, ratio, seed=self.seed, tabular=winner.kind == "trees", tell=told,
                learning=self.self_train if isinstance(self.self_train, SelfTraining) else None,
            )  # fmt: skip
        compared = Comparison.of(winner.logits, control.logits, job.labels[job.valid] == 1, seed=self.seed)
        uses_graph = not compared.gain < 0
        chosen = winner if uses_graph else control
        told("training and validation together")
        self._scorers = {
            "best": chosen.refitted(chosen.job.on_all()),
            "graph": winner.scorer,
            "control": control.scorer,
        }
        truth = job.labels[job.valid] == 1
        curves = {
            "graph": Calibration.fit(winner.logits, truth),
            "control": Calibration.fit(control.logits, truth),
        }
        self._curves = curves | {"best": curves["graph" if uses_graph else "control"]}
        self._about = {
            "node_type": job.target,
            "chosen": winner.kind,
            "uses_graph": uses_graph,
            "self_trained": bool((winner.job.weights[: len(job.weights)] != job.weights).any()),
            "augmentation": None if added is None else added.as_dict(),
            "validation": asdict(compared),
        }
        self._graph = graph
        return self

    def _graph_model(
        self, job: Job, settings: TreeSettings, told: Callable[[str], None], augment: str | None
    ) -> Candidate:
        found = {}
        for kind in self._kinds:
            told(kind)
            learner = learner_of(
                kind,
                hops=self.hops,
                seed=self.seed,
                trees=settings,
                network=self.network,
                training=self.training,
            )
            found[kind] = tried(kind, learner, job)
        winner = combined(found)
        if self.self_train is False or augment is not None:
            return winner
        told("self-training")
        return self_trained(winner, SelfTraining() if self.self_train is True else self.self_train)

    def _fit_without_labels(self, graph: Graph) -> Self:
        target = target_of(graph, self._target, labelled=False)
        count = graph.nodes[target].count
        nothing = np.zeros(count, np.float32)
        job = Job(graph, target, nothing, nothing, np.arange(count), np.arange(0))
        learner = learner_of(self.kind, hops=self.hops, seed=self.seed, trees=self.trees)
        self._scorers = {"best": learner.fit(job)}
        self._curves = {"best": Calibration()}
        nan = float("nan")
        self._about = {
            "node_type": target,
            "chosen": self.kind,
            "uses_graph": True,
            "self_trained": False,
            "augmentation": None,
            "validation": asdict(Comparison(nan, nan, nan, nan, nan, 0, 0)),
        }
        self._graph = graph
        return self

    # --- what came of it ---------------------------------------------------------------------------------------------

    @property
    def validation(self) -> Comparison:
        """The graph model beside its control on the validation nodes."""
        return Comparison(**self._known("validation"))

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
        return str(self._known("chosen"))

    @property
    def augmentation(self) -> Augmentation | None:
        """What was added to the training data and whether it helped; None when nothing was asked for."""
        told = self._known("augmentation")
        return None if told is None else Augmentation.from_dict(told)

    @property
    def uses_graph(self) -> bool:
        """Whether :meth:`score` comes from the graph model."""
        return bool(self._known("uses_graph"))

    @property
    def node_type(self) -> str:
        """The node type that is scored."""
        return str(self._known("node_type"))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that the model behind :meth:`score` looks at."""
        self._known("chosen")
        return self._scorers["best"].names

    @property
    def importances(self) -> dict[str, float]:
        """Column -> its share in what the model behind :meth:`score` decides; empty for networks."""
        self._known("chosen")
        return self._scorers["best"].importances

    @property
    def report(self) -> dict[str, Any]:
        """Everything that :meth:`fit` found, as plain values; NaN is None."""
        figures = {k: None if v != v else v for k, v in asdict(self.validation).items()}
        return {
            "kind": self.kind,
            "hops": self.hops,
            "seed": self.seed,
            **self._about,
            "verdict": self.verdict,
            "reason": self.reason,
            "validation": figures,
        }

    def _known(self, name: str) -> Any:
        if not self._about:
            raise ParameterError("this detector has learned nothing yet: call fit first")
        return self._about[name]

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
        return self._curves[which].apply(self._scorers[which].logits(graph, np.arange(start, stop)))

    def _check_scored(self, graph: Graph, which: str) -> None:
        if which not in self._scorers:
            raise ParameterError(f"which must be one of {', '.join(self._scorers)}, got {which!r}")
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
        scorer, curve = self._scorers["best"], self._curves["best"]
        score = float(curve.apply(scorer.logits(graph, where))[0])
        return Explanation.of(
            int(node), score, scorer.parts(graph, int(where[0]), MOST_EDGES_TRIED), graph, top
        )

    def fingerprint(self, which: Which = "best") -> str:
        """Return what the model behind these scores is known by: the same for a model that was saved and loaded."""
        self._known("chosen")
        packed = self._scorers[which].packed()
        digest = hashlib.blake2b(digest_size=16)
        digest.update(
            msgspec.json.encode([packed.meta, asdict(self._curves[which]), packed.texts], order="sorted")
        )
        for name, array in sorted(packed.arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the model to a folder, see :mod:`marigram.graph.detectors.modelfiles`."""
        self._known("chosen")
        about = {"kind": self.kind, "hops": self.hops, "seed": self.seed, "found": self.report}
        about |= {
            name: asdict(settings) if is_dataclass(settings) else settings
            for name, settings in (
                ("self_train", self.self_train),
                ("trees", self.trees),
                ("network", self.network),
                ("training", self.training),
            )
        }
        about["curves"] = {name: asdict(curve) for name, curve in self._curves.items()}
        save_model(folder, about, self._scorers)

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
        try:
            told = about["self_train"]
            model = cls(
                about["kind"], hops=about["hops"], seed=about["seed"],
                self_train=told if isinstance(told, bool) else SelfTraining(**told),
                trees=TreeSettings(**about["trees"]), **_of_networks(about),
            )  # fmt: skip
            found: Mapping[str, Any] = about["found"]
            names = ("node_type", "chosen", "uses_graph", "self_trained", "augmentation")
            figures = {k: float("nan") if v is None else v for k, v in found["validation"].items()}
            model._about = {name: found[name] for name in names} | {"validation": figures}
            model._curves = {name: Calibration(**curve) for name, curve in about["curves"].items()}
        except (KeyError, TypeError) as error:
            raise SnapshotError(f"{os.fspath(folder)} does not hold a model: {error}") from error
        model._scorers = scorers
        return model


def _check_augmenter(augment: str, ratio: float, kind: str) -> None:
    if kind == "unsupervised":
        raise ParameterError("augment is for detectors that learn from labels")
    check_ratio(ratio)
    if augment != "auto":
        parts_of(augment)


def _of_networks(about: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that a saved model has; torch is not asked for when there are none."""
    if about["network"] is None and about["training"] is None:
        return {}
    from marigram.graph.networks import NetworkSettings, TrainingSettings

    made = {"network": NetworkSettings, "training": TrainingSettings}
    return {name: make(**about[name]) for name, make in made.items() if about[name] is not None}


__all__ = ["KINDS", "NodeDetector"]
