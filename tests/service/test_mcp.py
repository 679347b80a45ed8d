"""The Model Context Protocol: what an assistant may ask, and what it is told when it asks otherwise."""

import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marigram.service.client import Client, ServiceError
from marigram.service.mcp import VERSIONS, Server


class Asked(Client):
    """A client that writes down what it was asked."""

    def _asked(self, path: str) -> Any:
        if "missing" in path:
            raise ServiceError(404, "there is no such key")
        return {"alerts": [{"id": path}]} if path.startswith("/v1/alerts?") else {"path": path}


def said(*messages: Any) -> list[dict[str, Any]]:
    sink = io.BytesIO()
    source = b"".join((m if isinstance(m, bytes) else json.dumps(m).encode()) + b"\n" for m in messages)
    Server(Asked()).serve(io.BytesIO(source), sink)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }


def test_an_assistant_finds_the_tools_and_uses_them() -> None:
    hello, tools, pong, alerts, verdicts = said(
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": VERSIONS[1]}},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        {"jsonrpc": "2.0", "id": "x", "method": "ping"},
        call("alerts", key="web-1", limit=3),
        call("verdicts", key="a b", last=5),
    )
    assert hello["result"]["protocolVersion"] == VERSIONS[1]
    assert {one["name"] for one in tools["result"]["tools"]} == {
        "alerts",
        "alert",
        "key",
        "verdicts",
        "stats",
    }
    assert all(one["annotations"]["readOnlyHint"] for one in tools["result"]["tools"])
    assert pong == {"jsonrpc": "2.0", "id": "x", "result": {}}
    assert json.loads(alerts["result"]["content"][0]["text"]) == [{"id": "/v1/alerts?key=web-1&limit=3"}]
    assert json.loads(verdicts["result"]["content"][0]["text"]) == {"path": "/v1/verdicts?key=a+b&last=5"}


def test_what_is_wrong_is_said() -> None:
    broken, unknown, tool, missing, extra, gone = said(
        b"{broken",
        {"jsonrpc": "2.0", "id": 1, "method": "tools/delete"},
        call("delete"),
        call("key"),
        call("stats", key="x"),
        call("key", key="missing"),
    )
    assert [one["error"]["code"] for one in (broken, unknown, tool, missing, extra)] == [
        -32700,
        -32601,
        -32602,
        -32602,
        -32602,
    ]
    assert gone["result"]["isError"]


@given(
    st.binary(max_size=100) | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_any_line_is_answered_or_passed_over(line: bytes) -> None:
    answer = Server(Asked()).answer(line)
    assert answer is None or json.loads(answer)["jsonrpc"] == "2.0"
