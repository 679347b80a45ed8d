"""The Model Context Protocol over standard input and output: an assistant may ask a service, and change nothing.

Reference: https://modelcontextprotocol.io/specification (JSON-RPC 2.0, a message a line).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final

import msgspec

from marigram import __version__
from marigram.errors import MarigramError
from marigram.service.client import Client

VERSIONS: Final = ("2025-06-18", "2025-03-26", "2024-11-05")
_PARSE, _INVALID, _UNKNOWN, _PARAMETERS = -32700, -32600, -32601, -32602
_KEY: Final = {"key": {"type": "string", "description": "The key, as its alerts name it."}}
_TOOLS: Final[dict[str, tuple[str, dict[str, Any], list[str]]]] = {
    "alerts": (
        "List alerts, the newest first: which key, what kind, how severe, when, and the words that say why.",
        {
            "status": {"type": "string", "enum": ["open", "acknowledged", "snoozed", "closed"]},
            "key": _KEY["key"],
            "min_severity": {"type": "number"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 100},
        },
        [],
    ),
    "alert": (
        "One alert with its evidence: value, expected range, p-value, share of each feature, what was said of it.",
        {"id": {"type": "string"}},
        ["id"],
    ),
    "key": ("What is expected of a key now: events learned, band, newest verdict.", _KEY, ["key"]),
    "verdicts": (
        "The last verdicts of a key, the oldest first: the series around an alert.",
        {**_KEY, "last": {"type": "integer", "minimum": 1, "maximum": 500}},
        ["key"],
    ),
    "stats": ("Counts of the service: events, keys, lag, verdicts by kind.", {}, []),
}


class Server:
    """Answers messages by asking a service.

    Parameters
    ----------
    client
        Whose token needs the scope ``read`` only.
    """

    def __init__(self, client: Client) -> None:
        self._work: dict[str, Callable[..., Any]] = {
            "alerts": client.alerts,
            "alert": client.alert,
            "key": client.key,
            "verdicts": client.verdicts,
            "stats": client.stats,
        }

    def serve(self, source: BinaryIO, sink: BinaryIO) -> None:
        """Answer until the source ends."""
        for line in source:
            if line.strip() and (answer := self.answer(line)) is not None:
                sink.write(answer + b"\n")
                sink.flush()

    def answer(self, line: bytes) -> bytes | None:
        """Return the answer to one message; None when none is due."""
        try:
            message = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError) as error:
            return _failed(None, _PARSE, f"no JSON object: {error}")
        number, method = message.get("id"), message.get("method")
        if not isinstance(method, str):
            return _failed(number, _INVALID, "a request has a method")
        if "id" not in message:
            return None
        parameters = message.get("params") or {}
        if not isinstance(parameters, dict):
            return _failed(number, _PARAMETERS, "params must be an object")
        known = {
            "initialize": self._initialize,
            "ping": lambda _: {},
            "tools/list": _listed,
            "tools/call": self._call,
        }
        if method not in known:
            return _failed(number, _UNKNOWN, f"no method {method!r}")
        try:
            return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "result": known[method](parameters)})
        except ValueError as error:
            return _failed(number, _PARAMETERS, str(error))

    def _initialize(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        asked = parameters.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "marigram", "version": __version__},
            "instructions": "Ask why an alert fired: alerts, then alert, then verdicts of its key. Nothing is changed.",
        }

    def _call(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        name, arguments = parameters.get("name"), parameters.get("arguments") or {}
        if name not in _TOOLS or not isinstance(arguments, dict):
            raise ValueError(f"no tool {name!r}")
        _, known, needed = _TOOLS[name]
        unknown = sorted(arguments.keys() - known.keys())
        missing = [one for one in needed if not isinstance(arguments.get(one), str)]
        if unknown or missing:
            raise ValueError(f"{name} takes {', '.join(known)}; needs {', '.join(needed) or 'nothing'}")
        try:
            content, wrong = msgspec.json.encode(self._work[name](**arguments)).decode(), False
        except MarigramError as error:
            content, wrong = str(error), True
        return {"content": [{"type": "text", "text": content}], "isError": wrong}


def _listed(_: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tools": [
            {
                "name": name,
                "description": told,
                "inputSchema": {
                    "type": "object",
                    "properties": properties,
                    "required": needed,
                    "additionalProperties": False,
                },
                "annotations": {"readOnlyHint": True},
            }
            for name, (told, properties, needed) in _TOOLS.items()
        ]
    }


def _failed(number: Any, code: int, reason: str) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": reason}})


__all__ = ["VERSIONS", "Server"]
