"""The schema of entities: what it refuses, what it infers, and that TOML holds all of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from marigram.errors import InputError, ParameterError
from marigram.events import EntitySchema, Purpose
from marigram.events.names import hashed_name, kind_of_name

FULL = EntitySchema(
    time="at", unit="ms", id="no", entities={"user": "account", "peer": "account", "ip": "address"}, actor="user",
    action="call", target="peer", attributes=("call", "ok"), numbers=("bytes",), text=("note",), label="bad",
    labels={"yes": 1, "*": 0}, left_out={"agent": 'says "test"'}, hashed=("user",), event="deed",
    purposes=(Purpose(name="Impact", actions=("Delete*",), weight=2.0), Purpose(name="Other", actions=("*",))),
)  # fmt: skip


def test_toml_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "schema.toml"
    path.write_text(FULL.to_toml())
    assert EntitySchema.from_toml(path) == FULL
    assert EntitySchema.from_mapping(FULL.to_mapping()) == FULL


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({}, "no column names entities"),
        ({"entities": {"a": "x"}, "time": "a"}, "used twice"),
        ({"entities": {"a": "x"}, "numbers": ("b",), "left_out": {"b": "why"}}, "left out, and used"),
        ({"entities": {"a": "event"}}, "both of the node type"),
        ({"entities": {"a": "x"}, "actor": "b"}, "actor 'b' is no column"),
        ({"entities": {"a": "x"}, "action": "b"}, "action 'b' is no column"),
        ({"entities": {"a": "x"}, "hashed": ("b",)}, "is hashed, and is no column"),
        ({"entities": {"a": "x"}, "labels": {"q": 3}}, "must be 1, 0 or -1"),
        ({"entities": {"a": ""}}, "empty name"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        EntitySchema(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "weight"), [("two words", 1.0), ("Fine", 0.0), ("Fine", 11.0)])
def test_a_purpose_is_one_word_with_a_weight(name: str, weight: float) -> None:
    with pytest.raises(ParameterError):
        Purpose(name=name, actions=("*",), weight=weight)


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ParameterError, match="did you mean 'entities'"):
        EntitySchema.from_mapping({"entites": {"a": "x"}})


def test_left_out_columns_are_nowhere_else() -> None:
    less = FULL.leaving_out({"user": "tells", "call": "tells", "bytes": "noise"})
    assert less.acting == "peer"
    assert less.acted == "ok"
    assert not {"user", "call", "bytes"} & set(less.columns)
    assert less.left_out["agent"] == 'says "test"'
    assert less.hashed == ()


EVENTS = pa.table(
    {
        "event_time": [f"2024-01-01T00:00:{i:02d}Z" for i in range(30)],
        "user": [f"u{i % 3}" for i in range(30)],
        "source_ip": [f"10.0.0.{i % 4}" for i in range(30)],
        "action": ["get", "put"] * 15,
        "amount": [i / 7 for i in range(30)],
        "region": ["eu"] * 30,
        "attack_kind": ["none", "scan"] * 15,
        "is_fraud": [0, 1] * 15,
    }
)


def test_inference_keeps_what_tells_the_label_out() -> None:
    schema, reasons = EntitySchema.infer(EVENTS)
    assert (schema.time, schema.label, schema.numbers) == ("event_time", "is_fraud", ("amount",))
    assert schema.entities == {"user": "account", "source_ip": "address"}
    assert (schema.acting, schema.acted) == ("user", "action")
    assert set(schema.left_out) == {"region", "attack_kind"}
    assert len(reasons) == EVENTS.num_columns + 1
    notices = schema.check(EVENTS)
    assert any("attack_kind: left out" in notice for notice in notices)


def test_a_table_that_does_not_fit_is_refused() -> None:
    schema, _ = EntitySchema.infer(EVENTS)
    with pytest.raises(InputError, match="no column 'amount'"):
        schema.check(EVENTS.drop_columns(["amount"]))
    wrong = EVENTS.set_column(4, "amount", pa.array(["much"] * 30))
    with pytest.raises(InputError, match="should hold numbers"):
        schema.check(wrong)
    with pytest.raises(InputError, match="no column seems to name entities"):
        EntitySchema.infer({"x": [1.5, 2.5]})
    with pytest.raises(InputError, match="no row"):
        EntitySchema.infer({"user": pa.array([], pa.string())})


def test_a_hash_says_nothing_but_the_kind_and_whether_names_are_equal() -> None:
    one, other = "arn:aws:iam::1:user/stratus-red-team", "arn:aws:iam::1:user/ann"
    assert kind_of_name(one) == kind_of_name(other) == "iam:user"
    assert "stratus" not in hashed_name(one)
    assert hashed_name(one) == hashed_name(one) != hashed_name(other)
    assert hashed_name(one, "salt") != hashed_name(one)
    assert kind_of_name("8.8.8.8") == "address"
    assert kind_of_name("ann@example.org") == "mail address"
