"""Other programs' protocols: Prometheus remote write, OpenTelemetry, Azure Anomaly Detector."""

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from starlette.testclient import TestClient

from marigram.service.errors import RefusedError
from marigram.service.limits import Limits
from marigram.service.remotewrite import samples_of

Serving = Callable[..., TestClient]
START = 1_700_000_000_000


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | float | bytes | str) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def write_request(series: list[tuple[dict[str, str], list[tuple[float, int]]]]) -> bytes:
    told = b""
    for labels, samples in series:
        body = b"".join(field(1, field(1, name) + field(2, value)) for name, value in labels.items())
        body += b"".join(field(2, field(1, x) + field(2, at)) for x, at in samples)
        told += field(1, body)
    return pa.Codec("snappy").compress(told, asbytes=True)


def test_remote_write_judges_each_series(serving: Serving) -> None:
    client, rng = serving(), np.random.default_rng(0)
    stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
    body = write_request(
        [
            (
                {"__name__": "up", "job": name},
                [(float(x), START + 1000 * i) for i, x in enumerate(rng.normal(size=90))],
            )
            for name in ("web", "db")
        ]
        + [({"__name__": "gone"}, [(stale, START)])]
    )
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    for _ in range(2):  # the second is a duplicate
        assert client.post("/api/v1/write", content=body, headers=headers).status_code == 204
    assert client.get("/v1/stats").json()["accepted"] == 180
    assert client.get('/v1/keys/up{job="web"}').json()["n"] == 90
    assert client.get("/v1/keys/gone").status_code == 404
    assert (
        client.post("/v1/events", content=b'{"series": "x", "value": 1, "time": 1}').json()["accepted"] == 1
    )


def test_samples_do_not_mix_with_other_events(serving: Serving) -> None:
    client = serving()
    client.post("/v1/events", content=b'{"host": "a", "load": 1.0}\n' * 3)
    body = write_request([({"__name__": "up"}, [(1.0, START)])])
    assert client.post("/api/v1/write", content=body).status_code == 422


def test_a_request_that_says_it_is_huge_is_refused() -> None:
    with pytest.raises(RefusedError):
        samples_of(varint(1 << 40) + b"\x00", Limits())
    with pytest.raises(RefusedError):
        samples_of(write_request([({"a": "b"}, [(1.0, START)] * 20)]), Limits(lines=10))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_samples_or_refused(body: bytes, packed: bool) -> None:
    with suppress(RefusedError):
        samples_of(pa.Codec("snappy").compress(body, asbytes=True) if packed else body, Limits())


def metrics(count: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    one = resource.resource.attributes.add()
    one.key, one.value.string_value = "service.name", "shop"
    scope = resource.scope_metrics.add()
    gauge = scope.metrics.add()
    gauge.name = "queue"
    for i in range(count):
        point = gauge.gauge.data_points.add()
        point.time_unix_nano, point.as_int = START * 1_000_000 + i * 10**9, i % 3
    gauge.gauge.data_points.add().time_unix_nano = START * 1_000_000  # without a number
    histogram = scope.metrics.add()
    histogram.name = "wait"
    bucket = histogram.histogram.data_points.add()
    bucket.time_unix_nano, bucket.count, bucket.sum = START * 1_000_000, 4, 2.5
    return request


def test_metrics_of_opentelemetry_with_partial_success(serving: Serving) -> None:
    client, body = serving(), metrics(50).SerializeToString()
    answer = client.post("/v1/metrics", content=body, headers={"Content-Type": "application/x-protobuf"})
    told = ExportMetricsServiceResponse.FromString(answer.content)
    assert told.partial_success.rejected_data_points == 1
    assert client.get("/v1/stats").json()["accepted"] == 52
    assert client.get('/v1/keys/queue{service.name="shop"}').json()["n"] == 50
    wrong = client.post("/v1/metrics", content=b"\xff", headers={"Content-Type": "application/x-protobuf"})
    assert wrong.status_code == 400


def test_logs_of_opentelemetry_as_json(serving: Serving) -> None:
    client = serving()
    records = [
        {
            "timeUnixNano": str(START * 1_000_000 + i),
            "traceId": "5b8efff798038103d269b633813fc60c",
            "attributes": [
                {"key": "status", "value": {"intValue": "200"}},
                {"key": "route", "value": {"stringValue": "/"}},
            ],
        }
        for i in range(5)
    ]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [*records, {"timeUnixNano": "1"}]}]}]}
    answer = client.post("/v1/logs", json=body)
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert client.get('/v1/keys/log_status{route="/"}').json()["n"] == 5
    assert (
        client.post(
            "/v1/logs", content=b"[" * 10_000, headers={"Content-Type": "application/json"}
        ).status_code
        == 400
    )


def azure(client: TestClient, what: str, series: list[dict[str, Any]], **others: Any) -> Any:
    body = {"series": series, "granularity": "hourly", **others}
    return client.post(
        f"/anomalydetector/v1.1/timeseries/{what}/detect",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )


def test_a_client_of_azure_gets_its_answers(serving: Serving) -> None:
    client, rng = serving(), np.random.default_rng(1)
    values = rng.normal(size=600)
    values[300] += 20.0
    values[450:] += 9.0
    series = [
        {
            "timestamp": f"2026-{1 + i // 672:02d}-{1 + i // 24 % 28:02d}T{i % 24:02d}:00:00Z",
            "value": float(x),
        }
        for i, x in enumerate(values)
    ]
    told = azure(client, "entire", series).json()
    assert all(len(told[name]) == 600 for name in told if name != "period")
    assert told["isAnomaly"][300]
    assert told["isPositiveAnomaly"][300]
    assert sum(told["isAnomaly"][64:450]) <= 4
    bound = told["expectedValues"][300] + (100 - 95) * told["upperMargins"][300]
    assert told["expectedValues"][300] < bound < values[300]
    points = azure(client, "changepoint", series).json()["isChangePoint"]
    assert [i for i, point in enumerate(points) if point] == pytest.approx([450], abs=5)
    last = azure(client, "last", series[:301]).json()
    assert last["isAnomaly"]
    assert last["suggestedWindow"] == 301
    few = azure(client, "entire", series[:5])
    assert (few.status_code, few.json()["code"]) == (400, "InvalidSeries")
    assert azure(client, "entire", series[::-1]).status_code == 400


def test_a_key_of_azure_is_a_token(serving: Serving) -> None:
    client = serving()
    token = client.post("/v1/tokens", json={"name": "a", "scope": "read"}).json()["token"]
    series = [{"value": float(i % 5)} for i in range(20)]
    assert azure(client, "entire", series).status_code == 401
    body = {"series": series}
    answer = client.post(
        "/anomalydetector/v1.1/timeseries/last/detect",
        json=body,
        headers={"Ocp-Apim-Subscription-Key": token},
    )
    assert answer.status_code == 200
