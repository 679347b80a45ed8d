"""The report: nothing from outside runs or asks, the figures are those of the metrics, the drawing is complete."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.graph.standin import StandIn, Why

from marigram import graph as mgg
from marigram.errors import ParameterError
from marigram.graph.report.ego import FIRST, SECOND, ego_of
from marigram.graph.report.layout import rings, spaced

NASTY = "<script>alert(1)</script>\"'&\x1b[2J<img src=//x>"
PAYS = ("user", "pays", "user")
OWNS = ("user", "owns", NASTY)


def world(seed: int = 0, count: int = 300) -> mgg.Graph:
    """Return users and cards, names of everything hostile, with a split."""
    rng = np.random.default_rng(seed)
    users = mgg.NodeTable(
        attributes=mgg.Columns.of_numbers(rng.normal(size=(count, 2)).astype(np.float32), (NASTY, "age")),
        ids=pa.array([f"{NASTY}{i}" for i in range(count)]),
        labels=(rng.random(count) < 0.2).astype(np.int8),
    )
    src, dst = rng.integers(0, count, (2, 4 * count))
    edges = {
        PAYS: mgg.EdgeTable(src=src, dst=dst),
        OWNS: mgg.EdgeTable(src=np.arange(count), dst=rng.integers(0, 20, count)),
    }
    return mgg.stratified(
        mgg.Graph(nodes={"user": users, NASTY: mgg.NodeTable.bare(20)}, edges=edges), seeds=[seed]
    )


def fitted(graph: mgg.Graph, seed: int = 0) -> StandIn:
    rng, labels = np.random.default_rng(seed), graph.nodes["user"].labels
    assert labels is not None
    scores = {
        name: graph.flat({"user": 1 / (1 + np.exp(2 - pull * labels - rng.normal(size=len(labels))))})
        for name, pull in (("best", 2.0), ("graph", 1.8), ("control", 0.3))
    }
    why = Why(
        ((NASTY, 1.5, 0.4), ("age", float("nan"), -0.1)), (("user", 3, PAYS, 0.2), (NASTY, 2, OWNS, 0.1))
    )
    return StandIn(
        scores, reason=NASTY, chosen=NASTY, kind=NASTY, why=why, importances={NASTY: 0.7, "age": 0.3}
    )


class Tags(HTMLParser):
    """Collects the tags and attributes of a page, and sees that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_what_comes_from_outside_neither_runs_nor_asks() -> None:
    graph = world()
    page = mgg.Report(graph, fitted(graph), title=NASTY, top=3).html
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "img", "link", "iframe", "object", "a", "use", "image"}
    attributes = {name for _, found in tags.found for name in found}
    assert not {name for name in attributes if name.startswith("on")} | (
        attributes & {"href", "src", "xlink:href"}
    )
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") > 20


def test_the_figures_are_those_of_the_metrics() -> None:
    graph = world()
    model = fitted(graph)
    told = mgg.Report(graph, model, top=2).as_dict()
    table = graph.nodes["user"]
    assert table.labels is not None
    truth = table.labels[table.test_mask] == 1
    for which, row in told["figures"]["rows"].items():
        score = model.scores[which][:300][table.test_mask]
        assert [row[name][0] for name in ("auc", "ap", "recall")] == pytest.approx(mgg.figures(truth, score))
        for name in ("auc", "ap", "recall"):
            assert row[name][1] <= row[name][0] <= row[name][2]
    gain = told["figures"]["rows"]["graph"]["ap"][0] - told["figures"]["rows"]["control"]["ap"][0]
    assert told["figures"]["gain_ap"][0] == pytest.approx(gain)
    looked, found = told["figures"]["budgets"][0]
    order = np.argsort(-model.scores["best"][:300][table.test_mask])
    assert (looked, found) == (10, truth[order[:10]].sum())
    json.dumps(told, allow_nan=False)


def test_the_highest_scores_are_of_nodes_that_were_not_fitted() -> None:
    graph = world()
    model = fitted(graph)
    table = graph.nodes["user"]
    told = mgg.Report(graph, model, top=5).as_dict()["top"]
    rows = [int(re.findall(r"\d+$", top["node"])[0]) for top in told]
    expected = np.flatnonzero(table.test_mask)[np.argsort(-model.scores["best"][:300][table.test_mask])[:5]]
    assert rows == expected.tolist()


def test_scores_are_read_in_the_order_of_the_source() -> None:
    graph = world()
    shuffled = replace(graph, order=np.random.default_rng(1).permutation(graph.count))
    first, second = (mgg.Report(one, fitted(one), top=4).as_dict() for one in (graph, shuffled))
    assert first == second


def test_without_labels_or_a_split_there_are_scores_alone() -> None:
    graph = world()
    model = fitted(graph)
    for bare in (
        graph.with_splits("user", None),
        graph.with_nodes(user=graph.nodes["user"].with_labels(None)),
    ):
        report = mgg.Report(bare, model, top=2)
        told = report.as_dict()
        assert told["figures"] is None
        assert told["leaks"] is None
        assert len(told["top"]) == 2
        assert "Not measured" in report.html


def test_leaks_and_a_verdict_against_the_graph_are_told() -> None:
    graph = world()
    users = graph.nodes["user"]
    assert users.labels is not None
    named = mgg.Columns.of_numbers(users.labels.astype(np.float32)[:, None], ("refunded",))
    told = graph.with_nodes(user=users.with_attributes(named))
    page = mgg.Report(told, replace(fitted(graph), verdict="does not help", uses_graph=False), top=0).html
    assert '<div class="leak">' in page
    assert "The graph does not help" in page
    assert "the model without the graph" in page
    assert "The highest scores</h2>" not in page


def test_equal_input_gives_an_equal_page(tmp_path: Path) -> None:
    graph = world()
    for name in ("a", "b"):
        mgg.Report(graph, fitted(graph)).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_cannot_be_told_is_refused() -> None:
    graph = world()
    with pytest.raises(ParameterError, match="scores nodes of type 'shop'"):
        mgg.Report(graph, replace(fitted(graph), node_type="shop"))
    with pytest.raises(ParameterError, match="top"):
        mgg.Report(graph, fitted(graph), top=51)


# --- the drawing -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 40), st.integers(0, 299))
def test_the_neighbourhood_is_that_of_the_graph(seed: int, centre: int) -> None:
    graph = world(seed)
    ego = ego_of(graph, ("user", centre), rank={}, scores={})
    links = set()
    for kind, table in graph.edges.items():
        for u, v in zip(table.src.tolist(), table.dst.tolist(), strict=True):
            links |= {((kind[0], u), (kind[2], v), kind)}
    near = {a if b == ego.nodes[0] else b for a, b, _ in links if ego.nodes[0] in (a, b)} - {ego.nodes[0]}
    assert ego.neighbours == len(near)
    first = {node for node, hop in zip(ego.nodes, ego.hop, strict=True) if hop == 1}
    assert first <= near
    assert len(first) == min(len(near), FIRST)
    assert ego.hop.count(2) <= SECOND
    assert len(set(ego.nodes)) == len(ego.nodes)
    inner = {ego.nodes[0], *first}
    expected = {
        (*sorted((ego.nodes.index(a), ego.nodes.index(b))), kind)
        for a, b, kind in links
        if a != b and a in ego.nodes and b in ego.nodes and (a in inner or b in inner)
    }
    assert set(ego.links) == expected
    places = rings(ego, (100.0, 180.0))
    assert np.allclose(np.linalg.norm(places, axis=1), np.array([0.0, 100.0, 180.0])[list(ego.hop)])


def test_neighbours_that_carried_the_score_are_drawn_first() -> None:
    graph = world(count=600)
    edges = mgg.EdgeTable(src=np.zeros(100, np.int64), dst=np.arange(1, 101))
    hub = mgg.Graph(nodes=graph.nodes, edges={PAYS: edges})
    rank = {("user", node): 0.1 for node in (17, 33)}
    ego = ego_of(hub, ("user", 0), rank=rank, scores={})
    assert set(ego.nodes[1:3]) == set(rank)
    assert ego.neighbours == 100


@given(st.lists(st.floats(0, 6.28), min_size=2, max_size=40))
def test_nodes_of_a_ring_keep_apart(wished: list[float]) -> None:
    placed = np.sort(spaced(np.array(wished)) % (2 * np.pi))
    gaps = np.diff(placed, append=placed[0] + 2 * np.pi)
    assert gaps.min() >= 0.8 * 2 * np.pi / len(wished) - 1e-9


def test_a_ring_with_room_stands_as_wished() -> None:
    wished = np.array([0.3, 2.0, 4.4])
    assert np.allclose(np.cos(spaced(wished)), np.cos(wished), atol=0.12)
