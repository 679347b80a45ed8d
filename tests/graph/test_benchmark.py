"""The benchmark: the rows are those of the split, the rivals look at the same, and what fails is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError

pytest.importorskip("sklearn")
pytest.importorskip("lightgbm")

from marigram.graph.benchmark import Cells, measure, run, trials
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

    verdict, chosen, uses_graph = "helps", "trees", True
    validation = mgg.Comparison(0.5, 0.25, 0.25, 0.1, 0.4, 12, 48)
    fits = 0

    def __init__(self, kind: str, *, seed: int) -> None:
        self.seed = seed

    def fit(self, data: mgg.Graph) -> Detector:
        Detector.fits += 1
        return self

    def score(self, data: mgg.Graph, which: str = "best") -> Any:
        labels = data.nodes["user"].labels
        assert labels is not None
        noise = np.random.default_rng(self.seed).normal(size=len(labels))
        return data.flat({"user": noise + (4.0 * labels if which != "control" else 0.0)})


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "NodeDetector", Detector)


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


class Killed(BaseException):
    """What ends a run from outside."""


def test_a_run_that_was_killed_goes_on_and_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, file = mgg.stratified(world(), seeds=range(3)), tmp_path / "cells.jsonl"

    def measured(cells: Cells) -> dict[str, Any]:
        found = measure(graph, "some", labels=["full"], runs=3, peers=False, cells=cells)
        for row in found["protocols"][0]["rows"].values():
            row.pop("seconds")
        return found

    whole = measured(Cells())
    begun = []

    def until_killed(*args: Any, **how: Any) -> Any:
        begun.append(how["neighbours"])
        if len(begun) == 3:
            raise Killed
        return extra_trees(*args, **how)

    monkeypatch.setattr("marigram.graph.benchmark.rivals.extra_trees", until_killed)
    with pytest.raises(Killed):
        measured(Cells(file))
    file.write_bytes(file.read_bytes()[:-20])  # and the last line was not written to its end
    monkeypatch.undo()
    monkeypatch.setattr(trials, "NodeDetector", Detector)
    lines, before = file.read_text().count("\n"), Detector.fits
    assert measured(Cells(file)) == whole
    assert Detector.fits - before == 3 - lines // 3 - (lines % 3 > 0)
    before = Detector.fits
    again = Cells(file)
    assert len(again) == 9
    assert measured(again) == whole
    assert Detector.fits == before


def test_cells_of_another_graph_do_not_count_and_foreign_lines_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    measure(world(), "some", labels=["full"], runs=1, peers=False, cells=Cells(file))
    before = Detector.fits
    measure(world(seed=1), "some", labels=["full"], runs=1, peers=False, cells=Cells(file))
    assert Detector.fits == before + 1
    file.write_text('{"set": "some"}\n')
    with pytest.raises(InputError, match="cells"):
        Cells(file)


def test_helps_is_refuted_where_the_graph_loses_on_test(monkeypatch: pytest.MonkeyPatch) -> None:
    class Misled(Detector):
        def score(self, data: mgg.Graph, which: str = "best") -> Any:
            return super().score(data, {"graph": "control", "control": "graph"}.get(which, which))

    for model, refuted in ((Detector, 0), (Misled, 3)):
        monkeypatch.setattr(trials, "NodeDetector", model)
        graph = mgg.stratified(world(), seeds=range(3))
        (protocol,) = measure(graph, "some", labels=["full"], runs=3, peers=False)["protocols"]
        assert protocol["gain"]["trees"]["refuted"] == refuted
        assert [fit["validation"]["positives"] for fit in protocol["fits"]["trees"]] == [12] * 3
