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
from marigram.errors import InputError, ParameterError
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
    with pytest.raises(ParameterError, match="most_pairs must be at least 1000"):
        msgspec.structs.replace(Settings.usual(0.01, "ns"), most_pairs=999).__post_init__()
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
    told = {"t.keys": np.array(keys, np.int64), "t.value": np.array(keys, np.int64)}
    first.put("t", told | {"t.forgotten": np.zeros(1, np.int64)})
    first.room(5000)
    assert len(first) == len(keys)
    held = first.keys >= 0
    assert np.array_equal(first.keys[held], first["value"][held])
    second = OpenTable(value=(np.int64, ()))
    second.put("t", first.arrays("t"))
    places = np.empty(len(keys), np.int64)
    move(np.array(keys, np.int64), second.keys, places)  # finds them again
    assert np.array_equal(second["value"][places], np.array(keys))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=80), st.integers(1, 30))
def test_a_table_forgets_what_was_touched_longest_ago(touches: list[tuple[int, int]], most: int) -> None:
    table, slow = OpenTable(when=(np.int64, ())), dict[int, int]()
    for key, when in touches:
        slow[key] = when
    table.room(len(slow))
    table["when"][table.places(np.array(list(slow), np.int64))] = np.array(list(slow.values()), np.int64)
    table.forget(most, table["when"])
    if len(slow) > most:
        slow = dict(sorted(slow.items(), key=lambda item: (item[1], item[0]))[-(most - most // 4) :])
    held = table.keys >= 0
    assert dict(zip(table.keys[held].tolist(), table["when"][held].tolist(), strict=True)) == slow
    assert table.forgotten == len({key for key, _ in touches}) - len(slow)


def wide(n: int) -> pa.Table:
    """Users and calls of which nearly every pair is new."""
    rng = np.random.default_rng(1)
    names = {
        "user": [f"u{k}" for k in rng.integers(0, 150, n)],
        "call": [f"c{k}" for k in rng.integers(0, 150, n)],
    }
    return pa.table({"at": np.arange(n) + 1_700_000_000} | names)


def test_past_the_cap_memory_stays_and_the_cut_into_batches_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from marigram.bridge.streams import entity, judging

    for module in (entity, judging):
        monkeypatch.setattr(module, "STRETCH", 200)
    schema = EntitySchema(
        time="at", unit="s", entities={"user": "account"}, attributes=("call",), action="call"
    )
    usual, events = Settings.usual(0.005, "s"), wide(8000)
    free = EntityStreams(schema, settings=usual)
    whole = free.update(events)
    enough = EntityStreams(schema, settings=msgspec.structs.replace(usual, most_pairs=free.pairs))
    assert enough.update(events).to_arrow() == whole.to_arrow()
    assert (free.forgotten, enough.forgotten) == (0, 0)
    tight = msgspec.structs.replace(usual, most_pairs=1000)
    one, parts = EntityStreams(schema, settings=tight), EntityStreams(schema, settings=tight)
    found, sizes = [], []
    for start in range(0, 8000, 160):
        found.append(parts.update(events.slice(start, 160)))
        sizes.append(len(parts._pairs.keys))
    assert one.update(events).to_arrow() == EventVerdicts.concat(found).to_arrow()
    assert free.pairs > 10 * 1000
    assert len(set(sizes[20:])) == 1
    assert one.pairs <= 1000 + 3 * 2 * 200
    assert one.forgotten == parts.forgotten > 8000


def test_an_address_that_tries_many_accounts_is_one_alert() -> None:
    rng, n = np.random.default_rng(3), 3000
    user = np.concatenate([rng.integers(0, 150, n), np.arange(150)])
    ip = np.concatenate([[f"10.0.0.{k}" for k in user[:n]], np.full(150, "203.0.113.9")])
    events = {
        "at": np.concatenate([np.arange(n) * 60, np.full(150, n * 60)]) + 1_700_000_000,
        "user": [f"user-{k}" for k in user],
        "ip": ip,
        "call": ["login"] * (n + 150),
    }
    schema = EntitySchema(
        time="at",
        unit="s",
        entities={"user": "account", "ip": "address"},
        attributes=("call",),
        action="call",
    )
    found = EntityStreams(schema, alpha=0.05).update(events)[n:]
    told = [verdict for verdict in found if verdict.notice]
    of_address = [verdict for verdict in told if verdict.entity_type == "address"]
    assert len(of_address) == 1
    assert of_address[0].entity == "203.0.113.9"
    assert int((found["case"] == of_address[0].case).sum()) > 50
    assert len(told) <= 3


def test_connections_have_the_rate_of_each_pair_of_hosts() -> None:
    """A pair that bursts between two hosts that are busy anyway."""
    rng = np.random.default_rng(2)
    minute = np.repeat(np.arange(300), 60)
    source, target = rng.integers(0, 4, len(minute)), rng.integers(4, 8, len(minute))
    burst = minute == 299
    source[burst], target[burst] = 0, 4 + (np.arange(burst.sum()) % 8 > 5) * 1
    schema = EntitySchema(
        time="at", unit="s", entities={"src": "host", "dst": "host"}, actor="src", target="dst"
    )
    assert "rate of src to dst" in EntityStreams(schema).streams
    events = {
        "at": minute * 60 + 1_700_000_000,
        "src": [f"h{k}" for k in source],
        "dst": [f"h{k}" for k in target],
    }
    found = EntityStreams(schema).update(events)
    place = found.streams.index("rate of src to dst")
    parts = {part.stream: part for part in found.parts(len(minute) - 3)}
    assert parts["rate of src to dst"].observed > 5 * parts["rate of src to dst"].expected
    calm = found["surprise"][6000 : 299 * 60, place]
    assert found["surprise"][-10:, place].min() > np.quantile(calm, 0.999)
    assert parts["rate of src to dst"].surprise > parts["rate of dst"].surprise
    mixed = EntitySchema(time="at", entities={"user": "account", "ip": "address"}, actor="user", target="ip")
    assert not any(name.startswith("rate of user to") for name in EntityStreams(mixed).streams)
