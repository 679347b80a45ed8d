"""Who may do what: every route, without a token, with one of another scope, with one of another tenant."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from marigram import ParameterError
from marigram.service.access import PUBLIC, Needs
from marigram.service.run import check_address
from marigram.service.tenants import Settings
from marigram.service.tokens import SCOPES, Access

Serving = Callable[..., TestClient]


def scopes_of(route: APIRoute) -> list[str]:
    """Return the scopes that a route asks for, wherever in its dependencies."""
    found, waiting = [], [route.dependant]
    while waiting:
        one = waiting.pop()
        waiting += one.dependencies
        if isinstance(one.call, Needs):
            found.append(one.call.scope)
    return found


def routes(client: TestClient) -> Iterator[tuple[str, str, str]]:
    """Yield (method, path, scope) of every route that there is."""
    waiting: list[Any] = list(client.app.routes)  # type: ignore[attr-defined]
    while waiting:
        route = waiting.pop()
        waiting += getattr(getattr(route, "original_router", route), "routes", None) or []
        if isinstance(route, APIRoute):
            for method in route.methods:
                yield method, route.path, ",".join(scopes_of(route))


def filled(path: str) -> str:
    return re.sub(r"{[^}]*}", "1", path)


@pytest.fixture
def guarded(serving: Serving) -> tuple[TestClient, dict[str, str]]:
    """A service with a token for each scope, and one of another tenant."""
    client = serving()
    held: dict[str, str] = {}
    for scope, tenant in [("admin", ""), *((scope, "") for scope in SCOPES[:3]), ("admin", "other")]:
        headers = {"Authorization": f"Bearer {held['admin']}"} if held else {}
        asked = {"name": f"{scope} {tenant}", "scope": scope, "tenant": tenant}
        made = client.post("/v1/tokens", json=asked, headers=headers)
        assert made.status_code == 201
        held[scope + tenant] = made.json()["token"]
    return client, held


def asked(client: TestClient, method: str, path: str, token: str | None, **headers: str) -> int:
    told = dict(headers) if token is None else {"Authorization": f"Bearer {token}", **headers}
    return client.request(method, filled(path), headers=told).status_code


def test_every_route_refuses_who_may_not(guarded: tuple[TestClient, dict[str, str]]) -> None:
    client, held = guarded
    tried = 0
    for method, path, scope in routes(client):
        if path in PUBLIC:
            assert asked(client, method, path, None) == 200
            continue
        assert scope in SCOPES, f"{method} {path} asks for no scope"
        assert asked(client, method, path, None) == 401, (method, path)
        assert asked(client, method, path, "mgt_wrong") == 401, (method, path)
        for name in SCOPES:
            if not Access("", name, "", 0).may(scope):
                assert asked(client, method, path, held[name]) == 403, (method, path, name)
                tried += 1
        assert asked(client, method, path, held["adminother"], **{"Marigram-Tenant": "x"}) == 403
        if path.startswith("/v1/tokens"):
            asked_anyway = {"json": {"name": "x", "scope": "read"}} if method == "POST" else {}
            headers = {"Authorization": f"Bearer {held['adminother']}"}
            assert client.request(method, filled(path), headers=headers, **asked_anyway).status_code == 403
    assert tried > 30


def test_a_tenant_sees_its_own_only(guarded: tuple[TestClient, dict[str, str]]) -> None:
    client, held = guarded
    mine, theirs = ({"Authorization": f"Bearer {held[name]}"} for name in ("admin", "adminother"))
    body = b'{"host": "secret", "load": 1.0}\n{"host": "secret", "load": 2.0}'
    assert client.post("/v1/events", content=body, headers=mine).json()["accepted"] == 2
    assert client.get("/v1/keys/secret", headers=mine).status_code == 200
    assert client.get("/v1/keys/secret", headers=theirs).status_code == 404
    assert client.get("/v1/stats", headers=theirs).json()["accepted"] == 0
    assert client.get("/v1/stats", headers={**mine, "Marigram-Tenant": "other"}).json()["accepted"] == 0


def test_a_token_that_ended_opens_nothing(guarded: tuple[TestClient, dict[str, str]]) -> None:
    client, held = guarded
    mine = {"Authorization": f"Bearer {held['admin']}"}
    listed = client.get("/v1/tokens", headers=mine)
    assert held["read"] not in listed.text
    (number,) = (one["id"] for one in listed.json() if one["scope"] == "read")
    assert client.get("/v1/stats", headers={"Authorization": f"Bearer {held['read']}"}).status_code == 200
    assert client.delete(f"/v1/tokens/{number}", headers=mine).json() == {"revoked": number}
    assert client.get("/v1/stats", headers={"Authorization": f"Bearer {held['read']}"}).status_code == 401
    assert client.delete(f"/v1/tokens/{number}", headers=mine).status_code == 404
    actions = [row["action"] for row in client.get("/v1/audit", headers=mine).json()]
    assert actions == ["token.revoke", *["token.create"] * 5]


def test_no_token_is_stored_or_logged(
    guarded: tuple[TestClient, dict[str, str]], tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client, held = guarded
    client.get("/v1/stats", headers={"Authorization": f"Bearer {held['read']}"})
    stored = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    for token in held.values():
        assert token.encode() not in stored
        assert token not in caplog.text


def test_an_open_service_serves_this_machine_alone(serving: Serving) -> None:
    client = serving()
    assert client.get("/v1/stats").status_code == 200
    assert client.get("/v1/stats", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/healthz", headers={"Host": "10.0.0.7:80"}).status_code == 200
    body, other = b'{"load": 1}', {"Origin": "https://evil.example"}
    assert client.post("/v1/events", content=body, headers=other).status_code == 403
    assert client.post("/v1/events", content=body, headers={"Origin": "null"}).status_code == 403
    own = {"Origin": "http://127.0.0.1:8765"}
    assert client.post("/v1/events", content=body, headers=own).status_code == 200


def test_a_session_stands_for_its_token(guarded: tuple[TestClient, dict[str, str]]) -> None:
    client, held = guarded
    gate = client.app.state.gate  # type: ignore[attr-defined]
    assert gate.login("mgt_wrong") is None
    cookie = gate.login(held["read"])
    client.cookies.set("marigram_session", cookie)
    assert client.get("/v1/stats").status_code == 200
    assert client.get("/v1/tokens").status_code == 403
    assert client.post("/v1/replay", json={}, headers={"Origin": "http://127.0.0.1:8765"}).status_code == 403
    client.cookies.set("marigram_session", gate.login(held["operate"]))
    assert client.post("/v1/replay", json={}).status_code == 403  # no Origin, so no browser of ours
    assert client.post("/v1/replay", json={}, headers={"Origin": "http://127.0.0.1:8765"}).status_code == 200


def test_who_may_only_send_is_told_so_at_the_login(guarded: tuple[TestClient, dict[str, str]]) -> None:
    client, held = guarded
    refused = client.post("/login", data={"token": held["ingest"]}, follow_redirects=False)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert "it sends events and sees no pages" in refused.text
    allowed = client.post("/login", data={"token": held["read"]}, follow_redirects=False)
    assert (allowed.status_code, allowed.headers["location"]) == (303, "/ui/overview")


def test_another_address_needs_a_token(tmp_path: Any) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.4", "example.org"):  # noqa: S104 - it is refused
        with pytest.raises(ParameterError, match="no token exists"):
            check_address(host, Settings(tmp_path), has_token=False)
        check_address(host, Settings(tmp_path), has_token=True)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_address(host, Settings(tmp_path), has_token=False)


@pytest.mark.parametrize("tenant", ["..", "a/b", "A", "-a", "x" * 64, "a b", "%2e"])
def test_a_tenant_is_never_a_path(serving: Serving, tenant: str) -> None:
    client = serving()
    asked = {"name": "x", "scope": "read", "tenant": tenant}
    assert client.post("/v1/tokens", json=asked).status_code == 422
    assert client.get("/v1/stats", headers={"Marigram-Tenant": tenant}).status_code == 422
