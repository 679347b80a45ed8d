"""The pages over a real ledger: what each token sees, and of which tenant."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from marigram.errors import ParameterError
from marigram.service import tokens
from marigram.service.dashboard.ledger import LedgerPanel
from marigram.service.tokens import EVERYBODY, Access

Serving = Callable[..., TestClient]
READER = Access("reader", "read", "", 1)


def fed(serving: Serving) -> TestClient:
    client = serving()
    start = 1_700_000_000
    lines = [{"host": f"web-{i % 12}", "time": start + i, "load": (i * 7919 % 97) / 10} for i in range(1200)]
    client.post("/v1/events", content="\n".join(map(json.dumps, lines)))
    ledger = client.app.state.tenants.root.ledger  # type: ignore[attr-defined]
    ledger.call(lambda _: None).result()  # the counts are those of the commit before
    return client


def panel(client: TestClient, access: Access = EVERYBODY) -> LedgerPanel:
    return LedgerPanel(client.app.state.tenants.root, access)  # type: ignore[attr-defined]


def asked(question: Any) -> Any:
    return asyncio.run(question)


def test_figures_keys_and_configuration_are_those_of_the_ledger(serving: Serving) -> None:
    over = panel(fed(serving))
    stats = asked(over.stats())
    assert (stats["accepted"], stats["keys"], stats["dropped"]) == (1200, 12, 0)
    assert {row.key: row.n for row in asked(over.keys(limit=5))}.keys() <= {f"web-{i}" for i in range(12)}
    assert sorted(row.key for row in asked(over.keys(search="web-1"))) == ["web-1", "web-10", "web-11"]
    assert [(row.key, row.n) for row in asked(over.keys(search="web-7"))] == [("web-7", 100)]
    assert asked(over.keys(search="db")) == []
    told = asked(over.configuration())
    assert told["detector"]["alpha"] == 0.001
    assert 'values = ["load"]' in told["schema_toml"]
    assert told["reasons"]


def test_another_alpha_is_tried_on_what_is_stored(serving: Serving) -> None:
    outcome = asked(panel(fed(serving)).what_if(0.05, None, None))
    assert outcome["then"]["anomaly"] >= outcome["now"]["anomaly"]
    with pytest.raises(ParameterError, match="alpha"):
        asked(panel(fed(serving)).what_if(7.0, None, None))


def test_a_reader_may_neither_change_nor_see_the_audit(serving: Serving) -> None:
    client = fed(serving)
    over = panel(client, READER)
    assert not over.may_operate
    with pytest.raises(ParameterError, match="admin"):
        asked(over.audit())
    desk = panel(client).desk
    asked(desk.change("ann", "alert.close", {"alerts": ["x"]}, lambda _: None))
    (last, *_) = asked(panel(client).audit())
    assert (last.actor, last.action, json.loads(last.detail)) == ("ann", "alert.close", {"alerts": ["x"]})


def test_pages_are_closed_once_there_is_a_token(serving: Serving) -> None:
    client = serving()
    assert client.get("/", follow_redirects=False).headers["location"] == "/ui/overview"
    assert client.get("/ui/", follow_redirects=False).headers["location"] == "/ui/overview"
    ledger = client.app.state.tenants.root.ledger  # type: ignore[attr-defined]
    made = client.post("/v1/tokens", json={"name": "ann", "scope": "read"})
    assert made.status_code < 300, made.text
    word = made.json()["token"]
    assert ledger.read(tokens.any_token)
    assert client.get("/ui/", follow_redirects=False).headers["location"] == "/login"
    assert client.post("/login", data={"token": "mgt_wrong"}).status_code == 401
    home = {"Origin": str(client.base_url)}
    answer = client.post("/login", data={"token": word}, headers=home, follow_redirects=False)
    assert answer.status_code == 303
    assert client.get("/ui/", follow_redirects=False).headers["location"] == "/ui/overview"
    assert client.get("/v1/alerts").status_code == 200  # the cookie opens the routes as well
    assert (
        client.post("/v1/silences", json={"match": {"key": "*"}, "seconds": 60}, headers=home).status_code
        == 403
    )
