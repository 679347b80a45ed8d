"""Which rows to learn from, which to choose by, which to report on.

Only rows whose label is known get a part. Every function takes its seeds from the caller and gives one split for
each; the same seeds give the same splits on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.data.graph import EdgeType, Graph
from marigram.graph.data.tables import EdgeTable, NodeTable, Part

GADBENCH_SEEDS = tuple(3407 + 10 * trial for trial in range(10))
"""The seeds that GADBench uses for its ten trials (Tang et al., 2023)."""

Fractions = tuple[float, float, float]
Of = str | EdgeType | None


def stratified(
    graph: Graph, *, seeds: Sequence[int], fractions: Fractions = (0.4, 0.2, 0.4), of: Of = None
) -> Graph:
    """Return the graph with random splits in which each part has the same share of anomalous rows.

    Parameters
    ----------
    graph
        With labels.
    seeds
        One split for each.
    fractions
        Of train, val and test; they sum to 1.
    of
        The node type or edge type to split; None is the only node type with labels.

    Raises
    ------
    ParameterError
        Fractions or seeds are not of this kind, or `of` names no labelled type.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> users = mgg.NodeTable.bare(10).with_labels(np.array([1] * 5 + [0] * 5, np.int8))
    >>> data = mgg.stratified(mgg.Graph(nodes={"user": users}, edges={}), seeds=[0, 1])
    >>> data.split_count, int(data.nodes["user"].labels[data.nodes["user"].test_mask].sum())
    (2, 2)
    """
    _check_fractions(fractions)
    where, table = _labelled(graph, of)
    assert table.labels is not None  # noqa: S101 - _labelled has seen to it
    splits = np.zeros((len(_checked(seeds)), table.count), np.int8)
    for parts, seed in zip(splits, seeds, strict=True):
        rng = np.random.default_rng(seed)
        for label in (0, 1):
            rows = rng.permutation(np.flatnonzero(table.labels == label))
            _fill(parts, rows, fractions)
    return graph.with_splits(where, splits)


def by_time(graph: Graph, *, fractions: Fractions = (0.6, 0.2, 0.2), of: Of = None) -> Graph:
    """Return the graph with one split in the order of time: all of train before val before test.

    Rows of one moment stay together, so the shares are met as nearly as the times allow. To learn without looking
    ahead take :func:`as_of`.

    Raises
    ------
    InputError
        The rows have no times, or too few different ones for three parts.
    """
    _check_fractions(fractions)
    where, table = _labelled(graph, of)
    if table.time is None or table.labels is None:
        raise InputError(0, f"{where!r} has no times to split by")
    rows = np.flatnonzero(table.labels >= 0)
    if not len(rows):
        raise InputError(0, f"{where!r}: no label is known")
    times = np.sort(table.time[rows])
    cuts = [times[int(len(times) * share)] for share in np.cumsum(fractions)[:2]]
    parts = np.zeros((1, table.count), np.int8)
    parts[0, rows] = Part.TRAIN
    parts[0, rows[table.time[rows] >= cuts[0]]] = Part.VAL
    parts[0, rows[table.time[rows] >= cuts[1]]] = Part.TEST
    if len(np.unique(parts[0, rows])) < 3:
        raise InputError(0, f"{where!r} has too few different times for train, val and test")
    return graph.with_splits(where, parts)


def as_of(graph: Graph, part: Part, *, of: Of = None, undated: str = "refuse") -> Graph:
    """Return the graph as it was when a part of a split by time ended: without edges from its future.

    Parameters
    ----------
    graph
        Split by :func:`by_time`, or by its publisher in the order of time.
    part
        The last part that is known.
    of
        The type that is split; None is the only labelled node type.
    undated
        What becomes of edge types without times: ``"refuse"``, or ``"keep"`` when they held all along.

    Raises
    ------
    InputError
        A part reaches into the time of a later one, rows have no times, or edges have none and are not to be kept.
    """
    where, table = _labelled(graph, of)
    if table.time is None or table.splits is None:
        raise InputError(0, f"{where!r} has no times or no split")
    parts = table.splits[table.split]
    end = _end_of(table.time, parts, part, repr(where))
    bare = [kind for kind, edges in graph.edges.items() if edges.time is None]
    if bare and undated != "keep":
        raise InputError(
            0, f"edges {'-'.join(bare[0])} have no times: say undated='keep' if they held all along"
        )
    return graph.before(end)


def _end_of(time: NDArray[np.int64], parts: NDArray[np.int8], part: Part, what: str) -> int:
    known, later = (parts > 0) & (parts <= part), parts > part
    if not known.any():
        raise InputError(0, f"{what}: no row is in {part.name.lower()} or before")
    end = int(time[known].max())
    if later.any() and int(time[later].min()) <= end:
        raise InputError(
            0,
            f"{what}: the split is not by time: {part.name.lower()} ends at {end}, later parts begin earlier",
        )
    return end


def by_group(
    graph: Graph,
    groups: NDArray[Any],
    *,
    seeds: Sequence[int],
    fractions: Fractions = (0.4, 0.2, 0.4),
    of: Of = None,
) -> Graph:
    """Return the graph with random splits in which all rows of a group are in the same part.

    Parameters
    ----------
    graph, seeds, fractions, of
        As of :func:`stratified`. Fractions are of labelled rows, and met as nearly as the groups allow.
    groups
        ``(count,)``: the group of each row, such as the account that a card belongs to.
    """
    _check_fractions(fractions)
    where, table = _labelled(graph, of)
    if len(groups) != table.count:
        raise ParameterError(f"there are {len(groups)} groups for {table.count} rows")
    assert table.labels is not None  # noqa: S101 - _labelled has seen to it
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    known = table.labels >= 0
    sizes = np.bincount(group[known], minlength=len(names))
    wanted = np.array(fractions) * known.sum()
    splits = np.zeros((len(_checked(seeds)), table.count), np.int8)
    for parts, seed in zip(splits, seeds, strict=True):
        chosen = np.zeros(len(names), np.int8)
        filled = np.zeros(3)
        order = np.random.default_rng(seed).permutation(np.flatnonzero(sizes))
        for g in order[np.argsort(-sizes[order], kind="stable")]:  # large groups first, where most is missing
            part = int(np.argmax(wanted - filled))
            chosen[g] = part + 1
            filled[part] += sizes[g]
        parts[known] = chosen[group[known]]
    return graph.with_splits(where, splits)


def few_labels(
    graph: Graph, *, seeds: Sequence[int], positives: int = 20, negatives: int = 80, of: Of = None
) -> Graph:
    """Return the graph with splits of few labels, as GADBench has them: 20 + 80 to train, 20 + 80 to choose by.

    All other labelled rows are in test. Tang et al., NeurIPS 2023 (the semi-supervised setting).

    Parameters
    ----------
    graph, seeds, of
        As of :func:`stratified`; GADBench's own are :data:`GADBENCH_SEEDS`.
    positives, negatives
        Anomalous and normal rows in train, and as many again in val.

    Raises
    ------
    ParameterError
        There are not so many.
    """
    where, table = _labelled(graph, of)
    assert table.labels is not None  # noqa: S101 - _labelled has seen to it
    splits = np.zeros((len(_checked(seeds)), table.count), np.int8)
    for parts, seed in zip(splits, seeds, strict=True):
        rng = np.random.default_rng(seed)
        for label, count in ((1, positives), (0, negatives)):
            rows = rng.permutation(np.flatnonzero(table.labels == label))
            if not 0 < 2 * count < len(rows):
                raise ParameterError(
                    f"{count} rows of label {label} twice, and some to test on, are not in {len(rows)}"
                )
            parts[rows] = Part.TEST
            parts[rows[:count]] = Part.TRAIN
            parts[rows[count : 2 * count]] = Part.VAL
    return graph.with_splits(where, splits)


def _fill(parts: NDArray[np.int8], rows: NDArray[np.int64], fractions: Fractions) -> None:
    """Give the first rows to train, the next to val, the rest to test."""
    first, second = (round(len(rows) * share) for share in np.cumsum(fractions)[:2])
    parts[rows[:first]] = Part.TRAIN
    parts[rows[first:second]] = Part.VAL
    parts[rows[second:]] = Part.TEST


def _labelled(graph: Graph, of: Of) -> tuple[str | EdgeType, NodeTable | EdgeTable]:
    if of is None:
        if len(graph.labelled_types) != 1:
            raise ParameterError(f"say with `of` which type to split; labels have: {graph.labelled_types}")
        of = graph.labelled_types[0]
    table = graph.table(of)
    if table.labels is None:
        raise ParameterError(f"{of!r} has no labels")
    return of, table


def _check_fractions(fractions: Fractions) -> None:
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ParameterError(f"fractions must be three positive numbers that sum to 1, not {fractions}")


def _checked(seeds: Sequence[int]) -> Sequence[int]:
    if not seeds or min(seeds) < 0:
        raise ParameterError(f"seeds must be one or more numbers from 0, not {seeds}")
    return seeds


__all__ = ["GADBENCH_SEEDS", "as_of", "by_group", "by_time", "few_labels", "stratified"]
