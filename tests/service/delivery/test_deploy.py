"""What deploy/ offers fits the service that is here."""

import importlib
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from marigram.kinds import Kind
from marigram.service.alerts import rules_of
from marigram.service.delivery.channels import secrets_of

DEPLOY = Path(__file__).parents[3] / "deploy"

pytestmark = pytest.mark.skipif(
    not DEPLOY.exists(), reason="not a checkout: deploy/ is not part of the package"
)


def test_the_grafana_dashboard_asks_for_metrics_that_there_are(tmp_path: Path) -> None:
    from marigram.service.metrics import exposition
    from marigram.service.tenants import Settings, Tenants

    tenants = Tenants(Settings(tmp_path / "state"))
    try:
        text = exposition(tenants)[0].decode()
    finally:
        tenants.close()
    there = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    dashboard = json.loads((DEPLOY / "grafana" / "marigram.json").read_text())
    asked = set(re.findall(r"marigram_\w+", json.dumps([dashboard["panels"], dashboard["templating"]])))
    assert asked
    assert asked <= there | {f"{name}_total" for name in there}
    assert 'kind="normal"' in text
    assert Kind.NORMAL.label == "normal"


def test_panels_do_not_overlap_and_have_names() -> None:
    panels = json.loads((DEPLOY / "grafana" / "marigram.json").read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert all(panel["title"] and panel["targets"] for panel in panels)


def test_the_example_for_alertmanager_is_a_configuration() -> None:
    config = tomllib.loads((DEPLOY / "alertmanager" / "marigram.toml").read_text())
    rules = rules_of({**config["alerts"], "channels": config["channels"]})
    (channel,) = rules.channels
    assert secrets_of(channel, {}) == {}


def test_the_example_of_the_guide_is_a_configuration() -> None:
    guide = (DEPLOY.parent / "docs" / "guide" / "alerts.md").read_text()
    config = tomllib.loads("\n".join(re.findall(r"^```toml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)))
    rules = rules_of({**config["alerts"], "channels": config["channels"]})
    assert {channel.__struct_config__.tag for channel in rules.channels} == {
        "webhook",
        "alertmanager",
        "slack",
        "smtp",
    }
    assert rules.labels_of("web-7") == {"service": "web", "host": "7"}


def test_the_unit_is_one_for_systemd(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("only systemd can say whether a unit is one")
    unit = tmp_path / "marigram.service"
    text = (DEPLOY / "marigram.service").read_text()
    assert "ExecStart=/opt/marigram/bin/marigram serve --state /var/lib/marigram" in text
    unit.write_text(text.replace("/opt/marigram/bin/marigram", "/bin/true"))
    done = subprocess.run([verify, "verify", str(unit)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_is_made_of_what_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE)
    assert copied
    assert all((DEPLOY.parent / name).exists() for line in copied for name in line.split())
    (module, function) = re.findall(r"from ([\w.]+) import (\w+)", text)[0]
    assert callable(getattr(importlib.import_module(module), function))
