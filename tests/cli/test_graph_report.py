"""`marigram graph report` and `bench` from the command line, on a small graph, with the real detector."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_graph_build import run
from tests.graph.test_benchmark import world

from marigram import graph as mgg


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("graphs") / "cards"
    mgg.stratified(world(), seeds=[0, 1]).save(place)
    return place


def test_a_page_is_written_and_its_figures_printed(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    code, told = run("graph", "report", folder, "-o", page, "--split", "1", "--top", "2", "--json", "--quiet")
    assert code == 0
    found = json.loads(told)
    assert found["page"] == str(page)
    assert len(found["top"]) == 2
    assert found["figures"]["part"] == "test"
    text = page.read_text()
    assert "Graph cards" in text
    assert "Split 2 of 2" in text


def test_a_saved_model_gives_the_same_page_as_the_one_it_was(folder: Path, tmp_path: Path) -> None:
    model = mgg.NodeDetector().fit(mgg.load(folder))
    model.save(tmp_path / "model")
    for name, more in (("a", ()), ("b", ("--model", tmp_path / "model"))):
        code, told = run("graph", "report", folder, "-o", tmp_path / name, "--quiet", *more)
        assert code == 0, told
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()


def test_the_bench_takes_a_folder_with_a_graph(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    command = ("graph", "bench", "--data", folder, "--labels", "full", "--runs", "2", "--no-peers", "--quiet")
    command += ("--json", "--keep", tmp_path / "cells.jsonl")
    code, told = run(*command, "-o", out)
    assert code == 0
    assert json.loads(told) == json.loads(out.read_text())
    assert run(*command) == (0, told)  # down to the seconds: nothing was measured again
    (protocol,) = json.loads(told)["sets"][0]["protocols"]
    assert set(protocol["rows"]) >= {
        "marigram trees",
        "extra-trees, attributes",
        "extra-trees, and neighbours",
    }
    assert protocol["rows"]["marigram trees"]["ap"]["mean"] > 0.5


def test_what_is_no_graph_is_said_in_a_line(tmp_path: Path) -> None:
    code, told = run("graph", "bench", "--data", tmp_path)
    assert code == 3
    assert "no graph.toml and 0 .npz files" in told
    code, told = run("graph", "report", tmp_path / "nothing")
    assert code == 3
