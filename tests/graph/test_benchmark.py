"""The benchmark: the rows are those of the split, the rivals look at the same, and what fails is told."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from marigram import graph as mgg
from marigram.errors import ParameterError

pytest.importorskip("sklearn")
pytest.importorskip("lightgbm")

from marigram.graph.benchmark import measure, run
from marigram.graph.benchmark.published import published
from marigram.graph.benchmark.rivals import extra_trees, flatten


def world(count: int = 240, seed: int = 0) -> mgg.Graph:
    """Return users that are fraudulent when their card is, and cards with one attribute of their own."""
    rng = np.random.default_rng(seed)
    bad = rng.random(30) < 0.3
    card = rng.integers(0, 30, count)
    labels = (bad[card] ^ (rng.random(count) < 0.05)).astype(np.int8)
    x = rng.normal(size=(count, 2)).astype(np.float32)
    x[0, 0] = np.nan
    users = mgg.NodeTable(attributes=mgg.Columns.of_numbers(x, ("age", "spent")), labels=labels)
    marks = (bad * 2.0 + rng.normal(size=30)).astype(np.float32)[:, None]
    cards = mgg.NodeTable(attributes=mgg.Columns.of_numbers(marks, ("spent",)))
    owns = mgg.EdgeTable(src=np.arange(count), dst=card)
    return mgg.Graph(nodes={"card": cards, "user": users}, edges={("user", "owns", "card"): owns})


class Detector:
    """Stands for the detector: it knows the labels, its control does not."""

    verdict = "helps"

    def __init__(self, kind: str, *, seed: int) -> None:
        self.seed = seed

    def fit(self, data: mgg.Graph) -> Detector:
        return self

    def score(self, data: mgg.Graph, which: str = "best") -> Any:
        labels = data.nodes["user"].labels
        assert labels is not None
        noise = np.random.default_rng(self.seed).normal(size=len(labels))
        return data.flat({"user": noise + (4.0 * labels if which != "control" else 0.0)})


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "NodeDetector", Detector)


def test_types_become_one_and_names_one_column() -> None:
    graph = world()
    flat = flatten(graph, "user")
    assert flat.x.shape == (270, 2)
    assert flat.rows == slice(30, 270)
    assert np.isfinite(flat.x).all()
    cards, users = (graph.nodes[name].attributes.numeric for name in ("card", "user"))
    spent = np.concatenate([cards[:, 0], users[:, 1]])
    assert sorted(flat.x[:, 0].tolist()) == sorted(spent.tolist()) or np.allclose(flat.x[:, 1], spent)
    edges = graph.edges["user", "owns", "card"]
    dense = flat.adjacency.toarray()
    assert (dense == dense.T).all()
    assert dense.sum() == 2 * edges.count
    assert all(dense[30 + u, c] for u, c in zip(edges.src.tolist(), edges.dst.tolist(), strict=True))


def test_neighbours_help_the_extra_trees_where_the_graph_holds_the_answer() -> None:
    graph = mgg.stratified(world(), seeds=[0])
    table, flat = graph.nodes["user"], flatten(graph, "user")
    assert table.labels is not None
    known = np.where(table.test_mask, np.int8(-1), table.labels)
    aucs = {
        more: mgg.figures(
            table.labels[table.test_mask], extra_trees(flat, known, 0, neighbours=more)[table.test_mask]
        ).auc
        for more in (False, True)
    }
    assert aucs[True] > 0.85 > 0.75 > aucs[False]


def test_figures_are_of_the_test_rows_of_each_split() -> None:
    graph = mgg.stratified(world(), seeds=[3, 4, 5])
    found = measure(graph, "some", labels=["full"], runs=3, peers=False)
    (protocol,) = found["protocols"]
    ours = protocol["rows"]["marigram trees"]
    expected = []
    for i in range(3):
        shown = graph.with_split(i)
        table = shown.nodes["user"]
        score = Detector("trees", seed=i).score(shown)[shown.places("user")]
        expected.append(mgg.figures(table.labels[table.test_mask], score[table.test_mask]).ap)  # type: ignore[index]
    assert ours["ap"]["runs"] == pytest.approx(expected)
    assert ours["ap"]["mean"] == pytest.approx(np.mean(expected))
    assert ours["ap"]["std"] == pytest.approx(np.std(expected, ddof=1))
    gain = protocol["gain"]["trees"]
    assert gain["corrected_low"] < gain["low"] < gain["mean"] < gain["high"] < gain["corrected_high"]
    assert gain["low"] > 0
    assert protocol["verdicts"] == {"trees": {"helps": 3}}
    json.dumps(found, allow_nan=False)


def test_a_graph_without_splits_gets_stated_ones_and_few_labels_their_own() -> None:
    full, few = measure(world(), "some", runs=2, peers=False)["protocols"]
    assert full["splits"].startswith("stratified 40/20/40, seeds 0")
    assert few["splits"] == "20 + 80 nodes, seeds 3407 + 10 i"
    assert measure(world(count=90), "some", labels=["100"], runs=1, peers=False)["protocols"][0]["left_out"]


def test_a_rival_that_fails_is_told_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def broken(*_: object) -> None:
        tried.append(1)
        raise ImportError("needs a library")

    monkeypatch.setattr(run, "rivals", lambda *, peers: iter([("broken", broken)]))
    (protocol,) = measure(world(), "some", labels=["full"], runs=2)["protocols"]
    assert protocol["rows"]["broken"] == {"failed": "ImportError: needs a library"}
    assert len(tried) == 1


def test_published_figures_stand_beside_full_labels_alone() -> None:
    assert {row.method for row in published("Tolokers", "full")} >= {"GraphSAGE", "RFGraph"}
    assert published("tolokers", "100") == ()
    assert published("unheard of", "full") == ()


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ParameterError, match="runs"):
        measure(world(), "some", runs=11)
    bare = mgg.Graph(nodes={"user": mgg.NodeTable.bare(3)}, edges={})
    with pytest.raises(ParameterError, match="labels"):
        measure(bare, "some")
