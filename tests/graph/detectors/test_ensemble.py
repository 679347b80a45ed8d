"""The mean of several models: who joins on validation, and that it is what it says, saved or explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, planted, relabelled

from marigram import graph as mgg
from marigram.errors import SnapshotError
from marigram.evaluate.metrics import average_precision
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.ensemble import MeanScorer, mean_logits, selected

pytest.importorskip("torch")

from marigram.graph.networks import NetworkSettings, TrainingSettings

TRIED = ("trees", "sage", "gcn")


def detector(kind: str, **more: object) -> mgg.NodeDetector:
    settings = {
        "hops": 1,
        "trees": QUICK,
        "network": NetworkSettings(width=16, layers=2),
        "training": TrainingSettings(epochs=20, patience=8, rate=0.02),
    }
    return mgg.NodeDetector(kind, **settings | more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def graph() -> mgg.Graph:
    return planted(6, by="neighbours", n=400)


@pytest.fixture(scope="module")
def auto(graph: mgg.Graph) -> mgg.NodeDetector:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marigram.graph.detectors.plan.AUTO", TRIED)
        return detector("auto").fit(graph)


def candidates(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Two that err independently, and one that knows nothing."""
    rng = np.random.default_rng(seed)
    positive = rng.random(1500) < 0.2
    signal = 2.0 * positive
    names = {"a": 1.0, "b": 1.1}
    logits = {name: signal + spread * rng.normal(size=1500) for name, spread in names.items()}
    return logits | {"noise": rng.normal(size=1500)}, positive


def test_those_that_err_apart_join_and_those_that_know_nothing_do_not() -> None:
    for seed in range(5):
        logits, positive = candidates(seed)
        curves = {name: Calibration.fit(found, positive) for name, found in logits.items()}
        assert selected(logits, curves, positive, "a") == ["a", "b"]
        both = mean_logits({name: logits[name] for name in "ab"}, curves)
        assert average_precision(positive, both) > average_precision(positive, logits["a"]) + 0.02


def test_auto_is_at_least_as_good_on_validation_as_each_alone(
    graph: mgg.Graph, auto: mgg.NodeDetector
) -> None:
    alone = {kind: detector(kind).fit(graph).validation.graph_ap for kind in TRIED}
    assert auto.validation.graph_ap >= max(alone.values())
    assert set(auto.chosen.split(" + ")) <= set(TRIED)
    if " + " not in auto.chosen:
        assert alone[auto.chosen] == auto.validation.graph_ap


def test_with_too_few_anomalies_to_tell_one_stands_alone(
    graph: mgg.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marigram.graph.detectors.plan.AUTO", TRIED)
    users = graph.nodes["user"]
    labels = users.labels.copy()
    labels[np.flatnonzero(users.val_mask & (labels == 1))[9:]] = -1
    assert detector("auto").fit(relabelled(graph, labels)).chosen in TRIED


@pytest.fixture(scope="module")
def mean(graph: mgg.Graph) -> mgg.NodeDetector:
    """Scores by the mean of two whatever validation says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("marigram.graph.detectors.plan.AUTO", TRIED[:2])
        patch.setattr("marigram.graph.detectors.ensemble.LEAST_GAIN", -1.0)
        model = detector("auto").fit(graph)
    assert set(model.chosen.split(" + ")) == set(TRIED[:2])
    return model


def test_it_is_the_mean_of_calibrated_logits(graph: mgg.Graph, mean: mgg.NodeDetector) -> None:
    scorer, nodes = mean.fitted.scorers["graph"], np.arange(50)
    assert isinstance(scorer, MeanScorer)
    alone = {kind: member.logits(graph, nodes) for kind, member in scorer.members.items()}
    expected = sum(scorer.curves[k].slope * s + scorer.curves[k].shift for k, s in alone.items()) / 2
    np.testing.assert_allclose(scorer.logits(graph, nodes), expected, rtol=1e-12)


def test_it_is_saved_and_scores_alike(graph: mgg.Graph, mean: mgg.NodeDetector, tmp_path: Path) -> None:
    mean.save(tmp_path)
    again = mgg.NodeDetector.load(tmp_path)
    for which in ("best", "graph", "control"):
        np.testing.assert_array_equal(again.score(graph, which), mean.score(graph, which))
    assert again.report == mean.report
    assert again.explain(3, graph) == mean.explain(3)
    (file,) = tmp_path.glob("*.graph.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SnapshotError):
        mgg.NodeDetector.load(tmp_path)


def test_what_carries_it_is_the_sum_of_what_carries_its_members(
    graph: mgg.Graph, mean: mgg.NodeDetector
) -> None:
    scorer = mean.fitted.scorers["graph"]
    assert isinstance(scorer, MeanScorer)
    told = scorer.parts(graph, 3, 5)
    by_member = {kind: member.parts(graph, 3, 5) for kind, member in scorer.members.items()}
    for name, _, carried in told.features:
        each = [
            scorer.curves[kind].slope / 2 * c
            for kind, parts in by_member.items()
            for column, _, c in parts.features
            if column == name
        ]
        assert carried == pytest.approx(sum(each))
    assert {name for name, _, _ in told.features} == set(scorer.names)
    assert len({edge[:3] for edge in told.edges}) == len(told.edges)
