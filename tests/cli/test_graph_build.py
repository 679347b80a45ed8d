"""`marigram graph build`: what it prints builds the same graph again, and what is wrong is one line and a code."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
from tests.graph.data.test_events import many

from marigram import graph as mgg


def run(*arguments: str | Path) -> tuple[int, str]:
    from typer.testing import CliRunner

    from marigram.cli.app import app

    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_build_prints_a_schema_that_builds_the_same_graph(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    events = tmp_path / "events.parquet"
    pq.write_table(pa.table(many() | {"label": [0, 1, 0, 0] * 100}), events)
    code, printed = run("graph", "build", events, "-o", tmp_path / "a", "--quiet")
    assert code == 0
    schema = tmp_path / "graph.toml"
    schema.write_text(printed[: printed.index("event: 400 rows")])
    code, told = run("graph", "build", events, "--schema", schema, "-o", tmp_path / "b", "--json", "--quiet")
    assert code == 0
    assert json.loads(told)["nodes"]["event"] == {
        "rows": 400,
        "attributes": 34,
        "anomalous": 100,
        "normal": 300,
    }
    assert (tmp_path / "a" / "graph.toml").read_bytes() == (tmp_path / "b" / "graph.toml").read_bytes()
    nodes = mgg.load(tmp_path / "a").nodes["event"]
    assert nodes.time[nodes.train_mask].max() < nodes.time[nodes.val_mask].min()
    assert nodes.time[nodes.val_mask].max() < nodes.time[nodes.test_mask].min()


def test_build_takes_tables_of_entities_and_seeds(tmp_path: Path) -> None:
    events, users = tmp_path / "events.csv", tmp_path / "users.csv"
    events.write_text("src,dst\n" + "".join(f"u{i},u{i + 1}\n" for i in range(29)))
    users.write_text("id,label\n" + "".join(f"u{i},{i % 3 == 0:d}\n" for i in range(30)))
    code, _ = run(
        "graph", "build", events, "--nodes", f"node={users}", "-o", tmp_path / "g", "--seeds", "5,6"
    )
    assert code == 0
    graph = mgg.load(tmp_path / "g")
    expected = mgg.stratified(graph, seeds=[5, 6])
    assert graph.nodes["node"].splits.tolist() == expected.nodes["node"].splits.tolist()


def test_build_refuses_with_one_line_and_a_code(tmp_path: Path) -> None:
    assert run("graph", "build", tmp_path / "no.csv", "-o", tmp_path / "g")[0] == 3
    assert run("graph", "build", "x.csv", "--published", "nobody", "-o", tmp_path / "g")[0] == 2
    assert (
        run("graph", "build", "x.csv", "--published", "weibo", "--nodes", "a=b", "-o", tmp_path / "g")[0] == 2
    )
    assert not (tmp_path / "g").exists()
