"""OpenTelemetry over HTTP: metrics and logs to samples of series, each point that cannot be one told.

Reference: https://opentelemetry.io/docs/specs/otlp/.  A gauge or a sum gives its number; a histogram and a summary give
their count and their sum, as series ending in ``_count`` and ``_sum``.  A log record gives a sample for each of its
attributes that is a number, as the series ``log_<attribute>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from marigram.service.errors import RefusedError
from marigram.service.series import Samples, series_name

_LAST: Final = 2**63 - 1
_DEEPEST: Final = 50


def read_message(body: bytes, content_type: str, message: Message) -> None:
    """Fill a message from protobuf or JSON.

    Raises
    ------
    RefusedError
        It is neither, or damaged.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-protobuf":
            message.ParseFromString(body)
        elif kind == "application/json":
            json_format.Parse(body, message, ignore_unknown_fields=True, max_recursion_depth=_DEEPEST)
        else:
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Content-Type must be application/x-protobuf or application/json",
            )
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"no OTLP request: {error}") from error


def metric_samples(body: bytes, content_type: str) -> tuple[list[Samples], int, str]:
    """Return the samples of a metrics request, how many points are none, and why."""
    request = ExportMetricsServiceRequest()
    read_message(body, content_type, request)
    samples, rejected = list[Samples](), 0
    for resource in request.resource_metrics:
        shared = _labels(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for name, point, value in _points(metric):
                    at = point.time_unix_nano
                    if value is None or not 0 < at <= _LAST:
                        rejected += 1
                        continue
                    key = series_name(name, shared | _labels(point.attributes))
                    samples.append(Samples(key, [at], [value]))
    return samples, rejected, "points without a number or a time, or of a kind that is not taken"


def log_samples(body: bytes, content_type: str) -> tuple[list[Samples], int, str]:
    """Return the samples of a logs request, how many records have none, and why."""
    request = ExportLogsServiceRequest()
    read_message(body, content_type, request)
    samples, rejected = list[Samples](), 0
    for resource in request.resource_logs:
        shared = _labels(resource.resource.attributes)
        for scope in resource.scope_logs:
            for record in scope.log_records:
                at = record.time_unix_nano or record.observed_time_unix_nano
                numbers = [(one.key, _number(one.value)) for one in record.attributes]
                found = [(name, number) for name, number in numbers if number is not None]
                if not found or not 0 < at <= _LAST:
                    rejected += 1
                    continue
                labels = shared | _labels(
                    one for one in record.attributes if one.value.WhichOneof("value") == "string_value"
                )
                samples += [Samples(series_name(f"log_{name}", labels), [at], [x]) for name, x in found]
    return samples, rejected, "records without an attribute that is a number, or without a time"


def metrics_answer(rejected: int, reason: str) -> Message:
    """Return the answer to a metrics request; OTLP calls it a partial success when points were rejected."""
    response = ExportMetricsServiceResponse()
    if rejected:
        response.partial_success.rejected_data_points = rejected
        response.partial_success.error_message = reason
    return response


def logs_answer(rejected: int, reason: str) -> Message:
    """Return the answer to a logs request."""
    response = ExportLogsServiceResponse()
    if rejected:
        response.partial_success.rejected_log_records = rejected
        response.partial_success.error_message = reason
    return response


def _points(metric: Any) -> Iterator[tuple[str, Any, float | None]]:
    """Yield (series, point, number) of each point of a metric."""
    kind = metric.WhichOneof("data")
    if kind in ("gauge", "sum"):
        for point in getattr(metric, kind).data_points:
            which = point.WhichOneof("value")
            yield metric.name, point, None if which is None else float(getattr(point, which))
    elif kind in ("histogram", "exponential_histogram", "summary"):
        for point in getattr(metric, kind).data_points:
            yield f"{metric.name}_count", point, float(point.count)
            yield f"{metric.name}_sum", point, float(point.sum)


def _labels(attributes: Iterable[Any]) -> dict[str, str]:
    told = {}
    for one in attributes:
        which = one.value.WhichOneof("value")
        if which in ("string_value", "bool_value", "int_value", "double_value"):
            told[one.key] = str(getattr(one.value, which))
    return told


def _number(value: Any) -> float | None:
    which = value.WhichOneof("value")
    return float(getattr(value, which)) if which in ("int_value", "double_value") else None


__all__ = ["log_samples", "logs_answer", "metric_samples", "metrics_answer", "read_message"]
