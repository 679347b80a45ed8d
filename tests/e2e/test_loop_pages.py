"""The pages of the loop in a browser: cases, one of them, the queue, the model; a click labels, learns, rolls back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from marigram.bridge import preset
from marigram.bridge.loop.loop import Loop
from marigram.datasets import cloudtrail

sync_api = pytest.importorskip("playwright.sync_api")
axe_of = pytest.importorskip("axe_playwright_python.base")
stage = pytest.importorskip("tests.service.dashboard.stage")

pytestmark = pytest.mark.e2e

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
AXE = Path(axe_of.__file__).parent / "axe.min.js"


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Loop:
    begun = Loop.begin(tmp_path_factory.mktemp("state") / "loop", preset("cloudtrail").schema)
    table = cloudtrail().events
    names = [stage.EVIL if name == "GetPasswordData" else name for name in table["event_name"].to_pylist()]
    place = table.column_names.index("event_name")
    begun.take(table.set_column(place, "event_name", pa.array(names)), source="scene")
    return begun


@pytest.fixture(scope="module")
def home(loop: Loop) -> Iterator[str]:
    desk = stage.filled()
    with stage.Serving(stage.app_over(desk, stage.Lock(), state=loop.folder.path.parent)) as address:
        yield address


@pytest.fixture
def page(home: str) -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("this machine lacks Chromium")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        opened = running.new_context(base_url=home).new_page()
        opened.set_default_timeout(60_000)
        opened.wrong = []
        opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
        yield opened
        running.close()


def serious(page: Any) -> list[str]:
    """Return what axe finds in either theme."""
    page.add_script_tag(content=AXE.read_text())
    found = []
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        page.locator(f":root[data-theme={theme}]").wait_for()
        found += page.evaluate("() => axe.run()")["violations"]
    return [one["id"] for one in found if one["impact"] in ("serious", "critical")]


def test_from_a_case_to_a_version_and_back_by_keyboard_and_without_html(page: Any, loop: Loop) -> None:
    page.goto("/ui/cases")
    page.locator("table.rows td.key a").first.wait_for()
    assert serious(page) == []
    assert stage.EVIL in page.locator("table.rows").inner_text()
    page.locator("table.rows td.key a").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="It was real").wait_for()
    assert page.locator("[role=img]").count() == 2
    assert serious(page) == []
    page.get_by_role("button", name="It was real").focus()
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="kept").wait_for()
    assert [one.of for one in loop.folder.labels.all()] == ["case"]
    page.goto("/ui/queue")
    page.get_by_role("button", name="False alarm").first.wait_for()
    assert serious(page) == []
    page.get_by_role("button", name="False alarm").first.click()
    page.get_by_text("2 labels so far").wait_for()
    page.goto("/ui/model")
    page.get_by_role("button", name="Learn from the labels now").click()
    page.get_by_text("Version 1 is in use. It cost 2 labels").wait_for()
    assert serious(page) == []
    page.get_by_role("button", name="Roll back one version").click()
    page.get_by_text("The streams alone are in use").wait_for()
    assert loop.version == 0
    assert page.title() != "1"
    assert page.wrong == []
