"""Range queries: every stretch of time once, over restarts and failures, and nobody is called who may not be."""

import json
import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from marigram import ParameterError
from marigram.errors import InputError
from marigram.service import promql
from marigram.service.sources import PromQuery, Sources, sources_of

Serving = Callable[..., TestClient]
HERE = ("127.0.0.1/32",)


class Prometheus:
    """Has two series, of which one has a gap; fails when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.failing = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = {name: value[0] for name, value in parse_qs(urlsplit(self.path).query).items()}
                status, answer = outer.answer(asked)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, asked: dict[str, str]) -> tuple[int, Any]:
        if self.failing:
            self.failing -= 1
            return 503, {"status": "error", "error": "warming up"}
        assert asked["query"] == "rate(up[5m])"
        start, end, step = int(asked["start"]), int(asked["end"]), int(asked["step"])
        self.asked.append((start, end))
        times = range(start, end + 1, step)
        some = [[at, str(at % 7)] for at in times if at % 5]
        every = [[at + 0.0, "NaN" if at % 11 == 0 else "1.5"] for at in times]
        result = [{"metric": {"job": "a"}, "values": every}, {"metric": {"job": "b"}, "values": some}]
        return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}}


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    made = Prometheus()
    yield made
    made.server.shutdown()
    made.server.server_close()


def until(client: TestClient, count: int) -> int:
    end, accepted = time.monotonic() + 60, 0
    while time.monotonic() < end and accepted < count:
        time.sleep(0.02)
        accepted = client.get("/v1/stats").json()["accepted"]
    return accepted


def expected(asked: list[tuple[int, int]]) -> int:
    first, last = asked[0][0], asked[-1][1]
    return sum(1 + bool(at % 5) for at in range(first, last + 1))


def test_each_stretch_is_asked_for_and_judged_once(
    serving: Serving, prometheus: Prometheus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promql, "_STEPS", 40)
    query = PromQuery(
        url=prometheus.url, query="rate(up[5m])", name="up:rate", step=1, delay=0, since=100, allow=HERE
    )
    prometheus.failing = 1
    client = serving(tmp_path / "s", sources=Sources(promql=(query,)))
    until(client, 150)
    client.__exit__()
    time.sleep(1.2)
    again = serving(tmp_path / "s", sources=Sources(promql=(query,)))
    until(again, expected(prometheus.asked) + 2)
    keys = {row["key"] for row in again.get("/v1/keys").json()}
    again.__exit__()
    ends = [end for _, end in prometheus.asked[:-1]]
    assert [start for start, _ in prometheus.asked[1:]] == [end + 1 for end in ends]
    assert keys == {'up:rate{job="a"}', 'up:rate{job="b"}'}
    settled = serving(tmp_path / "s")
    assert settled.get("/v1/stats").json()["accepted"] == expected(prometheus.asked)


def test_an_answer_that_is_too_long_is_asked_for_in_parts(
    serving: Serving, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promql, "_MOST", 1500)
    query = PromQuery(url=prometheus.url, query="rate(up[5m])", step=1, delay=0, since=60, allow=HERE)
    client = serving(sources=Sources(promql=(query,)))
    assert until(client, 100) >= 100


def test_a_place_inside_is_called_only_when_it_is_allowed(serving: Serving, prometheus: Prometheus) -> None:
    client = serving(sources=Sources(promql=(PromQuery(url=prometheus.url, query="rate(up[5m])", step=1),)))
    time.sleep(0.5)
    assert client.get("/v1/stats").json()["accepted"] == 0
    assert prometheus.asked == []


def test_settings_of_a_query_are_checked() -> None:
    for wrong, told in (
        ({"url": "ftp://x", "query": "up"}, "URL"),
        ({"url": "http://x", "query": " "}, "empty"),
        ({"url": "http://x", "query": "up", "step": 0.5}, "step"),
        ({"url": "http://x", "query": "up", "step": 1.5}, "whole"),
        ({"url": "http://x", "query": "up", "allow": ["x"]}, "network"),
        ({"url": "http://x", "query": "up", "every": 1.0}, "unknown field"),
    ):
        with pytest.raises(ParameterError, match=told):
            sources_of({"promql": [wrong]})


@given(st.one_of(st.binary(), st.builds(json.dumps, st.from_type(dict)).map(str.encode)))
def test_any_answer_is_samples_or_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="range query"):
        promql.samples_of(body, "x")


@pytest.mark.parametrize("at", ["1e30", "-1e30", "1e999"])
def test_a_time_beyond_all_is_refused(at: str) -> None:
    body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[[{at},"1"]]}}]}}}}'
    with pytest.raises(InputError, match="range query"):
        promql.samples_of(body.encode(), "x")


def test_the_example_of_the_guide_is_a_configuration() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "service.md").read_text()
    (example,) = re.findall(r"^```toml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    sources = sources_of(tomllib.loads(example))
    assert (sources.tail[0].lateness, sources.promql[0].tenant) == (30.0, "prometheus")
