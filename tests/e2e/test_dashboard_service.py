"""The service as it is started: events in, a signed webhook out, a page that shows both, and an end with it open."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram.service.delivery.signing import is_genuine

sync_api = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.e2e

SHARED = "a secret of some length"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in BROWSERS if (found := shutil.which(name))), "")
MINUTE = 60


class Receiver:
    """Takes webhooks, refusing the first."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(503 if len(outer.heard) == 1 else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def service(tmp_path: Path, receiver: Receiver) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    config = tmp_path / "marigram.toml"
    config.write_text(
        '[alerts]\npattern = "(?P<service>[a-z]+)-.*"\n[[alerts.teams]]\nname = "web"\nbudget = 50\n'
        f'[[channels]]\ntype = "webhook"\nname = "hook"\nurl = "http://127.0.0.1:{receiver.port}/"\n'
        'allow = ["127.0.0.1/32"]\nsecret_env = "HOOK_SECRET"\nwait = 0.1\n'
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "marigram",
        "serve",
        "--state",
        str(tmp_path / "state"),
        "--port",
        str(port),
    ]
    running = subprocess.Popen([*command, "--config", str(config)], env=os.environ | {"HOOK_SECRET": SHARED})
    home = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answered(f"{home}/readyz"), 120)
        yield home, running
    finally:
        running.kill()
        running.wait()


def answered(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        refused.close()
        return False
    except OSError:
        return False


def until(happened: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"it did not happen within {seconds:g} seconds")
        time.sleep(0.05)


def send(home: str, values: Any, start: int) -> None:
    begin = int(time.time()) - 3000 * MINUTE
    lines = [
        json.dumps({"host": "web-1", "time": begin + (start + i) * MINUTE, "load": round(float(value), 4)})
        for i, value in enumerate(values)
    ]
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"b{start}"}
    request = urllib.request.Request(f"{home}/v1/events", "\n".join(lines).encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        assert json.load(answer)["accepted"] == len(lines)


def test_from_an_event_to_a_webhook_to_a_word_to_the_end(
    service: tuple[str, subprocess.Popen[bytes]], receiver: Receiver
) -> None:
    if not CHROMIUM:
        pytest.skip("this machine lacks Chromium")
    home, running = service
    send(home, np.random.default_rng(7).normal(50, 3, 2400), 0)
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(base_url=home)
        page.set_default_timeout(60_000)
        page.goto("/")
        page.locator(".tile", has_text="events accepted").locator("dd", has_text="2,400").wait_for()
        page.goto("/ui/key?key=web-1")
        page.locator("canvas").wait_for()

        send(home, [110.0], 2400)  # while the page is open
        row = page.locator("table.rows tbody tr", has_text="anomaly").filter(has_text="110").first
        row.get_by_role("button", name="Expected").click()
        sync_api.expect(page.locator("[role=status]")).to_contain_text("threshold")
        sync_api.expect(row.locator(".badge.closed")).to_have_count(1)

        page.goto("/ui/configuration")
        page.get_by_role("textbox", name="alpha").fill("0.02")
        page.get_by_role("button", name="Preview").click()
        figures = page.locator("table.rows tbody tr", has_text="anomaly").locator("td.number")
        figures.first.wait_for()
        now, then = (int(text.replace(",", "")) for text in figures.all_inner_texts())
        assert then > now

        page.goto("/ui/audit")
        page.locator("table.rows tbody tr", has_text="alert.label").first.wait_for()

        until(lambda: any(b"110" in body for _, body in receiver.heard[1:]), 60)
        first, again = receiver.heard[0], receiver.heard[1]
        assert first[0]["webhook-id"] in {headers["webhook-id"] for headers, _ in receiver.heard[1:]}
        assert is_genuine(SHARED, again[0], again[1], int(time.time()))

        running.send_signal(signal.SIGTERM)
        assert running.wait(30) in (0, -signal.SIGTERM)  # with the page open
        browser.close()
