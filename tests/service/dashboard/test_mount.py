"""The door in front of the pages: who is let in, from where, and what it costs nobody who does not ask."""

import subprocess
import sys

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.service.alerts.site import MemoryDesk
from tests.service.dashboard.stage import WORD, Lock, app_over

import marigram as mg
from marigram.service.dashboard.charts import rate_options, series_options, told_in_words

HOST = "http://testserver"


@pytest.fixture
def client() -> TestClient:
    return TestClient(app_over(MemoryDesk(), Lock(closed=True)), follow_redirects=False)


def test_nobody_is_let_in_without_a_session(client: TestClient) -> None:
    for path in ("/ui/overview", "/ui/alerts", "/ui/_nicegui/3/static/nicegui.js", "/ui/nothing", "/ui"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"]) in ((303, "/login"), (307, f"{HOST}/ui/")), (
            path
        )
    assert client.get("/ui/").headers["location"] == "/login"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/ui/_nicegui_ws/socket.io/?EIO=4"):
        pass


def test_login_gives_a_strict_cookie_and_logout_takes_it(client: TestClient) -> None:
    assert client.post("/login", data={"token": "wrong"}).status_code == 401
    answer = client.post("/login", data={"token": WORD})
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 303
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert WORD not in cookie
    assert client.get("/ui/").headers["location"] == "/ui/overview"
    assert client.post("/logout").status_code == 303
    client.cookies.set("marigram_session", "session-1")
    assert client.get("/ui/").headers["location"] == "/login"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://testserver.evil.example", "http://testserver:81"]
)
def test_what_another_site_sends_is_refused(client: TestClient, origin: str) -> None:
    headers = {"Origin": origin}
    assert client.post("/login", data={"token": WORD}, headers=headers).status_code == 403
    client.post("/login", data={"token": WORD})
    assert client.post("/logout", headers=headers).status_code == 403
    assert client.post("/ui/_nicegui_ws/socket.io/", headers=headers).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/ui/_nicegui_ws/socket.io/?EIO=4", headers=headers),
    ):
        pass


def test_what_a_browser_calls_cross_site_is_refused(client: TestClient) -> None:
    answer = client.post("/login", data={"token": WORD}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_a_long_form_is_no_login(client: TestClient) -> None:
    assert (
        client.post("/login", content=b"token=" + WORD.encode() + b"&a=" + b"x" * 20_000).status_code == 401
    )


def test_the_login_page_may_load_nothing(client: TestClient) -> None:
    answer = client.get("/login")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_nicegui_is_imported_by_who_asks_for_a_page_and_by_nobody_else() -> None:
    code = (
        "import sys; from fastapi import FastAPI; from marigram.service.dashboard import mount;"
        "mount(FastAPI(), lambda c: None, lambda t: None, lambda s: None); print('nicegui' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def verdicts(values: object, times: object = None) -> mg.Verdicts:
    return mg.Detector().update_many(np.asarray(values), times)


def test_a_chart_shows_values_band_marks_and_drifts() -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(size=600), rng.normal(30, 1, 200)])
    values[300] = 1e12
    options = series_options(verdicts(values))
    named = {one["name"]: one for one in options["series"]}
    assert len(named["value"]["data"]) == 800
    assert max(y for _, y in named["value"]["data"]) <= options["yAxis"]["max"] < 1e6
    assert [point["value"][0] for point in named["anomaly"]["data"]].count(300.0) == 1
    assert len(named["value"]["markLine"]["data"]) == 1
    assert options["tooltip"]["renderMode"] == "richText"


def test_a_chart_of_odd_events_has_only_numbers_and_nulls() -> None:
    options = series_options(verdicts([np.nan, np.inf, 1.0, 1.0, np.nan, 2.0]))
    for one in options["series"][:4]:
        assert all(y is None or np.isfinite(y) for _, y in one["data"])
    assert "6 events" in told_in_words(verdicts([np.nan, np.inf, 1.0, 1.0, np.nan, 2.0]))


def test_a_wide_event_is_shown_by_coordinate() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 2)) + np.array([0.0, 100.0])
    second = series_options(verdicts(rows), 1)["series"][3]["data"]
    assert np.allclose([y for _, y in second], rows[:, 1])


def test_alerts_by_hour_are_stacked_by_kind() -> None:
    options = rate_options({10: {"anomaly": 2}, 12: {"drift": 1}}, 9, 5)
    assert [one["name"] for one in options["series"]] == ["anomaly", "drift"]
    assert [count for _, count in options["series"][0]["data"]] == [0, 2, 0, 0, 0]
