"""`marigram graph synth`: from a folder to a folder with new nodes in it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tests.cli.test_graph_build import run
from tests.graph.synthesis.graphs import KIND, social

from marigram import graph as mgg


def test_new_nodes_join_the_graph_and_a_kept_model_draws_them_again(tmp_path: Path) -> None:
    social(120).save(tmp_path / "data")
    quick = ["--budget", "0.02", "--hops", "1", "--model", tmp_path / "model", "--json"]
    code, told = run(
        "graph", "synth", tmp_path / "data", "-n", "30", "--label", "1", "-o", tmp_path / "one", *quick
    )
    assert code == 0, told
    about = json.loads(told)
    joined = mgg.load(tmp_path / "one")
    assert joined.nodes["user"].count == 150
    assert (joined.nodes["user"].labels[-30:] == 1).all()
    assert joined.edges[KIND].count == social(120).edges[KIND].count + about["edges"]["user knows user"]
    code, told = run("graph", "synth", tmp_path / "data", "-n", "30", "-o", tmp_path / "two", *quick)
    assert code == 0, told
    np.testing.assert_array_equal(mgg.load(tmp_path / "two").edges[KIND].dst, joined.edges[KIND].dst)
    code, told = run(
        "graph", "synth", tmp_path / "data", "-n", "9", "--alone", "-o", tmp_path / "three", *quick
    )
    assert code == 0, told
    assert mgg.load(tmp_path / "three").count == 9


def test_wrong_use_is_one_line_and_a_code(tmp_path: Path) -> None:
    social(40).save(tmp_path / "data")
    code, told = run("graph", "synth", tmp_path / "data", "-o", tmp_path / "out", "--hops", "9")
    assert code == 2, told
