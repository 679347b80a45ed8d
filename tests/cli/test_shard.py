"""`watch --shard`: what several processes say together is what one would have said."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from marigram import ParameterError
from marigram.cli._shard import BUCKETS, Shard, buckets_of
from marigram.cli.app import app

N = 3000


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty hosts out of order, with spikes, and a broken line."""
    rng = np.random.default_rng(8)
    lines = []
    for i in range(N):
        value = rng.normal(50, 2) + (80 if i % 613 == 600 else 0)
        when = 1_700_000_000 + 60 * i - int(rng.integers(0, 300))
        lines.append(
            json.dumps({"ts": when, "host": f"web-{rng.integers(40)}", "load": round(value, 3)}) + "\n"
        )
    lines.insert(1000, '{"ts": 17000\n')
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_text("".join(lines))
    return path


def watch(*arguments: object) -> Result:
    columns = ("--time", "ts", "--key", "host", "--value", "load", "--json")
    result = CliRunner().invoke(app, ["watch", *map(str, arguments), *columns])
    assert "Traceback" not in result.stderr, result.stderr
    return result


def rows(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize("lateness", [[], ["--lateness", "5m"]])
def test_the_shards_together_give_the_verdicts_of_one_process(
    events: Path, tmp_path: Path, lateness: list[str]
) -> None:
    whole = watch(events, "--out", tmp_path / "whole.jsonl", "--rejects", tmp_path / "bad.jsonl", *lateness)
    parts = [
        watch(
            events, "--out", tmp_path / "v.jsonl", "--rejects", tmp_path / "r.jsonl",
            "--state", tmp_path / "state", "--shard", f"{i}/3", *lateness,
        )
        for i in (1, 2, 3)
    ]  # fmt: skip
    assert [part.exit_code for part in parts] == [0, 0, 0]
    found = [rows(tmp_path / f"v.{i}-of-3.jsonl") for i in (1, 2, 3)]
    assert all(found)
    assert sorted(chain(*found)) == sorted(rows(tmp_path / "whole.jsonl"))
    told: list[str] = [line for part in parts for line in part.stdout.splitlines()]
    assert sorted(told) == sorted(whole.stdout.splitlines())
    rejects: list[str] = [line for i in (1, 2, 3) for line in rows(tmp_path / f"r.{i}-of-3.jsonl")]
    assert rejects == rows(tmp_path / "bad.jsonl")
    summaries: list[dict[str, Any]] = [json.loads(part.stderr.splitlines()[-1]) for part in parts]
    assert sum(one["rows"] for one in summaries) == N
    assert all(one["lines"] == N + 1 for one in summaries)


def test_a_shard_goes_on_where_it_stopped_and_no_other_takes_its_state(events: Path, tmp_path: Path) -> None:
    half = tmp_path / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    half.write_bytes(b"".join(lines[: N // 2]))
    options = ("--state", tmp_path / "state", "--out", tmp_path / "v.jsonl", "--shard", "2/2")
    watch(half, *options)
    half.write_bytes(b"".join(lines))
    watch(half, *options)
    watch(half, "--out", tmp_path / "at-once.jsonl", "--shard", "2/2")
    assert rows(tmp_path / "v.2-of-2.jsonl") == rows(tmp_path / "at-once.2-of-2.jsonl")
    (tmp_path / "state.1-of-2").symlink_to(tmp_path / "state.2-of-2")
    refused = watch(half, "--state", tmp_path / "state", "--shard", "1/2")
    assert refused.exit_code == 2
    assert "shard was '2/2', is '1/2'" in refused.stderr


def test_a_shard_without_keys_of_its_own_is_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("ts,host,load\n" + "".join(f"{1_700_000_000 + i},web-1,{i % 7}\n" for i in range(50)))
    owner = int(buckets_of(["web-1"])[0]) * 2 // BUCKETS + 1
    assert watch(path, "--shard", f"{3 - owner}/2").exit_code == 0


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "1/0", "a/b", "-1/2", "1/2/3", "1/1025", ""])
def test_a_shard_that_is_none_is_refused(events: Path, text: str) -> None:
    result = watch(events, "--shard", text)
    assert result.exit_code == 2
    assert "write I/N" in result.stderr


def test_a_shard_needs_keys_of_their_own(events: Path, tmp_path: Path) -> None:
    keyless = tmp_path / "plain.csv"
    keyless.write_text("load\n" + "".join(f"{i % 11}\n" for i in range(300)))
    result = CliRunner().invoke(app, ["watch", str(keyless), "--shard", "1/2"])
    assert result.exit_code == 2
    assert "nothing to share out" in result.stderr
    pooled = tmp_path / "pool.toml"
    pooled.write_text("[detector]\npool = true\n")
    assert "share a tail" in watch(events, "--shard", "1/2", "--config", pooled).stderr


@given(st.integers(1, 1024))
def test_every_bucket_belongs_to_exactly_one_process(count: int) -> None:
    owners = sum(Shard(number, count).owns(np.arange(BUCKETS)).astype(int) for number in range(1, count + 1))
    assert np.array_equal(owners, np.ones(BUCKETS))


@given(st.lists(st.integers(0, 500), unique=True, max_size=40), st.integers(1, 9))
def test_every_partition_is_read_by_exactly_one_process(partitions: list[int], count: int) -> None:
    read = [one for number in range(1, count + 1) for one in Shard(number, count).partitions(partitions)]
    assert sorted(read) == sorted(partitions)


def test_buckets_are_what_they_always_were() -> None:
    assert buckets_of(["", "a", "web-1", "größe|b"]).tolist() == [0, 3651, 2408, 2028]


def test_a_number_of_a_process_is_checked() -> None:
    with pytest.raises(ParameterError):
        Shard.parse("9/8")
