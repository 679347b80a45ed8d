"""Cases made from the interface's own description: whatever is asked, the service does not break."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.formats import Binary
from starlette.testclient import TestClient

from marigram.service.app import build, described
from marigram.service.tenants import Settings

CASES = 150
"""For each operation that has parameters."""
URL = "http://127.0.0.1:8765"


@schemathesis.serializer("application/x-protobuf")
def as_bytes(_: Any, value: Any) -> bytes:
    """Any bytes will do: what they should be is not described."""
    return value.data if isinstance(value, Binary) else str(value).encode("utf-8", "replace")


def asked(client: TestClient, case: schemathesis.Case) -> Any:
    """Send a case as it is, headers that no client could send aside."""
    told = case.as_transport_kwargs(base_url=URL)
    headers = {
        str(name): str(value)
        for name, value in dict(told.get("headers") or {}).items()
        if str(name).isascii() and str(value).isascii()
    }
    body = {name: told[name] for name in ("json",) if name in told}
    data = told.get("data")
    if isinstance(data, (str, bytes)):
        body["content"] = data
    return client.request(told["method"], told["url"], params=told.get("params"), headers=headers, **body)


@pytest.mark.slow
def test_no_request_makes_a_server_error(tmp_path: Path) -> None:
    app = build(Settings(tmp_path, silence=False))
    tried, statuses = 0, set[int]()
    with TestClient(app, base_url=URL, raise_server_exceptions=False) as client:
        client.post("/v1/events", content=b'{"host": "a", "load": 1.0}\n' * 50)
        for found in schemathesis.openapi.from_dict(described(app)).get_all_operations():
            operation = found.ok()
            if "/v1/tokens" in operation.path and operation.method == "post":
                continue  # with the first token everything else is refused: tried last
            for mode, count in (
                (GenerationMode.POSITIVE, CASES * 2 // 3),
                (GenerationMode.NEGATIVE, CASES // 3),
            ):

                @settings(
                    max_examples=count,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def one(case: schemathesis.Case) -> None:
                    nonlocal tried
                    tried += 1
                    answer = asked(client, case)
                    statuses.add(answer.status_code)
                    assert answer.status_code < 500, (case.as_curl_command(), answer.content[:500])

                with suppress(*((Unsatisfiable,) if mode is GenerationMode.NEGATIVE else ())):
                    one()  # nothing can be wrong with a request that has no parameter
        assert client.get("/v1/stats").status_code == 200
    assert tried >= 2000
    assert {200, 422} <= statuses
