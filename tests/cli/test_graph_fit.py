"""`marigram graph fit` and `graph score`: from a folder to a model, to scores with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_graph_build import run
from tests.graph.detectors.graphs import payments, planted

from marigram import graph as mgg


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, object]]:
    place = tmp_path_factory.mktemp("graph")
    planted(0, by="neighbours", n=250).save(place / "data")
    code, told = run("graph", "fit", place / "data", "-o", place / "model", "--hops", "1", "--json")
    assert code == 0, told
    return place / "data", place / "model", json.loads(told)


def test_fit_tells_its_verdict(fitted: tuple[Path, Path, dict[str, object]]) -> None:
    _, model, told = fitted
    assert told["verdict"] in ("helps", "does not help", "too few labels")
    assert told["model"] == str(model)
    assert told["node_type"] == "user"


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_score_writes_what_the_detector_says(
    fitted: tuple[Path, Path, dict[str, object]], suffix: str, tmp_path: Path
) -> None:
    data, model, _ = fitted
    code, told = run(
        "graph", "score", data, "-m", model, "-o", tmp_path / f"s{suffix}", "--top", "3", "--explain", "1"
    )
    assert code == 0, told
    graph = mgg.load(data)
    wanted = mgg.NodeDetector.load(model).score(graph)
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["score"] for line in lines] == sorted(wanted[~np.isnan(wanted)])[::-1][:3]
    assert lines[0]["features"]
    assert "features" not in lines[1]
    import pyarrow.csv as pa_csv
    import pyarrow.json as pa_json
    import pyarrow.parquet as pa_parquet

    read = {".csv": pa_csv.read_csv, ".parquet": pa_parquet.read_table, ".jsonl": pa_json.read_json}[suffix]
    table = read(tmp_path / f"s{suffix}")
    np.testing.assert_allclose(table["score"], wanted[graph.places("user")], rtol=1e-12)


def test_wrong_use_is_one_line_and_a_code(
    fitted: tuple[Path, Path, dict[str, object]], tmp_path: Path
) -> None:
    data, model, _ = fitted
    code, _ = run("graph", "fit", data, "-o", tmp_path, "--hops", "99")
    assert code == 2
    code, _ = run("graph", "score", data, "-m", tmp_path / "none")
    assert code == 3
    code, _ = run("graph", "score", data, "-m", model, "-o", tmp_path / "s.xyz")
    assert code == 2


def test_edges_are_scored_by_the_name_of_their_type(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    src, dst = rng.integers(0, 30, 300), rng.integers(0, 9, 300)
    labels = (src < 6).astype(np.int8)
    pays = mgg.EdgeTable(src=src, dst=dst, time=np.arange(300), labels=labels)
    nodes = {"user": mgg.NodeTable.bare(30), "shop": mgg.NodeTable.bare(9)}
    data = mgg.Graph(nodes=nodes, edges={("user", "pays", "shop"): pays}, time_unit="step")
    mgg.by_time(data, of=("user", "pays", "shop")).save(tmp_path / "data")
    fit = ("graph", "fit", tmp_path / "data", "-o", tmp_path / "model", "--hops", "1", "--json")
    code, told = run(*fit, "--edges", "user pays shop")
    assert code == 0, told
    assert json.loads(told)["node_type"] == "user pays shop"
    code, told = run(
        "graph", "score", tmp_path / "data", "-m", tmp_path / "model", "-o", tmp_path / "s.csv", "--top", "2"
    )
    assert code == 0, told
    assert len(told.splitlines()) == 2
    import pyarrow.csv as pa_csv

    table = pa_csv.read_csv(tmp_path / "s.csv")
    assert table.column_names == ["edge", "source", "target", "score"]
    np.testing.assert_array_equal(table["source"], src)
    wanted = mgg.EdgeDetector.load(tmp_path / "model").score(mgg.load(tmp_path / "data"))
    np.testing.assert_allclose(table["score"], wanted, rtol=1e-12)
    code, _ = run(*fit, "--edges", "user eats shop")
    assert code == 2


def test_a_network_goes_from_a_folder_to_reasons(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    payments(0, n=120).save(tmp_path / "data")
    code, told = run("graph", "fit", tmp_path / "data", "-o", tmp_path / "model", "--detector", "sage")
    assert code == 0, told
    assert json.loads(told)["chosen"] == "sage"
    code, told = run(
        "graph", "score", tmp_path / "data", "-m", tmp_path / "model", "--top", "2", "--explain", "1"
    )
    assert code == 0, told
    first, second = map(json.loads, told.splitlines())
    assert first["score"] >= second["score"]
    assert {feature["name"] for feature in first["features"]} >= {"amount"}
