"""How faithful new nodes are: what they share with real ones of their class, and what gives them away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.data import Graph, NodeTable
from marigram.graph.detectors.labels import target_of
from marigram.graph.fidelity.measures import (
    Nearness,
    copies,
    described,
    kolmogorov_smirnov,
    nearness,
    two_sample_auc,
    wasserstein,
)
from marigram.graph.relations import relations_of

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ENOUGH = 20
"""Held-out nodes of a class from which on new nodes are compared with them, rather than with those of training."""


@final
@dataclass(frozen=True, kw_only=True)
class Distribution:
    """One quantity among real and new nodes of a class.

    Attributes
    ----------
    name
        Of what.
    ks
        Kolmogorov and Smirnov's distance, 0 to 1.
    wasserstein
        In standard deviations of the real values; NaN where these do not vary.
    real, new
        The means.
    missing_real, missing_new
        Shares of nodes without a value.
    real_quantiles, new_quantiles
        21 of each, from the smallest value to the largest; empty without values.
    """

    name: str
    ks: float
    wasserstein: float
    real: float
    new: float
    missing_real: float
    missing_new: float
    real_quantiles: tuple[float, ...] = ()
    new_quantiles: tuple[float, ...] = ()

    @classmethod
    def of(cls, name: str, real: NDArray[Any], new: NDArray[Any]) -> Distribution:
        """Compare values (n,) and (m,), NaN being missing."""
        a, b = (np.asarray(x, np.float64) for x in (real, new))
        known = a[~np.isnan(a)], b[~np.isnan(b)]
        spread = float(known[0].std()) if len(known[0]) else 0.0
        means = [float(x.mean()) if len(x) else float("nan") for x in known]
        at = np.linspace(0, 1, 21)
        quantiles = [tuple(np.quantile(x, at).tolist()) if len(x) else () for x in known]
        return cls(
            name=name, ks=kolmogorov_smirnov(*known),
            wasserstein=wasserstein(*known) / spread if spread > 0 else float("nan"),
            real=means[0], new=means[1],
            missing_real=float(np.isnan(a).mean()), missing_new=float(np.isnan(b).mean()),
            real_quantiles=quantiles[0], new_quantiles=quantiles[1],
        )  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class Likeness:
    """New nodes of one class and type beside the real ones.

    Attributes
    ----------
    node_type, label
        Of which nodes.
    real, new
        How many.
    held_out
        Whether the real ones are of the validation and test parts, which no generator has seen; else of training.
    degrees
        Edges of each relation, both ways together within one type.
    features
        Attributes, a category being one column a value.
    neighbours
        Means over neighbours.
    times
        Times of nodes, and of their edges by relation.
    relations
        Half the sum of differences between both sets' shares of edges by relation, 0 to 1.
    homophily
        Share of anomalous ones among labelled neighbours, of real and of new nodes.
    degree_ratio
        Mean number of edges of new nodes over that of real ones.
    auc
        Of telling new from real nodes by attributes, degrees and means over neighbours.
    auc_normal
        Of telling new from real normal nodes by the same columns, and
    auc_real
        of telling the real nodes of the class from normal ones: what ``auc_normal`` should come to.
    nearest
        Distance to training nodes of the class, and copies, by attributes.
    copies_real
        Share of the real ones whose attributes are exactly those of a training node of the class: where attributes have
        few values, new ones cannot but have as many.
    placed
        Shares of real and of new ones whose attributes, degrees and means over neighbours are all those of a training
        node of the class: copies of a node where it stands.
    """

    node_type: str
    label: int
    real: int
    new: int
    held_out: bool
    degrees: tuple[Distribution, ...]
    features: tuple[Distribution, ...]
    neighbours: tuple[Distribution, ...]
    times: tuple[Distribution, ...]
    relations: float
    homophily: tuple[float, float]
    degree_ratio: float
    auc: float
    auc_normal: float
    auc_real: float
    nearest: Nearness
    copies_real: float
    placed: tuple[float, float]


@final
@dataclass(frozen=True, eq=False)
class Fidelity:
    """What a graph with new nodes says of them; made by :meth:`of`.

    Attributes
    ----------
    classes
        One :class:`Likeness` for each class that has new nodes.
    rejected
        New nodes that were left out, by their place among the new ones.
    """

    classes: tuple[Likeness, ...]
    rejected: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        data: Graph,
        joined: Graph,
        *,
        node_type: str | None = None,
        reject: Sequence[int] = (),
        seed: int = 0,
    ) -> Fidelity:
        """Compare the nodes that ``joined`` has beyond those of ``data`` with the real ones of their class.

        Parameters
        ----------
        data
            The graph of real nodes; labels of its held-out nodes are used, to judge by.
        joined
            What :func:`marigram.graph.augment` or ``Synthetic.join`` made of it.
        node_type
            Whose nodes; None is the only type with labels.
        reject
            Places among the new nodes, from 0, of those to leave out, with their edges.
        seed
            Of the forests.

        Raises
        ------
        InputError
            ``joined`` does not have the real nodes first, or has no new ones.
        ParameterError
            There is no such new node.

        Examples
        --------
        >>> import numpy as np
        >>> from marigram import graph as mgg
        >>> values = mgg.Columns.of_numbers(np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32))
        >>> users = mgg.NodeTable.bare(80).with_attributes(values).with_labels((np.arange(80) % 4 == 0).astype(np.int8))
        >>> pays = mgg.EdgeTable(src=np.arange(80), dst=(np.arange(80) + 7) % 80)
        >>> data = mgg.Graph(nodes={"user": users}, edges={("user", "pays", "user"): pays})
        >>> data = mgg.stratified(data, seeds=[0])
        >>> found = mgg.Fidelity.of(data, mgg.augment(data, "duplicate"))
        >>> found.classes[0].new, found.classes[0].nearest.copies
        (8, 1.0)
        """
        target = target_of(data, node_type)
        count = _real_first(data, joined, target)
        kept = without(joined, target, count, reject)
        table = kept.nodes[target]
        assert table.labels is not None  # noqa: S101 - target_of has seen to it
        labels = [label for label in (1, 0) if (table.labels[count:] == label).any()]
        found = tuple(_likeness(data, kept, target, label, seed) for label in labels)
        return cls(found, tuple(sorted({int(row) for row in reject})))

    @property
    def html(self) -> str:
        """The figures and pictures as a section of a page."""
        from marigram.graph.fidelity.section import section

        return section(self)

    def as_dict(self) -> dict[str, Any]:
        """Return all figures as plain values; NaN is None."""
        told: dict[str, Any] = _plain(
            {"classes": [asdict(one) for one in self.classes], "rejected": self.rejected}
        )
        return told


def without(joined: Graph, target: str, count: int, reject: Sequence[int]) -> Graph:
    """Return a joined graph without some of its new nodes and their edges.

    Parameters
    ----------
    joined
        Real nodes first.
    target
        The type that has new nodes.
    count
        How many are real.
    reject
        Places among the new ones.

    Raises
    ------
    ParameterError
        There is no such new node.
    """
    table = joined.nodes[target]
    if not len(reject):
        return joined
    wrong = [row for row in reject if not 0 <= row < table.count - count]
    if wrong:
        raise ParameterError(f"there is no new node {wrong[0]}: they are 0 to {table.count - count - 1}")
    keep = np.ones(table.count, np.bool_)
    keep[count + np.asarray(reject, np.int64)] = False
    number = np.cumsum(keep) - 1
    edges = {}
    for kind, edge in joined.edges.items():
        stays = np.ones(edge.count, np.bool_)
        for end, place in ((edge.src, 0), (edge.dst, 2)):
            if kind[place] == target:
                stays &= keep[end]
        left = edge.take(stays)
        edges[kind] = replace(
            left,
            src=number[left.src] if kind[0] == target else left.src,
            dst=number[left.dst] if kind[2] == target else left.dst,
        )
    nodes = {**joined.nodes, target: table.take(np.flatnonzero(keep))}
    return Graph(nodes=nodes, edges=edges, time_unit=joined.time_unit)


def _real_first(data: Graph, joined: Graph, target: str) -> int:
    if target not in joined.nodes or set(joined.nodes) != set(data.nodes):
        raise InputError(0, "the joined graph has other node types than the real one")
    real, whole = data.nodes[target].attributes, joined.nodes[target].attributes
    if whole.count <= real.count:
        raise InputError(0, f"the joined graph has no new nodes of type {target!r}")
    if not np.array_equal(whole.numeric[: real.count], real.numeric, equal_nan=True):
        raise InputError(0, "the first nodes of the joined graph are not those of the real one")
    return real.count


def _likeness(data: Graph, joined: Graph, target: str, label: int, seed: int) -> Likeness:
    table, count = data.nodes[target], data.nodes[target].count
    whole = joined.nodes[target]
    assert whole.labels is not None  # noqa: S101 - there are labels of new nodes
    new = count + np.flatnonzero(whole.labels[count:] == label)
    train, real, held_out = _real_nodes(table, label)
    _, normal, _ = _real_nodes(table, 0)
    x, names = described(joined, target, np.concatenate([new, real, normal, train]))
    cuts = np.cumsum([len(new), len(real), len(normal)])
    x_new, x_real, x_normal, x_train = np.split(x, cuts)
    own = [j for j, name in enumerate(names) if not name.startswith(("degree by ", "mean of "))]
    around = [j for j, name in enumerate(names) if name.startswith("mean of ")]
    degrees = _degrees(joined, target)
    mean = {
        key: sum(float(d[rows].mean()) for d in degrees.values()) for key, rows in (("n", new), ("r", real))
    }
    return Likeness(
        node_type=target, label=label, real=len(real), new=len(new), held_out=held_out,
        degrees=tuple(Distribution.of(by, d[real], d[new]) for by, d in degrees.items()),
        features=tuple(Distribution.of(names[j], x_real[:, j], x_new[:, j]) for j in own),
        neighbours=tuple(Distribution.of(names[j], x_real[:, j], x_new[:, j]) for j in around),
        times=_times(joined, target, real, new),
        relations=_shares_apart(degrees, real, new),
        homophily=(_homophily(joined, target, real), _homophily(joined, target, new)),
        degree_ratio=mean["n"] / mean["r"] if mean["r"] else float("nan"),
        auc=two_sample_auc(x_real, x_new, seed=seed),
        auc_normal=two_sample_auc(x_normal, x_new, seed=seed),
        auc_real=two_sample_auc(x_normal, x_real, seed=seed),
        nearest=nearness(x_new[:, own], x_train[:, own]),
        copies_real=copies(x_real[:, own], x_train[:, own], own=not held_out),
        placed=(copies(x_real, x_train, own=not held_out), copies(x_new, x_train)),
    )  # fmt: skip


def _real_nodes(table: NodeTable, label: int) -> tuple[Ints, Ints, bool]:
    """Training nodes of a class, those to compare with, and whether these are held out."""
    assert table.labels is not None  # noqa: S101 - the type has labels
    of_class = table.labels == label
    train, held = (
        np.flatnonzero(of_class & table.train_mask),
        np.flatnonzero(of_class & (table.val_mask | table.test_mask)),
    )
    if table.splits is None:
        train = np.flatnonzero(of_class)
    return (train, held, True) if len(held) >= ENOUGH else (train, train, False)


def _degrees(graph: Graph, target: str) -> dict[str, NDArray[np.int64]]:
    return {kind[1]: csr.degrees for kind, csr in relations_of(graph).items() if kind[2] == target}


def _shares_apart(degrees: dict[str, NDArray[np.int64]], real: Ints, new: Ints) -> float:
    """Total variation distance between the shares of edges by relation."""
    totals = np.array([[float(d[rows].sum()) for d in degrees.values()] for rows in (real, new)])
    if not totals.sum(1).all():
        return float("nan")
    shares = totals / totals.sum(1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _homophily(graph: Graph, target: str, nodes: Ints) -> float:
    """Share of anomalous ones among the labelled neighbours of the same type."""
    labels = graph.nodes[target].labels
    assert labels is not None  # noqa: S101 - the type has labels
    found = total = 0
    for kind, csr in relations_of(graph).items():
        if kind[0] == kind[2] == target:
            for start, stop in zip(csr.indptr[nodes].tolist(), csr.indptr[nodes + 1].tolist(), strict=True):
                beside = labels[csr.indices[start:stop]]
                found += int((beside == 1).sum())
                total += int((beside >= 0).sum())
    return found / total if total else float("nan")


def _times(graph: Graph, target: str, real: Ints, new: Ints) -> tuple[Distribution, ...]:
    """Times of nodes, and mean times of their edges by relation."""
    found = []
    own = graph.nodes[target].time
    if own is not None:
        found.append(Distribution.of("time", own[real], own[new]))
    for kind, table in graph.edges.items():
        if table.time is None:
            continue
        for end, place in ((table.src, 0), (table.dst, 2)):
            if kind[place] == target:
                rows = [np.isin(end, nodes) for nodes in (real, new)]
                found.append(Distribution.of(f"time of {kind[1]}", table.time[rows[0]], table.time[rows[1]]))
    return tuple(found)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value != value else value


__all__ = ["Distribution", "Fidelity", "Likeness", "without"]
