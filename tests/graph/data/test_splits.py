"""Splits are divided as promised, repeat with their seeds, and never let a later row into an earlier part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.graph import Columns, EdgeTable, Graph, NodeTable, Part

KIND = ("user", "pays", "user")


def graph(labels: Any, times: Any = None, edge_times: Any = None) -> Graph:
    """Return users with labels; when there are times, each pays the next one at its own time, or at those given."""
    labels = np.asarray(labels, np.int8)
    users = NodeTable(
        attributes=Columns.empty(len(labels)),
        labels=labels,
        time=None if times is None else np.asarray(times, np.int64),
    )
    ends = np.arange(len(labels))
    when = times if edge_times is None else edge_times
    pays = EdgeTable(
        src=ends, dst=np.roll(ends, -1), time=None if when is None else np.asarray(when, np.int64)
    )
    return Graph(nodes={"user": users}, edges={KIND: pays}, time_unit="" if when is None else "step")


def parts(data: Graph) -> np.ndarray[Any, Any]:
    splits = data.nodes["user"].splits
    assert splits is not None
    return splits


labels_of = st.lists(st.integers(-1, 1), min_size=30, max_size=80)
seeds_of = st.lists(st.integers(0, 2**32), min_size=1, max_size=3)


@given(labels_of, seeds_of)
def test_stratified_parts_have_their_share_of_each_label(labels: list[int], seeds: list[int]) -> None:
    data = graph(labels)
    splits = parts(mgg.stratified(data, seeds=seeds, fractions=(0.5, 0.25, 0.25)))
    np.testing.assert_array_equal(
        splits, parts(mgg.stratified(data, seeds=seeds, fractions=(0.5, 0.25, 0.25)))
    )
    known = np.asarray(labels)
    assert (splits[:, known == -1] == Part.NONE).all()
    for row in splits:
        for label in (0, 1):
            count = int((known == label).sum())
            sizes = [int((row[known == label] == part).sum()) for part in (Part.TRAIN, Part.VAL, Part.TEST)]
            assert sum(sizes) == count
            assert all(
                abs(size - count * share) <= 1 for size, share in zip(sizes, (0.5, 0.25, 0.25), strict=True)
            )


def test_another_seed_is_another_split() -> None:
    splits = parts(mgg.stratified(graph([0, 1] * 50), seeds=[0, 1]))
    assert (splits[0] != splits[1]).any()


@given(st.lists(st.integers(0, 60), min_size=20, max_size=80, unique=False), st.data())
def test_time_goes_forward_from_part_to_part(times: list[int], draw: st.DataObject) -> None:
    labels = draw.draw(st.lists(st.integers(-1, 1), min_size=len(times), max_size=len(times)))
    data = graph(labels, times)
    try:
        done = mgg.by_time(data)
    except InputError:
        known = np.asarray(times)[np.asarray(labels) >= 0]
        # a moment that fills more than a part, or too few moments, cannot be divided
        assert not len(known) or max(np.bincount(known)) >= 0.2 * len(known) - 1 or len(known) < 10
        return
    row, when = parts(done)[0], np.asarray(times)
    for early, late in ((Part.TRAIN, Part.VAL), (Part.VAL, Part.TEST)):
        assert when[row == early].max() < when[row == late].min()
    assert (row[np.asarray(labels) == -1] == Part.NONE).all()
    for part in (Part.TRAIN, Part.VAL):
        end = when[(row > 0) & (row <= part)].max()
        past = mgg.as_of(done, part)
        edges = past.edges[KIND]
        assert edges.time.max() <= end
        assert edges.count == int((when <= end).sum())


def test_a_split_that_looks_ahead_is_noticed() -> None:
    data = mgg.stratified(graph([0, 1] * 20, range(40)), seeds=[0])
    with pytest.raises(InputError, match="the split is not by time"):
        mgg.as_of(data, Part.TRAIN)


def test_edges_without_times_stay_only_when_asked() -> None:
    timed = graph([0, 1] * 20, range(40))
    bare = EdgeTable(src=np.array([0]), dst=np.array([1]))
    data = mgg.by_time(Graph(nodes=timed.nodes, edges={KIND: bare}, time_unit="step"))
    with pytest.raises(InputError, match="edges user-pays-user have no times"):
        mgg.as_of(data, Part.TRAIN)
    assert mgg.as_of(data, Part.TRAIN, undated="keep").edge_count == 1


@given(st.lists(st.integers(0, 9), min_size=30, max_size=60), seeds_of)
def test_a_group_is_never_divided(groups: list[int], seeds: list[int]) -> None:
    data = graph([i % 3 - 1 for i in range(len(groups))])
    splits = parts(mgg.by_group(data, np.array(groups), seeds=seeds))
    known = data.nodes["user"].labels >= 0
    for row in splits:
        assert (row[known] > 0).all()
        assert (row[~known] == 0).all()
        for group in set(groups):
            assert len(set(row[known & (np.array(groups) == group)].tolist())) <= 1


def test_groups_fill_the_parts_as_asked() -> None:
    row = parts(mgg.by_group(graph([0, 1] * 300), np.arange(600) % 60, seeds=[3]))[0]
    assert np.bincount(row).tolist() == [0, 240, 120, 240]


def test_few_labels_are_twenty_and_eighty() -> None:
    labels = np.array([1] * 60 + [0] * 300 + [-1] * 40, np.int8)
    data = mgg.few_labels(graph(labels), seeds=mgg.GADBENCH_SEEDS)
    assert data.split_count == 10
    for row in parts(data):
        for part in (Part.TRAIN, Part.VAL):
            assert np.bincount(labels[row == part]).tolist() == [80, 20]
        assert np.bincount(labels[row == Part.TEST]).tolist() == [140, 20]
        assert (row[labels == -1] == 0).all()


def test_edges_can_be_split_too() -> None:
    users = graph([0, 1]).nodes
    ends = np.arange(40) % 2
    pays = EdgeTable(src=ends, dst=1 - ends, labels=(np.arange(40) % 4 == 0).astype(np.int8))
    data = mgg.stratified(Graph(nodes=users, edges={KIND: pays}), seeds=[0], of=KIND)
    assert data.edges[KIND].train_mask.sum() == 16
    assert data.nodes["user"].splits is None


@pytest.mark.parametrize(
    ("call", "error", "reason"),
    [
        (lambda g: mgg.stratified(g, seeds=[]), ParameterError, "seeds"),
        (lambda g: mgg.stratified(g, seeds=[-1]), ParameterError, "seeds"),
        (lambda g: mgg.stratified(g, seeds=[0], fractions=(0.5, 0.5, 0.5)), ParameterError, "sum to 1"),
        (lambda g: mgg.stratified(g, seeds=[0], of="card"), ParameterError, "no type 'card'"),
        (lambda g: mgg.stratified(g, seeds=[0], of=KIND), ParameterError, "has no labels"),
        (mgg.by_time, InputError, "no times to split by"),
        (lambda g: mgg.few_labels(g, seeds=[0]), ParameterError, "20 rows of label 1 twice"),
        (lambda g: mgg.by_group(g, np.zeros(3), seeds=[0]), ParameterError, "3 groups for 10 rows"),
        (lambda g: mgg.as_of(g, Part.TRAIN), InputError, "no times or no split"),
        (lambda g: g.with_split(0).nodes["user"].with_split(1), ParameterError, "no split 1"),
    ],
)
def test_what_cannot_be_divided_is_refused(call: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        call(graph([0, 1] * 5))
