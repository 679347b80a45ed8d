"""The speed benchmark measures the same stream for everyone, and only what it says."""

import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from marigram.cli.speed.clock import Rate, one_thread, timed
from marigram.cli.speed.forms import FORMS
from marigram.cli.speed.memory import memory_limit
from marigram.cli.speed.peers import PEERS, PlainLoop, decode_json_lines, installed
from marigram.cli.speed.streams import key_names, make_events, warm_rounds, write_json_lines, write_parquet


def test_a_stream_is_the_same_for_everyone():
    first, again, other = (make_events(500, 20, 1, seed) for seed in (1, 1, 2))
    assert (first.values == again.values).all()
    assert (first.keys == again.keys).all()
    assert (first.values != other.values).any()
    assert first.values.shape == (500,)
    assert make_events(500, 1, 32, 1).values.shape == (500, 32)
    assert set(first.keys) == set(range(20))
    assert (np.diff(first.times) == 300_000_000_000 // 20).all()


def test_warm_rounds_give_every_key_its_events_before_the_stream():
    parts = list(warm_rounds(64, 50_000, 1, seed=1))
    counts = sum(np.bincount(part.keys, minlength=50_000) for part in parts)
    times = np.concatenate([part.times for part in parts])
    assert (counts == 64).all()
    assert (np.diff(times) > 0).all()
    assert times[-1] < make_events(1, 50_000, 1, seed=1).times[0]


@pytest.mark.parametrize("iso", [False, True])
def test_files_hold_the_stream(tmp_path, iso):
    events = make_events(300, 7, 1, seed=3)
    write_json_lines(tmp_path / "e.jsonl", events, iso)
    write_parquet(tmp_path / "e.parquet", events)
    rows = [json.loads(line) for line in (tmp_path / "e.jsonl").read_bytes().splitlines()]
    table = pq.read_table(tmp_path / "e.parquet").to_pydict()
    expected = key_names(events.keys).to_pylist()
    stamps = events.times // 1_000_000
    if iso:
        read = [int(np.datetime64(row["time"].removesuffix("Z"), "ms").astype(int)) for row in rows]
    else:
        read = [row["time"] for row in rows]
    assert read == stamps.tolist()
    assert [row["key"] for row in rows] == table["key"] == expected
    assert [row["value"] for row in rows] == table["value"] == np.round(events.values, 4).tolist()
    assert [int(moment.timestamp() * 1000) for moment in table["time"]] == stamps.tolist()
    keys, values = decode_json_lines((tmp_path / "e.jsonl").read_bytes().splitlines())
    assert (keys, values) == (table["key"], table["value"])


def test_the_clock_stops_at_the_budget_and_counts_what_was_done():
    assert timed(len, [[1, 2], [3]]).events == 3
    assert timed(len, [[1, 2], [3]], budget=0.0).events == 2
    rate = Rate(10, wall=2.0, cpu=0.5)
    assert (rate.per_second, rate.per_cpu_second) == (5.0, 20.0)


def test_one_thread_is_asked_of_every_pool(monkeypatch):
    for pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
        monkeypatch.setenv(f"{pool}_NUM_THREADS", "7")
    one_thread()
    assert {os.environ[f"{pool}_NUM_THREADS"] for pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")} == {"1"}


def test_the_memory_limit_counts_its_updates():
    keys = np.array([0, 2, 2, 1])
    rate = memory_limit(keys, np.ones(4), 3)
    assert rate.events == 4
    assert rate.wall > 0.0


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")  # rrcf imports it
@pytest.mark.parametrize(
    ("name", "d"), [(name, d) for name, entry in PEERS.items() for d in (1, 32) if entry.can(1, d)]
)
def test_a_peer_scores_and_learns(name, d):
    entry = PEERS[name]
    if not installed(entry):
        pytest.skip(f"this machine lacks {entry.module}")
    part = make_events(20, 1, d, seed=1)
    entry.make(d).learn((part.keys.tolist(), part.values.tolist()))


def test_the_plain_loop_is_the_recursion_for_floats_and_vectors():
    part = make_events(200, 3, 2, seed=1)
    vectors, floats = PlainLoop(2), PlainLoop(1)
    vectors.learn((part.keys.tolist(), part.values.tolist()))
    floats.learn((part.keys.tolist(), part.values[:, 1].tolist()))
    for key in range(3):
        level, variance, _ = vectors._state[key]
        assert floats._state[key][:2] == pytest.approx([level[1], variance[1]])


def test_only_keyed_peers_run_over_many_keys():
    assert {name for name, entry in PEERS.items() if entry.can(10_000, 1)} == {
        "plain Python loop",
        "river.GaussianScorer",
    }


def test_the_forms_hold_what_was_promised():
    sizes = {(form.keys, form.d, form.shape) for form in FORMS.values()}
    assert {(1, 1, "arrays"), (10_000, 1, "arrays"), (1_000_000, 1, "arrays"), (1, 32, "arrays")} <= sizes
    assert {"json lines", "parquet"} <= {form.shape for form in FORMS.values()}
    assert all(form.sizes(quick=True) <= form.sizes(quick=False) for form in FORMS.values())
