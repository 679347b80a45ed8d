"""`marigram graph build`: what it prints builds the same graph again, and what is wrong is one line and a code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from tests.graph.data.test_events import many

from marigram import graph as mgg


def run(*arguments: str | Path, stdin: bytes | None = None) -> tuple[int, str]:
    from typer.testing import CliRunner

    from marigram.cli.app import app

    done = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
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


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "csv.gz"])
def test_build_reads_stdin_whatever_it_holds(form: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    rows = [(f"u{i % 7}", f"s{i % 5}", i / 2) for i in range(40)]
    texts = {
        "csv": "src,dst,amount\n" + "".join(f"{u},{s},{a}\n" for u, s, a in rows),
        "tsv": "src\tdst\tamount\n" + "".join(f"{u}\t{s}\t{a}\n" for u, s, a in rows),
        "jsonl": "".join(json.dumps({"src": u, "dst": s, "amount": a}) + "\n" for u, s, a in rows),
    }
    if form == "parquet":
        columns = dict(zip(("src", "dst", "amount"), map(list, zip(*rows, strict=True)), strict=True))
        pq.write_table(pa.table(columns), tmp_path / "events.parquet")
        content = (tmp_path / "events.parquet").read_bytes()
    else:
        content = texts[form.removesuffix(".gz")].encode()
        content = gzip.compress(content) if form.endswith(".gz") else content
    code, told = run("graph", "build", "-", "-o", tmp_path / "g", "--quiet", stdin=content)
    assert code == 0, told
    graph = mgg.load(tmp_path / "g")
    assert {name: table.count for name, table in graph.nodes.items()} == {"src": 7, "dst": 5}
    assert graph.edge_count == 40
    assert run("graph", "build", "-", "-o", tmp_path / "h", stdin=b" ")[0] == 3
