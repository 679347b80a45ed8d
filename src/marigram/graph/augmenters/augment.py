"""The one function: a training graph, larger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from marigram.errors import ParameterError
from marigram.graph.augmenters.generated import Generated, Sampler
from marigram.graph.augmenters.kinds import Makers, check_ratio, extended, parts_of
from marigram.graph.augmenters.makers import divided
from marigram.graph.data import Graph, Part
from marigram.graph.data.anything import as_graph
from marigram.graph.detectors.auto import Candidate, learner_of, tried
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.labels import job_of, target_of
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.trees import TreeSettings


def augment(
    data: Any,
    kind: str | Sampler | SelfTraining = "diffusion",
    ratio: float = 1.0,
    *,
    seed: int = 0,
    node_type: str | None = None,
) -> Graph:
    """Return the training graph with new anomalous nodes, joined to real ones; ``data`` is not changed.

    New nodes stand behind the real ones of their type, are labelled 1 and belong to the training part. None has an edge
    to a node of the validation or test part. Where the data have no validation part, a quarter of the training nodes
    becomes it first, so that nothing made after a node helps to judge that node. Scores and figures belong to ``data``:
    fit on what is returned, ``score(data)``.

    Parameters
    ----------
    data
        A :class:`Graph`, a PyG ``Data`` or ``HeteroData``, or a networkx graph, with labels.
    kind
        ``"none"``; ``"duplicate"``; ``"undersample"`` (fewer normal training nodes; ``"undersample-shifted"``: only
        where nodes to be scored differ from them); ``"perturb"`` (twins with noise, fewer edges); ``"smote"``,
        ``"mixup"``, ``"gaussian"``; ``"vae"``, ``"godm"``, ``"diffusion"`` (from a :class:`Synthesizer`, of which a
        fitted one may also be given); ``"pseudo"`` (self-training: the most suspicious unlabelled nodes join, test
        nodes among them, without their labels; a :class:`SelfTraining` says which). Several with ``+`` between are
        applied in turn.
    ratio
        New anomalies for each known one, above 0 to 1000. ``"undersample"`` makes anomalies as frequent as that would.
    seed
        Of everything random.
    node_type
        Which type gets new nodes; None is the only one with labels.

    Raises
    ------
    ParameterError
        No such kind, or the ratio is out of its range.
    InputError
        Training lacks anomalies or normal nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> values = mgg.Columns.of_numbers(np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32))
    >>> users = mgg.NodeTable.bare(60).with_attributes(values).with_labels((np.arange(60) % 6 == 0).astype(np.int8))
    >>> pays = mgg.EdgeTable(src=np.arange(60), dst=(np.arange(60) + 7) % 60)
    >>> data = mgg.Graph(nodes={"user": users}, edges={("user", "pays", "user"): pays})
    >>> data = mgg.stratified(data, seeds=[0])
    >>> train = mgg.augment(data, "smote", ratio=2.0)
    >>> train.nodes["user"].count, int(train.nodes["user"].train_mask.sum()), data.nodes["user"].count
    (68, 32, 60)
    """
    check_ratio(ratio)
    graph = as_graph(data)
    job = job_of(graph, target_of(graph, node_type), seed=seed)
    job = replace(job, graph=divided(job))
    learning = kind if isinstance(kind, SelfTraining) else None
    if isinstance(kind, str):
        name, makers = kind, Makers(seed, learning=learning)
    elif learning is not None:
        name, makers = "pseudo", Makers(seed)
    elif hasattr(kind, "sample"):
        name, makers = "diffusion", Makers(seed, {"diffusion": Generated({}, fitted=kind)})
    else:
        raise ParameterError(f"kind must be a name, a Synthesizer or a SelfTraining, got {kind!r}")
    first = _first(job, seed, needed="pseudo" in parts_of(name))
    grown = extended(name, first, makers, ratio=ratio, tabular=False, learning=learning)
    return job.graph if grown is job else _graph(grown)


def _first(job: Job, seed: int, *, needed: bool) -> Candidate:
    """A model to ask who is suspicious, where somebody will."""
    learner = learner_of("trees", hops=4, seed=seed, trees=TreeSettings(seed=seed))
    if needed:
        return tried("trees", learner, job)
    nobody: Any = None
    return Candidate("trees", learner, job, nobody, np.empty(0), float("nan"))


def _graph(job: Job) -> Graph:
    """The job's graph, whose training part and labels are those of the job."""
    table = job.graph.nodes[job.target]
    assert table.labels is not None and table.splits is not None  # noqa: S101, PT018 - divided() has seen to it
    labels, splits = table.labels.copy(), table.splits.copy()
    parts = splits[table.split]
    parts[parts == Part.TRAIN] = Part.NONE
    parts[job.train] = Part.TRAIN
    labels[job.train] = job.labels[job.train]
    return job.graph.with_nodes(**{job.target: replace(table, labels=labels, splits=splits)})


__all__ = ["augment"]
