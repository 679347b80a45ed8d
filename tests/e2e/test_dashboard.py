"""The pages in a browser: they load from this machine alone, follow what happens, and do what a click says."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.service.alerts.scenes import told

sync_api = pytest.importorskip("playwright.sync_api")
axe_of = pytest.importorskip("axe_playwright_python.base")
stage = pytest.importorskip("tests.service.dashboard.stage")

pytestmark = pytest.mark.e2e

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
PAGES = ["overview", "alerts", "keys", "key?key=web-2", "silences", "configuration", "audit"]
SERIOUS = ("serious", "critical")
AXE = Path(axe_of.__file__).parent / "axe.min.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("this machine lacks Chromium")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="module")
def desk() -> Any:
    return stage.filled()


@pytest.fixture(scope="module")
def lock() -> Any:
    return stage.Lock()


@pytest.fixture(scope="module")
def home(desk: Any, lock: Any) -> Iterator[str]:
    with stage.Serving(stage.app_over(desk, lock)) as address:
        yield address


@pytest.fixture
def page(browser: Any, home: str) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1320, "height": 900}, base_url=home)
    context.set_default_timeout(30_000)
    opened = context.new_page()
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.wrong = []
    opened.on("pageerror", lambda error: opened.wrong.append(str(error)))
    opened.on("console", lambda said: opened.wrong.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()


def show(page: Any, name: str) -> None:
    page.goto(f"/ui/{name}")
    page.locator("h1").wait_for()


def rows(page: Any) -> Any:
    return page.locator("table.rows tbody tr")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_from_this_machine_alone_and_axe_has_nothing_serious(
    page: Any, home: str, name: str
) -> None:
    show(page, name)
    page.wait_for_load_state("networkidle")
    assert page.asked
    assert not [
        url for url in page.asked if not url.startswith((home, home.replace("http", "ws"), "data:", "blob:"))
    ]
    assert page.wrong == []
    assert_nothing_serious(page)


def test_the_page_of_an_alert_has_nothing_serious_either(page: Any) -> None:
    show(page, "overview")
    page.locator("table.rows td.text a").first.click()
    page.get_by_role("button", name="Acknowledge").wait_for()
    page.wait_for_load_state("networkidle")
    assert_nothing_serious(page)
    assert page.wrong == []


def assert_nothing_serious(page: Any) -> None:
    """In both themes."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.locator(f":root[data-theme={theme}]").wait_for()
        assert findings(page) == []


def findings(page: Any) -> list[tuple[str, list[str]]]:
    """Return what axe calls serious or critical, with where it is."""
    page.add_script_tag(content=AXE.read_text())
    found = page.evaluate("() => axe.run()")["violations"]
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in found
        if one["impact"] in SERIOUS
    ]


def test_the_theme_is_that_of_the_system_until_it_is_chosen(page: Any) -> None:
    page.emulate_media(color_scheme="dark")
    show(page, "key?key=web-2")
    wait_for_light(page, over=150)  # the first page of all: charts follow what the browser says
    assert background(page) == "rgb(13, 17, 23)"
    page.get_by_role("button", name="Light", exact=True).press("Enter")
    wait_for_light(page, under=150)
    assert background(page) == "rgb(255, 255, 255)"
    show(page, "alerts")
    assert background(page) == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Dark", exact=True).click()
    show(page, "key?key=web-2")
    wait_for_light(page, over=150)
    assert page.wrong == []


def background(page: Any) -> str:
    return str(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))


def wait_for_light(page: Any, over: int = -1, under: int = 256) -> None:
    """Wait until the line of the chart, the most of what is drawn but the band, is that light: 0 to 255."""
    page.locator("canvas").wait_for()
    page.wait_for_function(
        """([over, under]) => {
            const canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
            const [left, width] = [canvas.width * 0.5, canvas.width * 0.3];
            const seen = pen.getImageData(left, canvas.height * 0.2, width, canvas.height * 0.55).data;
            let sum = 0, count = 0;
            for (let i = 0; i < seen.length; i += 4) {
                const spread = Math.max(...seen.slice(i, i + 3)) - Math.min(...seen.slice(i, i + 3));
                if (seen[i + 3] > 200 && spread < 30) { sum += seen[i]; count += 1; }
            }
            return count > 50 && sum / count > over && sum / count < under;
        }""",
        arg=[over, under],
    )


def test_events_are_never_html(page: Any) -> None:
    show(page, "alerts?status=")
    assert page.get_by_role("link", name=stage.EVIL, exact=True).first.is_visible()
    assert page.locator("td img").count() == 0
    page.goto("/ui/key?" + page.evaluate("key => new URLSearchParams({key}).toString()", stage.EVIL))
    page.locator("canvas").wait_for()
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 26, box["y"] + 50)
    page.wait_for_timeout(300)
    assert page.title().startswith("<img src=x")
    assert page.locator("img").count() == 0


def test_a_page_follows_what_happens(page: Any, desk: Any) -> None:
    show(page, "alerts")
    before = rows(page).count()
    desk.scene.follow(told("A", key="fresh-1", start=3000))
    page.get_by_role("link", name="fresh-1", exact=True).wait_for()
    assert rows(page).count() == before + 1
    desk.scene.follow(told("...", key="fresh-1", start=3001))
    page.get_by_role("link", name="fresh-1", exact=True).wait_for(state="detached")


def test_the_overview_follows_too(page: Any, desk: Any) -> None:
    show(page, "overview")
    tile = page.locator(".tile", has_text="events accepted").locator("dd")
    before = tile.inner_text()
    desk.feed("db-1", np.full(10, 50.0), start=1600)
    sync_api.expect(tile).not_to_have_text(before)


def test_filters_are_addresses(page: Any) -> None:
    show(page, "alerts")
    page.get_by_label("status").select_option("closed")
    page.get_by_label("kind").select_option("drift")
    page.get_by_label("part of the key").fill("web")
    page.get_by_role("button", name="Filter").press("Enter")
    page.wait_for_url(re.compile(r"kind=drift"))
    sync_api.expect(rows(page)).to_have_count(1)
    assert "web-1" in rows(page).inner_text()
    assert page.get_by_label("kind").input_value() == "drift"


def test_chosen_alerts_are_acknowledged_together_by_keyboard(page: Any, desk: Any) -> None:
    for number in range(3):
        desk.scene.follow(told("A", key=f"bulk-{number}", start=4000 + number))
    show(page, "alerts?key=bulk")
    sync_api.expect(rows(page)).to_have_count(3)
    for number in (0, 2):
        box = page.get_by_role("checkbox", name=f"anomaly of bulk-{number}")
        box.focus()
        page.keyboard.press("Space")
    button = page.get_by_role("button", name="Acknowledge")
    button.focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("[role=status]", has_text="Acknowledge: 2 done")).to_have_count(1)
    sync_api.expect(page.locator(".badge.acknowledged")).to_have_count(2)
    statuses = {alert.key: alert.status for alert in desk.scene.alerts if alert.key.startswith("bulk")}
    assert statuses == {"bulk-0": "acknowledged", "bulk-1": "open", "bulk-2": "acknowledged"}


def test_one_click_says_it_was_expected_and_reads_out_what_that_changed(page: Any, desk: Any) -> None:
    rng = np.random.default_rng(8)
    desk.feed("label-me", np.append(rng.normal(size=5000), 9.5))
    show(page, "key?key=label-me")
    row = rows(page).filter(has_text="anomaly").first
    row.get_by_role("button", name="Expected").click()
    sync_api.expect(page.locator("[role=status]")).to_contain_text("threshold")
    (word,) = [alert.word for alert in desk.scene.alerts if alert.key == "label-me" and alert.word]
    assert (word.label, word.by) == ("expected", "local")
    assert word.after > word.before


def test_one_alert_is_exported_as_a_file_that_opens_alone(page: Any, browser: Any, tmp_path: Path) -> None:
    show(page, "overview")
    page.locator("table.rows td.text a").first.click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="As one HTML file").click()
    file = tmp_path / "alert.html"
    waiting.value.save_as(file)
    context = browser.new_context(offline=True, bypass_csp=True)
    alone = context.new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(file.as_uri())
    assert alone.locator("svg").is_visible()
    assert len(asked) == 1
    assert findings(alone) == []
    context.close()


def test_a_silence_is_begun_and_ended(page: Any, desk: Any) -> None:
    show(page, "silences")
    page.get_by_label("fits").fill("quiet-*")
    page.get_by_label("comment").fill("a move")
    page.get_by_role("button", name="Begin").click()
    row = rows(page).filter(has_text="key = quiet-*")
    row.wait_for()
    desk.scene.follow(told("A", key="quiet-1", start=5000))
    sync_api.expect(row.locator("td.number")).to_have_text("1")
    row.get_by_role("button", name="End now").click()
    sync_api.expect(row.get_by_role("button")).to_have_count(0)


def test_a_change_is_previewed(page: Any) -> None:
    show(page, "configuration")
    assert "latency_ms is the only column of numbers" in page.locator(".note").all_inner_texts()
    page.get_by_role("textbox", name="alpha").fill("many")
    page.get_by_role("button", name="Preview").click()
    sync_api.expect(page.locator("[role=status]")).to_contain_text("alpha is a number")
    page.get_by_role("textbox", name="alpha").fill("0.0001")
    page.get_by_role("button", name="Preview").click()
    sync_api.expect(rows(page).filter(has_text="notices")).to_contain_text("15")


def test_the_audit_tells_what_was_done(page: Any, desk: Any) -> None:
    desk.audit.append(("ann", "alert.close", {"alerts": ["x"]}))
    show(page, "audit")
    assert "alert.close" in rows(page).first.inner_text()


def test_the_keyboard_reaches_the_content_first(page: Any) -> None:
    show(page, "overview")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_token_is_exchanged_for_a_cookie_that_no_script_and_no_other_site_has(page: Any, lock: Any) -> None:
    lock.closed = True
    try:
        page.goto("/ui/overview")
        assert page.url.endswith("/login")
        assert findings(page) == []
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        assert "No such token" in page.locator("[role=alert]").inner_text()
        page.get_by_label("Token").fill(stage.WORD)
        page.get_by_role("button", name="Log in").click()
        page.locator(".tile").first.wait_for()
        (cookie,) = [one for one in page.context.cookies() if one["name"] == "marigram_session"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert stage.WORD not in cookie["value"]
        other = page.context.new_page()
        other.goto("/ui/alerts")
        other.locator("h1").wait_for()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")
        other.wait_for_url("**/login")  # what was open ends too
        page.goto("/ui/overview")
        assert page.url.endswith("/login")
    finally:
        lock.closed = False
