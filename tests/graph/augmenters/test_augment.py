"""What every augmenter keeps to: real nodes stay, held-out nodes are not touched, one seed fixes everything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graph.detectors.graphs import QUICK, planted, relabelled

from marigram import graph as mgg
from marigram.errors import ParameterError
from marigram.graph.relations import has_both_ways

PLAIN = ("none", "duplicate", "undersample", "perturb", "smote", "mixup", "gaussian")
NEW = ("duplicate", "perturb", "smote", "mixup", "gaussian")


def odd(seed: int, *, both: bool = False, loops: bool = True, n: int = 120) -> mgg.Graph:
    """Users with numbers, a category and missing values; loops, parallel edges; visits to shops with times."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)).astype(np.float32)
    x[rng.random((n, 2)) < 0.1] = np.nan
    attributes = mgg.Columns(
        numeric=x, numeric_names=("a", "b"), codes=rng.integers(-1, 3, (n, 1)).astype(np.int32), code_names=("c",),
        vocabularies=(("u", "v", "w"),), text=np.empty((n, 0), np.float32),
    )  # fmt: skip
    src, dst = rng.integers(0, n, 4 * n), rng.integers(0, n, 4 * n)
    if not loops:
        src, dst = src[src != dst], dst[src != dst]
    if both:
        pairs = np.unique(np.concatenate([np.stack([src, dst]), np.stack([dst, src])], axis=1), axis=1)
        src, dst = pairs[0].copy(), pairs[1].copy()
    visits = 2 * n
    users = mgg.NodeTable(
        attributes=attributes, labels=(np.arange(n) % 8 == 0).astype(np.int8),
        time=rng.integers(0, 100, n),
    )  # fmt: skip
    graph = mgg.Graph(
        nodes={"user": users, "shop": mgg.NodeTable.bare(9)},
        edges={
            ("user", "pays", "user"): mgg.EdgeTable(
                src=src, dst=dst, attributes=mgg.Columns.of_numbers(rng.normal(size=(len(src), 1)).astype(np.float32))
            ),
            ("user", "visits", "shop"): mgg.EdgeTable(
                src=rng.integers(0, n, visits), dst=rng.integers(0, 9, visits), time=rng.integers(0, 100, visits)
            ),
        },
        time_unit="step",
    )  # fmt: skip
    return mgg.stratified(graph, seeds=[seed, seed + 1], fractions=(0.5, 0.25, 0.25))


def arrays(graph: mgg.Graph) -> list[np.ndarray[Any, Any]]:
    """All there is in a graph."""
    tables = [*graph.nodes.values(), *graph.edges.values()]
    found = [t.attributes.matrix()[0] for t in tables] + [
        e for t in graph.edges.values() for e in (t.src, t.dst)
    ]
    return found + [a for t in tables for a in (t.time, t.labels, t.splits) if a is not None]


@pytest.mark.parametrize("kind", [*PLAIN, "undersample+smote"])
def test_the_data_are_not_changed_and_real_nodes_keep_all_but_their_part(kind: str) -> None:
    data = odd(0)
    before = [a.copy() for a in arrays(data)]
    train = mgg.augment(data, kind, 3.0)
    for now, then in zip(arrays(data), before, strict=True):
        np.testing.assert_array_equal(now, then)
    users, old = train.nodes["user"], data.nodes["user"]
    real = np.arange(old.count)
    np.testing.assert_array_equal(users.attributes.take(real).matrix()[0], old.attributes.matrix()[0])
    np.testing.assert_array_equal(users.labels[real], old.labels)
    np.testing.assert_array_equal(users.val_mask[real], old.val_mask)
    np.testing.assert_array_equal(users.test_mask[real], old.test_mask)
    assert train.nodes["shop"].count == 9
    for name, table in data.edges.items():
        np.testing.assert_array_equal(train.edges[name].src[: table.count], table.src)
        np.testing.assert_array_equal(train.edges[name].dst[: table.count], table.dst)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), kind=st.sampled_from(NEW), both=st.booleans(), loops=st.booleans(),
    ratio=st.sampled_from([0.3, 1.0, 4.0]),
)  # fmt: skip
def test_new_nodes_are_training_anomalies_that_no_held_out_node_can_feel(
    seed: int, kind: str, both: bool, loops: bool, ratio: float
) -> None:
    data = odd(seed, both=both, loops=loops)
    old = data.nodes["user"]
    train = mgg.augment(data, kind, ratio, seed=seed)
    users, n = train.nodes["user"], old.count
    new = np.arange(n, users.count)
    assert len(new) == max(1, round(ratio * (old.labels[old.train_mask] == 1).sum()))
    assert (users.labels[new] == 1).all()
    assert users.train_mask[new].all()
    assert not users.splits[1][new].any(), "in another split its model may be in test"
    held = old.val_mask | old.test_mask
    pays = train.edges["user", "pays", "user"]
    for here, there in ((pays.src, pays.dst), (pays.dst, pays.src)):
        partners = there[here >= n]
        assert not held[partners[partners < n]].any()
    if both:
        assert has_both_ways(pays.src, pays.dst, users.count)
    assert np.isin(np.concatenate([pays.src, pays.dst]), np.arange(users.count)).all()


@pytest.mark.parametrize("kind", NEW)
def test_one_seed_fixes_everything_and_another_changes_something(kind: str) -> None:
    data = odd(1)
    first, again, other = (mgg.augment(data, kind, 2.0, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(arrays(first), arrays(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        a.shape != b.shape or not np.array_equal(a, b, equal_nan=True)
        for a, b in zip(arrays(first), arrays(other), strict=True)
    )


@pytest.mark.parametrize("kind", PLAIN)
def test_labels_of_held_out_nodes_are_never_looked_at(kind: str) -> None:
    data = planted(0, by="neighbours", n=300)
    users = data.nodes["user"]
    labels = users.labels.copy()
    rows = np.flatnonzero(users.test_mask | users.val_mask)
    labels[rows] = np.random.default_rng(1).permutation(labels[rows])
    assert (labels != users.labels).any()
    first, second = mgg.augment(data, kind, 2.0), mgg.augment(relabelled(data, labels), kind, 2.0)
    np.testing.assert_array_equal(
        first.nodes["user"].attributes.matrix()[0], second.nodes["user"].attributes.matrix()[0]
    )
    np.testing.assert_array_equal(
        first.edges["user", "pays", "user"].src, second.edges["user", "pays", "user"].src
    )


def test_a_twin_has_as_many_edges_as_its_model() -> None:
    data = odd(2, loops=False)
    old = data.nodes["user"]
    train = mgg.augment(data, "duplicate", 1.0)
    pays, visits = train.edges["user", "pays", "user"], train.edges["user", "visits", "shop"]
    known = np.flatnonzero(old.train_mask & (old.labels == 1))
    for ends in ([pays.src], [pays.dst], [visits.src]):
        degree = np.bincount(np.concatenate(ends), minlength=train.nodes["user"].count)
        before = np.bincount(ends[0][: data.edges["user", "pays", "user"].count], minlength=old.count)
        if ends[0] is visits.src:
            before = np.bincount(data.edges["user", "visits", "shop"].src, minlength=old.count)
        assert sorted(degree[old.count :]) == sorted(before[known])


def test_an_event_between_two_has_one_edge_of_each_kind() -> None:
    data = planted(3, by="neighbours")  # each user visits one shop
    n = data.nodes["user"].count
    for kind in NEW:
        visits = mgg.augment(data, kind, 3.0).edges["user", "visits", "shop"]
        assert (np.bincount(visits.src)[n:] == 1).all(), kind


def test_without_a_validation_part_one_is_cut_off_before_anything_is_made() -> None:
    data = planted(4, by="attributes", n=300, split=False)
    train = mgg.augment(data, "duplicate", 2.0)
    users, n = train.nodes["user"], data.nodes["user"].count
    known = np.flatnonzero(users.train_mask[:n] & (data.nodes["user"].labels == 1))
    assert users.val_mask.sum() > 50
    assert users.train_mask[n:].all()
    x = users.attributes.matrix()[0]
    assert {row.tobytes() for row in x[n:]} <= {row.tobytes() for row in x[known]}


def test_names_of_new_nodes_are_new() -> None:
    import pyarrow as pa

    data = planted(5, by="attributes", n=100)
    for ids in (pa.array([f"synthetic-{i}" for i in range(100)]), pa.array(np.arange(100) * 3)):
        users = mgg.NodeTable(
            attributes=data.nodes["user"].attributes, labels=data.nodes["user"].labels,
            splits=data.nodes["user"].splits, ids=ids,
        )  # fmt: skip
        train = mgg.augment(data.with_nodes(user=users), "duplicate", 1.0)
        names = train.nodes["user"].ids.to_pylist()
        assert len(set(names)) == len(names) == train.nodes["user"].count


def test_scores_of_other_types_keep_their_places() -> None:
    data = planted(6, by="attributes", n=100)  # users stand before shops
    train = mgg.augment(data, "smote", 1.0)
    assert train.places("user")[:100].tolist() == data.places("user").tolist()
    assert train.places("shop").tolist() == data.places("shop").tolist()
    assert sorted([*train.places("user"), *train.places("shop")]) == list(range(train.count))


def test_undersampling_makes_anomalies_as_frequent_as_asked() -> None:
    data = planted(7, by="attributes", n=800)
    users = mgg.augment(data, "undersample", 1.0).nodes["user"]
    old = data.nodes["user"]
    normal = (old.labels[old.train_mask] == 0).sum()
    kept = users.labels[users.train_mask]
    assert (kept == 1).sum() == (old.labels[old.train_mask] == 1).sum()
    assert (kept == 0).sum() == round(normal / 2)


def test_the_most_suspicious_join_and_a_part_can_be_kept_out() -> None:
    data = planted(8, by="attributes", n=800)
    users = data.nodes["user"]
    labels, parts = users.labels.copy(), users.splits.copy()
    hidden = np.flatnonzero(users.train_mask)[::2]
    labels[hidden], parts[0, hidden] = -1, mgg.Part.NONE
    data = data.with_nodes(user=users.with_labels(labels).with_splits(parts))
    for among in ("all", "unlabelled", "test"):
        how = mgg.SelfTraining(among=among)  # type: ignore[arg-type]
        train = mgg.augment(data, how, 1.0).nodes["user"]
        joined = np.flatnonzero(train.train_mask & ~data.nodes["user"].train_mask)
        assert len(joined)
        assert (train.labels[joined] == 1).any()
        tested = users.test_mask[joined]
        assert {"all": True, "unlabelled": not tested.any(), "test": tested.all()}[among]


@pytest.mark.parametrize("kind", ["duplicate", "smote"])
def test_a_detector_can_be_fitted_on_it(kind: str) -> None:
    data = planted(9, by="neighbours")
    model = mgg.NodeDetector(hops=2, trees=QUICK).fit(mgg.augment(data, kind, 2.0))
    score = model.score(data)
    users = data.nodes["user"]
    assert (
        mgg.figures(users.labels[users.test_mask] == 1, score[data.places("user")][users.test_mask]).auc > 0.9
    )


@pytest.mark.parametrize(
    ("kind", "ratio"),
    [("smot", 1.0), ("", 1.0), ("smote+", 1.0), ("smote", 0.0), ("smote", np.nan), (None, 1.0)],
)
def test_what_does_not_exist_is_refused(kind: Any, ratio: float) -> None:
    with pytest.raises(ParameterError):
        mgg.augment(planted(0, by="attributes", n=100), kind, ratio)
