"""Logs as they are delivered: what becomes of good records, and where bad ones are told."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from marigram.bridge import EntityStreams, preset
from marigram.bridge.presets import PRESETS
from marigram.bridge.readers import open_events
from marigram.bridge.readers.cloudtrail import records_of
from marigram.bridge.readers.lines import flow_of, syslog_of
from marigram.datasets import cloudtrail, cloudtrail_path
from marigram.errors import InputError, ParameterError
from marigram.events import EntitySchema

END = "from * port * ssh2"
INVALID = f"Failed password for invalid user * {END}"
RECORD = {
    "eventVersion": "1.08", "eventTime": "2024-05-01T10:00:00Z", "eventID": "e-1", "eventSource": "iam.amazonaws.com",
    "eventName": "CreateUser", "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "userAgent": "secret-tool",
    "userIdentity": {
        "type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/admin/ann", "accessKeyId": "AKIASECRET",
        "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/admin"}},
    },
    "errorCode": "AccessDenied", "readOnly": False, "managementEvent": True,
    "requestParameters": {"userName": "eve", "password": "hidden"}, "resources": [],
}  # fmt: skip


def fields(data: bytes) -> list[Any]:
    return [(number, what) for number, what, _ in records_of(data)]


def test_a_record_of_cloudtrail_becomes_its_fields() -> None:
    ((number, found),) = fields(json.dumps({"Records": [RECORD]}).encode())
    assert number == 1
    assert found == {
        "event_time": "2024-05-01T10:00:00Z", "event_id": "e-1", "event_source": "iam.amazonaws.com",
        "event_name": "CreateUser", "region": "us-east-1", "source_ip": "203.0.113.7", "identity_type": "AssumedRole",
        "principal": "arn:aws:iam::1:role/admin", "error_code": "AccessDenied", "read_only": "false",
        "management": "true", "resource": "userName:eve",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["records", "single", "lines", "eventbridge"])
def test_every_form_of_cloudtrail_is_read(form: str) -> None:
    data = {
        "records": json.dumps({"Records": [RECORD, RECORD]}, indent=1),
        "single": json.dumps(RECORD),
        "lines": "\n".join([json.dumps(RECORD), "", json.dumps(RECORD)]),
        "eventbridge": json.dumps({"detail-type": "AWS API Call", "detail": RECORD}),
    }[form]
    found = fields(data.encode())
    assert len(found) == (1 if form in ("single", "eventbridge") else 2)
    assert all(what["event_name"] == "CreateUser" for _, what in found)


@pytest.mark.parametrize(
    "odd", [{"userIdentity": None}, {"resources": "x", "requestParameters": []}, {"errorCode": {}}]
)
def test_odd_records_are_read_as_far_as_they_go(odd: dict[str, Any]) -> None:
    ((_, found),) = fields(json.dumps(RECORD | odd).encode())
    assert found["event_name"] == "CreateUser"


@pytest.mark.parametrize("data", [b"[1, 2]", b"hello", b'{"Records": 3}', b'{"Records": [', b""])
def test_what_is_no_cloudtrail_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        list(records_of(data))


def test_bad_records_are_told_with_number_and_reason(tmp_path: Path) -> None:
    records = [RECORD, {"eventName": "x"}, 7, RECORD | {"eventTime": "yesterday"}, RECORD]
    path = tmp_path / "trail.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    (batch,) = open_events([str(path)], preset("cloudtrail"))
    assert batch.table.num_rows == 2
    assert [(reject.line, reject.reason) for reject in batch.rejects] == [
        (2, "no eventTime"),
        (3, "a record is an object, not int"),
        (4, "event_time: 'yesterday' is no time"),
    ]
    assert "secret-tool" not in str(batch.table.to_pydict())
    assert "AKIASECRET" not in str(batch.table.to_pydict())


def test_one_bad_file_of_several_is_one_reject(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.json", tmp_path / "b.json.gz"
    good.write_text(json.dumps({"Records": [RECORD]}))
    bad.write_bytes(gzip.compress(good.read_bytes())[:-9])
    batches = list(open_events([str(bad), str(good)], preset("cloudtrail")))
    assert [len(batch.rejects) for batch in batches] == [1, 0]
    assert "cannot be unpacked" in batches[0].rejects[0].reason
    with pytest.raises(InputError, match="cannot be unpacked"):
        list(open_events([str(bad)], preset("cloudtrail")))
    with pytest.raises(InputError, match="no such file"):
        list(open_events([str(tmp_path / "none.json")], preset("cloudtrail")))


def test_flow_logs() -> None:
    lines = [
        b"2 1 eni-1 10.0.0.1 10.0.0.2 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK",
        b"2 1 eni-1 - - - - - - - 1431280876 1431280934 - NODATA",
        b"2 1 eni-1 10.0.0.1",
        b"2 1 eni-1 10.0.0.1 10.0.0.2 20641 22 6 many 4249 1418530010 1418530070 ACCEPT OK",
        b"",
    ]
    found = list(flow_of(iter(lines)))
    assert [number for number, _, _ in found] == [1, 3, 4]
    assert found[0][1]["bytes"] == 4249  # type: ignore[index]
    assert found[1][1] == "4 fields, and 14 are expected"
    assert found[2][1] == "packets: 'many' is not a whole number"
    named = list(flow_of(iter([b"srcaddr dstaddr start", b"10.0.0.1 10.0.0.2 1418530010"])))
    assert named[0][1] == {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": 1418530010}


@pytest.mark.parametrize(
    ("message", "user", "address", "template"),
    [
        ("Failed password for root from 10.1.2.3 port 22 ssh2", "root", "10.1.2.3", f"Failed password for * {END}"),
        ("Failed password for invalid user bob from ::1 port 5 ssh2", "bob", "::1", INVALID),
        ("Invalid user admin from 10.1.2.3", "admin", "10.1.2.3", "Invalid user * from *"),
        ("Accepted publickey for ann from 10.1.2.3 port 1 ssh2", "ann", "10.1.2.3", f"Accepted publickey for * {END}"),
        ("Server listening on port 22", None, None, "Server listening on port *"),
    ],
)  # fmt: skip
def test_what_openssh_says_is_taken_apart(message: str, user: str, address: str, template: str) -> None:
    line = f"<34>1 2003-10-11T22:14:15.003Z web sshd 12 - - {message}".encode()
    ((_, found, _),) = syslog_of(iter([line]))
    assert isinstance(found, dict)
    assert (found["user"], found["address"], found["template"]) == (user, address, template)
    assert (found["host"], found["program"]) == ("web", "sshd")


def test_a_date_without_a_year_is_the_last_such() -> None:
    now = lambda: datetime(2024, 3, 1, tzinfo=UTC)  # noqa: E731
    lines = [
        b"Dec 10 06:55:46 web sshd[1]: hello",
        b"Feb 29 06:55:46 web sshd[1]: hello",
        b"Feb 30 06:55:46 web sshd: x",
        b"nothing",
    ]
    found = [what for _, what, _ in syslog_of(iter(lines), now)]
    assert found[0]["time"] == "2023-12-10T06:55:46+00:00"  # type: ignore[index]
    assert found[1]["time"] == "2024-02-29T06:55:46+00:00"  # type: ignore[index]
    assert found[2] == "no such date: Feb 30"
    assert str(found[3]).startswith("neither form of syslog")


def test_tables_by_any_format_and_alias_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "Timestamp": [f"2024-05-01T10:{i // 60:02d}:{i % 60:02d}Z" for i in range(200)],
            "card": [f"{k:04d}" for k in rng.integers(0, 9, 200)],
            "merchant": [f"m{k}" for k in rng.integers(0, 5, 200)],
            "amount": rng.lognormal(3, 1, 200).round(2),
            "category": [f"c{k}" for k in rng.integers(0, 3, 200)],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    pa.csv.write_csv(table, tmp_path / "t.csv")
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    known, scores = preset("cards"), []
    for suffix in ("parquet", "csv", "jsonl"):
        (batch,) = open_events([str(tmp_path / f"t.{suffix}")], known)
        assert not batch.rejects
        schema = known.fitted(batch.table)
        assert schema.left_out == {"id": "absent or empty", "location": "absent or empty"}
        scores.append(EntityStreams(schema).update(batch.table)["score"])
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])


def test_bad_rows_of_csv_and_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("time,source,target,amount\n1,a,b,2\n2,a\n3,a,b,much\n,a,b,1\n5,a,b,6\n")
    (batch,) = open_events([str(path)], preset("cards"))
    assert [(r.line, r.reason) for r in batch.rejects] == [
        (3, "2 cells, and 4 are expected"), (4, "amount: 'much' is not a number"), (5, "time: the time is missing"),
    ]  # fmt: skip
    assert batch.table["time"].to_pylist() == [1, 5]
    path = tmp_path / "c.jsonl"
    path.write_text('{"time": 1, "source": "a", "target": "b"}\n{"time"\n{"time": null, "source": "a"}\n')
    (batch,) = open_events([str(path)], preset("cards"))
    assert [r.line for r in batch.rejects] == [2, 3]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_schemas_that_toml_holds(name: str, tmp_path: Path) -> None:
    schema = preset(name).schema
    (tmp_path / "p.toml").write_text(schema.to_toml())
    assert EntitySchema.from_toml(tmp_path / "p.toml") == schema
    assert schema.label is None
    assert set(preset(name).aliases.values()) <= set(schema.columns)


def test_a_preset_that_does_not_exist_or_fit_says_so() -> None:
    with pytest.raises(ParameterError, match="did you mean 'cloudtrail'"):
        preset("cloudtrial")
    assert preset("netflow") == preset("connections")
    with pytest.raises(InputError, match="there is no column 'time'"):
        preset("cards").fitted(pa.table({name: pa.nulls(1) for name in preset("cards").schema.columns}))


def test_the_shipped_calls_reach_the_floors_without_a_label() -> None:
    """What experiments/entity_streams reports, on the data that ship: one prequential pass, no seed, so it is exact."""
    log = cloudtrail()
    (batch,) = open_events([str(cloudtrail_path())], preset("cloudtrail"))
    verdicts = EntityStreams(preset("cloudtrail").schema).update(batch.table)
    from marigram.evaluate import average_precision

    attack, case = log.labels == 1, verdicts["case"]
    assert average_precision(attack, verdicts["score"]) > 0.35
    assert len(set(log.runs[attack & (case >= 0)])) >= 0.8 * 80
    true_cases = set(case[attack].tolist()) - {-1}
    assert sum(number not in true_cases for number in case[verdicts["notice"]].tolist()) <= 3
    assert verdicts["id"].tolist() == log.events["event_id"].to_pylist()
