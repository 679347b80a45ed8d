"""More training data and their fidelity from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_graph_build import run
from tests.graph.detectors.graphs import planted

from marigram import graph as mgg


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("graphs") / "users"
    planted(0, by="neighbours", n=300).save(place)
    return place


def test_a_fit_says_what_was_added_and_whether_it_helped(folder: Path, tmp_path: Path) -> None:
    command = ("graph", "fit", folder, "-o", tmp_path / "model", "--hops", "1", "--quiet", "--json")
    code, told = run(*command, "--augment", "smote", "--ratio", "2")
    assert code == 0
    found = json.loads(told)["augmentation"]
    assert (found["kind"], found["ratio"]) == ("smote", 2.0)
    assert found["helps"] in (True, False)
    assert "average precision" in found["reason"]
    assert run(*command, "--augment", "smot")[0] == 2


def test_rejected_nodes_are_left_out_of_the_page_and_of_the_graph(folder: Path, tmp_path: Path) -> None:
    data = mgg.load(folder)
    joined = mgg.augment(data, "duplicate", 2.0)
    joined.save(tmp_path / "joined")
    code, told = run(
        "graph", "report", folder, "-o", tmp_path / "page.html", "--top", "0", "--quiet", "--json",
        "--synthetic", tmp_path / "joined", "--reject", "0,3", "--accepted", tmp_path / "kept",
    )  # fmt: skip
    assert code == 0
    found = json.loads(told)["fidelity"]
    new = joined.nodes["user"].count - data.nodes["user"].count
    assert found["rejected"] == [0, 3]
    assert found["classes"][0]["new"] == new - 2
    assert mgg.load(tmp_path / "kept").nodes["user"].count == joined.nodes["user"].count - 2
    assert "New nodes beside real ones" in (tmp_path / "page.html").read_text()
    code, _ = run("graph", "report", folder, "--synthetic", tmp_path / "joined", "--reject", "x", "--quiet")
    assert code == 2
