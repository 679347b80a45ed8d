"""CloudTrail's public JSON form: files ``{"Records": [...]}``, or one record a line.

Access keys, tokens and the bodies of requests and responses are not read, nor the names that users give themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from marigram.errors import InputError

__all__ = ["FIELDS", "Found", "records_of"]

FIELDS = (
    "event_time", "event_id", "event_source", "event_name", "region", "source_ip", "identity_type", "principal",
    "error_code", "read_only", "management", "resource",
)  # fmt: skip
Found = tuple[int, dict[str, Any] | str, bytes]
"""Number of the record or line from 1; its fields, or why it cannot be used; and its text."""
_RAW = 4096
_PARAMETERS = (
    "bucketName", "roleName", "roleArn", "userName", "instanceId", "functionName", "secretId", "keyId", "name",
    "trailName", "dBSnapshotIdentifier", "snapshotId", "imageId", "groupId", "vpcId", "policyArn", "tableName",
)  # fmt: skip
"""Request parameters that name what a call is about, where the record lists no resource."""


def records_of(data: bytes) -> Iterator[Found]:
    """Yield the records of a file, bad ones with the reason.

    Raises
    ------
    InputError
        The file is neither form.
    """
    text = data.lstrip()
    if not text.startswith(b"{"):
        raise InputError(0, 'no JSON object: CloudTrail files hold {"Records": [...]} or one record a line')
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if b"\n" not in text.strip():
            raise InputError(0, f"broken JSON: {error}") from error
        yield from _lines(data)
        return
    records = document.get("Records")
    if records is None:
        records = [document]
    if not isinstance(records, list):
        raise InputError(0, '"Records" is no list')
    for number, record in enumerate(records, 1):
        yield _found(number, record, lambda record=record: msgspec.json.encode(record))


def _lines(data: bytes) -> Iterator[Found]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            yield number, f"broken JSON: {error}", line[:_RAW]
            continue
        many = record.get("Records") if isinstance(record, dict) else None
        for one in many if isinstance(many, list) else [record]:
            yield _found(number, one, lambda line=line: line)


def _found(number: int, record: Any, raw: Any) -> Found:
    if isinstance(record, dict) and isinstance(record.get("detail"), dict):  # as EventBridge wraps it
        record = record["detail"]
    if not isinstance(record, dict):
        return number, f"a record is an object, not {type(record).__name__}", raw()[:_RAW]
    for name in ("eventTime", "eventName"):
        if not isinstance(record.get(name), str):
            return number, f"no {name}", raw()[:_RAW]
    return number, _fields(record), b""


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    identity = record.get("userIdentity")
    identity = identity if isinstance(identity, dict) else {}
    cells = {
        "event_time": record["eventTime"], "event_id": record.get("eventID"),
        "event_source": record.get("eventSource"), "event_name": record["eventName"],
        "region": record.get("awsRegion"), "source_ip": record.get("sourceIPAddress"),
        "identity_type": identity.get("type"), "principal": _principal(identity),
        "error_code": record.get("errorCode"), "read_only": record.get("readOnly"),
        "management": record.get("managementEvent"), "resource": _resource(record),
    }  # fmt: skip
    return {name: _text(cell) for name, cell in cells.items()}


def _principal(identity: dict[str, Any]) -> Any:
    """The user or role behind a session, a service, or what identifies the caller otherwise."""
    session = identity.get("sessionContext")
    issuer = session.get("sessionIssuer") if isinstance(session, dict) else None
    role = issuer.get("arn") if isinstance(issuer, dict) else None
    names = (role, identity.get("arn"), identity.get("invokedBy"), identity.get("principalId"))
    return next((name for name in names if name), identity.get("userName"))


def _resource(record: dict[str, Any]) -> Any:
    """The first ARN of the record, else one named request parameter as ``name:value``."""
    resources = record.get("resources")
    for resource in resources if isinstance(resources, list) else []:
        if isinstance(resource, dict) and (arn := resource.get("ARN") or resource.get("arn")):
            return arn
    parameters = record.get("requestParameters")
    if not isinstance(parameters, dict):
        return None
    for name in _PARAMETERS:
        value = parameters.get(name)
        if isinstance(value, str) and value:
            return value if value.startswith("arn:") else f"{name}:{value}"
    return None


def _text(cell: Any) -> str | None:
    if cell is None or cell == "" or isinstance(cell, dict | list):
        return None
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
