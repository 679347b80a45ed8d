"""`marigram bench speed` end to end, on its small streams and the peers that are installed."""

import json

import pytest
from typer.testing import CliRunner

from marigram.cli.bench import app
from marigram.cli.speed.peers import PEERS, installed

FORMS = ["one_at_a_time", "keys_10k_times", "d32", "json_lines", "parquet"]


@pytest.mark.e2e
def test_every_form_prints_its_figures(monkeypatch):
    for pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
        monkeypatch.setenv(f"{pool}_NUM_THREADS", "1")
    chosen = [part for form in FORMS for part in ("--only", form)]
    done = CliRunner().invoke(app, ["speed", "--quick", "--budget", "0.05", "--json", *chosen])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert list(found["forms"]) == FORMS
    for form in found["forms"].values():
        expected = {
            n for n, entry in PEERS.items() if installed(entry) and entry.can(form["keys"], form["d"])
        }
        assert set(form["peers"]) == expected
        assert form["ours"]["events"] == form["events"]
        assert form["ours"]["events_per_cpu_s"] > 0.0
        assert all(peer["ratio"] > 0.0 and peer["events"] > 0 for peer in form["peers"].values())
        assert 0.0 < form["memory_ratio"] < 1.0
    assert found["forms"]["keys_10k_times"]["bytes_per_key"] > 0
