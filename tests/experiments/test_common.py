"""Figures, what is expected of them, and that every experiment runs from its first line to its last."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest
from experiments.__main__ import ROOT, names

from experiments import common


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_an_experiment_runs(name, tmp_path):
    run = importlib.import_module(f"experiments.{name}.run")
    status = run.main(["--smoke", "--out", str(tmp_path)])
    if status == common.LACKING:
        pytest.skip(f"this machine lacks the data of {name}")
    assert status == 0
    assert json.loads((tmp_path / "result.json").read_text())["form"] == "smoke"


@pytest.mark.parametrize("name", names())
def test_an_experiment_says_what_is_expected(name):
    folder = ROOT / name
    expected = json.loads((folder / "expected.json").read_text())
    assert expected["quick"]
    text = (folder / "README.md").read_text()
    assert f"python -m experiments.{name}.run" in text
    assert "| paper | ours |" in text or "paper" in text.split("|---")[0].lower()


def test_a_mean_has_its_interval():
    figure = common.mean([1.0, 2.0, 3.0, 4.0])
    assert figure.value == 2.5
    assert figure.half == pytest.approx(1.96 * np.std([1, 2, 3, 4], ddof=1) / 2)
    assert f"{figure:.1f}" == "2.5 ± 1.3"


def test_the_interval_of_a_median_covers_it():
    inside = 0
    for seed in range(200):
        figure = common.median(np.random.default_rng(seed).normal(size=25))
        inside += abs(figure.value) <= figure.half
    assert inside >= 170


def test_a_proportion_of_nothing_is_not_certain():
    figure = common.proportion(0, 100)
    assert figure.value == 0.0
    assert 0.0 < figure.half < 0.05


@pytest.mark.parametrize(
    ("wanted", "good"),
    [
        ({"value": 1.0, "tolerance": 0.1}, True),
        ({"value": 1.3, "tolerance": 0.1}, False),
        ({"at_most": 1.0}, False),
        ({"at_most": 2.0, "at_least": 1.0}, True),
        ({"value": 1.0, "tolerance": 0.1, "at_least": 1.05}, True),
        ({"value": 1.0, "tolerance": 0.1, "at_least": 1.07}, False),
    ],
)
def test_a_figure_is_compared(wanted, good):
    assert (not common.compare({"a": common.Figure(1.06)}, {"a": wanted})) == good


def test_what_is_missing_or_new_is_told():
    assert len(common.compare({"a": common.Figure(1.0)}, {"b": {"value": 1.0}})) == 2
    assert common.compare({"a": common.Figure(float("nan"))}, {"a": {"at_most": 1.0}})


def test_an_experiment_from_its_settings_to_its_status(tmp_path, capsys):
    (tmp_path / "config.toml").write_text("seeds = 3\n[smoke]\nseeds = 1\n")

    def measure(run):
        run.table("t", ["x"], [[run.figure("x", [float(i) for i in range(run.config["seeds"])])]])

    arguments = (str(tmp_path / "run.py"), "about", measure)
    assert common.main(*arguments, ["--smoke"]) == 0
    assert common.main(*arguments, ["--record", "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "result.json").read_text())["x"]["seeds"] == 3
    expected = json.loads((tmp_path / "expected.json").read_text())
    expected["quick"]["x"]["at_most"] = 0.5
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    assert common.main(*arguments, []) == common.OUTSIDE
    assert "x: 1 is outside" in capsys.readouterr().out
    assert common.main(*arguments, ["--record"]) == common.OUTSIDE, "a bound is not recorded away"
