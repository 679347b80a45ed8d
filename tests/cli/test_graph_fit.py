"""`marigram graph fit` and `graph score`: from a folder to a model, to scores with reasons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.test_graph_build import run
from tests.graph.detectors.graphs import planted

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
