"""The streams of entities: what they find, what they never read, and that nothing depends on the cut into batches."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.bridge import EntityStreams, EventVerdicts
from marigram.bridge.streams.codes import Codebook, packed, unpacked
from marigram.bridge.streams.settings import Settings, camel, purpose_of, streams_of
from marigram.bridge.streams.tables import OpenTable
from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.events import EntitySchema, Purpose

SCHEMA = EntitySchema(
    time="at", unit="s", id="no", entities={"user": "account", "ip": "address"}, actor="user", action="call",
    attributes=("call", "error"), numbers=("bytes",), label="bad", hashed=("user",),
    purposes=(
        Purpose(name="Impact", actions=("drop*",), weight=3.0),
        Purpose(name="Discovery", actions=("get*",), weight=0.5),
    ),
)  # fmt: skip
N = 400
ODD = 350


def table(n: int = N, seed: int = 0) -> pa.Table:
    """Three users with habits; in row ODD one of them drops a table, from elsewhere."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 3, n)
    call = np.array(["get", "put", "list"])[(user + (rng.random(n) < 0.2)) % 3].astype(object)
    ip = np.array([f"10.0.0.{k}" for k in user], object)
    error = np.array([None] * n, object)
    if n > ODD:
        call[ODD], ip[ODD], error[ODD] = "dropTable", "8.8.8.8", "Denied"
    return pa.table(
        {
            "at": np.cumsum(rng.integers(0, 40, n)) + 1_700_000_000,
            "no": [f"e{i}" for i in range(n)],
            "user": [f"user-{k}" for k in user],
            "ip": ip,
            "call": call,
            "error": pa.array(error, pa.string()),
            "bytes": rng.lognormal(5, 1, n),
            "bad": (np.arange(n) == ODD).astype(np.int8),
        }
    )


@pytest.fixture(scope="module")
def verdicts() -> EventVerdicts:
    return EntityStreams(SCHEMA).update(table())


def test_what_is_odd_is_told_with_its_finding(verdicts: EventVerdicts) -> None:
    odd = verdicts[ODD]
    assert odd.notice
    assert odd.case >= 0
    assert odd.p_value < 0.005
    assert int(verdicts["score"].argmax()) == ODD
    assert odd.finding.startswith("Impact:")
    assert (odd.id, odd.action) == (f"e{ODD}", "dropTable")
    assert odd.actor is not None
    assert odd.actor.startswith("name#")
    assert "never seen before" in odd.why
    assert "dropTable" in str(odd)
    assert odd.parts == verdicts.parts(ODD)
    assert [part.surprise for part in odd.parts] == sorted((p.surprise for p in odd.parts), reverse=True)


def test_few_others_are_told(verdicts: EventVerdicts) -> None:
    assert verdicts["notice"].sum() <= 6


def test_the_label_is_never_read(verdicts: EventVerdicts) -> None:
    other = table().set_column(7, "bad", pa.array(1 - table()["bad"].to_numpy()))
    assert EntityStreams(SCHEMA).update(other).to_arrow() == verdicts.to_arrow()
    assert EntityStreams(SCHEMA).update(table().drop_columns(["bad"])).to_arrow() == verdicts.to_arrow()


@settings(max_examples=8)
@given(st.lists(st.integers(1, N - 1), min_size=1, max_size=4))
def test_the_cut_into_batches_changes_nothing(verdicts: EventVerdicts, cuts: list[int]) -> None:
    streams, whole = EntityStreams(SCHEMA), table()
    ends = sorted({0, *cuts, N})
    parts = [streams.update(whole.slice(a, b - a)) for a, b in pairwise(ends)]
    assert EventVerdicts.concat(parts).to_arrow() == verdicts.to_arrow()


def test_a_saved_state_goes_on_where_it_stood(verdicts: EventVerdicts, tmp_path: Path) -> None:
    streams, whole = EntityStreams(SCHEMA), table()
    streams.update(whole.slice(0, 300))
    streams.save(tmp_path / "streams.mg")
    again = EntityStreams.load(tmp_path / "streams.mg")
    assert again.schema == SCHEMA
    assert again.update(whole.slice(300)).to_arrow() == verdicts[300:].to_arrow()
    (tmp_path / "other.mg").write_bytes((tmp_path / "streams.mg").read_bytes()[:-5])
    with pytest.raises(SnapshotError):
        EntityStreams.load(tmp_path / "other.mg")


def test_names_that_are_hashed_are_nowhere(verdicts: EventVerdicts, tmp_path: Path) -> None:
    streams = EntityStreams(SCHEMA)
    streams.update(table())
    streams.save(tmp_path / "streams.mg")
    assert b"user-" not in (tmp_path / "streams.mg").read_bytes()
    assert not any("user-" in (name or "") for name in verdicts["actor"])


def test_verdicts_survive_parquet(verdicts: EventVerdicts, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(verdicts.to_arrow(), tmp_path / "v.parquet")
    again = EventVerdicts.from_arrow(pq.read_table(tmp_path / "v.parquet"))
    assert again[ODD] == verdicts[ODD]
    assert again.streams == verdicts.streams
    assert len(again[verdicts["notice"]]) == verdicts["notice"].sum()
    assert msgspec.json.decode(verdicts[ODD].to_json())["finding"] == verdicts[ODD].finding


def test_a_number_far_from_its_entity_counts() -> None:
    whole = table()
    size = whole["bytes"].to_numpy().copy()
    size[380] = 1e12
    found = EntityStreams(SCHEMA).update(whole.set_column(6, "bytes", pa.array(size)))
    j = found.streams.index("value of bytes")
    assert found["surprise"][380, j] > 2
    assert found["observed"][380, j] == pytest.approx(1e12)


def test_purposes_weigh_but_do_not_discount_a_first_event() -> None:
    plain = EntityStreams(msgspec.structs.replace(SCHEMA, purposes=())).update(table())
    weighed = EntityStreams(SCHEMA).update(table())
    ratio = weighed["score"] / plain["score"]
    calls = table()["call"].to_pylist()
    assert ratio[ODD] == pytest.approx(3.0)
    gets = [i for i, call in enumerate(calls) if call == "get"]
    first = {name: i for i, name in reversed(list(enumerate(table()["user"].to_pylist())))}
    for i in gets:
        assert ratio[i] == pytest.approx(1.0 if i in first.values() else 0.5)


def test_missing_names_are_no_entity(verdicts: EventVerdicts) -> None:
    whole = table()
    nobody = pa.array([None if i == 399 else name for i, name in enumerate(whole["user"].to_pylist())])
    last = EntityStreams(SCHEMA).update(whole.set_column(2, "user", nobody))[399]
    assert last.actor is None
    assert last.score > float(np.median(verdicts["score"]))


def test_an_empty_table_is_nothing() -> None:
    streams = EntityStreams(SCHEMA)
    assert len(streams.update(table().slice(0, 0))) == 0
    assert len(streams.update(table())) == N


def test_settings_have_ranges() -> None:
    for alpha in (0.0, 0.2):
        with pytest.raises(ParameterError, match="alpha"):
            EntityStreams(SCHEMA, alpha=alpha)
    with pytest.raises(ParameterError, match="at least 1"):
        msgspec.structs.replace(Settings.usual(0.01, "ns"), windows=()).__post_init__()
    with pytest.raises(InputError, match="no column"):
        EntityStreams(SCHEMA).update({"at": [1]})
    schema = msgspec.structs.replace(SCHEMA, unit=None)
    with pytest.raises(InputError, match="say in the schema what they count"):
        EntityStreams(schema).update(table().set_column(0, "at", pa.array(np.arange(N))))


def test_steps_have_windows_of_steps() -> None:
    schema = EntitySchema(time="t", unit="step", entities={"a": "x", "b": "y"})
    found = EntityStreams(schema).update({"t": range(300), "a": ["p"] * 300, "b": ["q"] * 299 + ["r"]})
    assert int(found["score"].argmax()) in (0, 299)


def test_small_parts() -> None:
    assert camel("source_ip") == "SourceIp"
    assert purpose_of(SCHEMA, "DROPTABLE") == ("Impact", 3.0)
    assert purpose_of(SCHEMA, None) == ("Behavior", 1.0)
    assert "combination" not in [stream.name for stream in streams_of(SCHEMA, False)]
    names = ["", "ä", "x\0y", "🙂"]
    assert unpacked(*packed(names).values()) == names
    assert unpacked(*packed([]).values()) == []
    book = Codebook(["a"])
    assert book.code(pa.array(["b", None, "a"])).tolist() == [1, -1, 0]
    assert (book.of(1), book.of(-1)) == ("b", None)


@given(st.lists(st.integers(0, 2**62), unique=True, max_size=300))
def test_a_table_keeps_its_rows_as_it_grows(keys: list[int]) -> None:
    from marigram.bridge.kernels.tables import move

    first = OpenTable(value=(np.int64, ()))
    first.put("t", {"t.keys": np.array(keys, np.int64), "t.value": np.array(keys, np.int64)})
    first.room(5000)
    assert len(first) == len(keys)
    held = first.keys >= 0
    assert np.array_equal(first.keys[held], first["value"][held])
    second = OpenTable(value=(np.int64, ()))
    second.put("t", first.arrays("t"))
    places = np.empty(len(keys), np.int64)
    move(np.array(keys, np.int64), second.keys, places)  # finds them again
    assert np.array_equal(second["value"][places], np.array(keys))
