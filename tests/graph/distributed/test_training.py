"""Several processes learn what one learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.graph.detectors.graphs import planted

from marigram.errors import InputError, ParameterError
from marigram.evaluate.metrics import average_precision
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.labels import job_of
from marigram.graph.detectors.neural import NetworkLearner, NetworkScorer
from marigram.graph.distributed.peers import Peers
from marigram.graph.networks import NetworkSettings, TrainingSettings

pytestmark = pytest.mark.slow
ALONE = TrainingSettings(epochs=6, patience=6, rate=0.02)


def weights(scorer: NetworkScorer) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in scorer.network.state_dict().items()}


def the_job() -> Job:
    job = job_of(planted(2, by="neighbours", n=300), "user", seed=0)
    return replace(job, train=job.train[: len(job.train) - 1 + len(job.train) % 2])


def test_two_processes_learn_the_weights_of_one() -> None:
    """The whole graph in every step, nothing random: the mean of the parts' gradients is the gradient."""
    job = the_job()
    assert len(job.train) % 2 == 1  # one part is filled up
    network = NetworkSettings(kind="sage", width=16, layers=2, dropout=0.0)
    one = NetworkLearner(network, ALONE).fit(job)
    two = NetworkLearner(network, replace(ALONE, processes=2)).fit(job)
    assert one.epochs == two.epochs
    begun = NetworkLearner(network, replace(ALONE, epochs=1)).fit(job)
    moved = max(float(np.abs(weights(begun)[name] - w).max()) for name, w in weights(one).items())
    for name, found in weights(two).items():
        np.testing.assert_allclose(found, weights(one)[name], rtol=0, atol=2e-3 * moved)


def test_samples_are_learned_from_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marigram.graph.detectors.neural.MOST_EDGES", 100)
    data = planted(2, by="neighbours")
    training = TrainingSettings(epochs=8, rate=0.02, processes=2)
    job = job_of(data, "user", seed=0)
    scorer = NetworkLearner(NetworkSettings(width=16, layers=1), training).fit(job)
    assert scorer.sight.sampled
    test = np.flatnonzero(data.nodes["user"].test_mask)
    truth = data.nodes["user"].labels[test] == 1  # type: ignore[index]
    assert average_precision(truth, scorer.logits(data, test)) > 2 * truth.mean()


def test_a_process_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    job = the_job()
    only = Job(job.graph, job.target, np.zeros_like(job.labels), job.weights, job.train, job.valid)
    learner = NetworkLearner(NetworkSettings(width=8, layers=1), replace(ALONE, processes=2))
    with pytest.raises(InputError, match=r"learning process .* needs an anomaly and a normal node"):
        learner.fit(only)
    monkeypatch.setattr("marigram.graph.distributed.launching.sys.executable", "/bin/false")
    with pytest.raises(InputError, match="ended with 1"):
        learner.fit(job)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [1, 4, 7, 30])
def test_parts_are_equally_long_and_hold_every_node_once(count: int, length: int) -> None:
    nodes = np.arange(100, 100 + length)
    parts = [Peers(number, count).filled(nodes) for number in range(count)]
    assert len({len(own) for own, _ in parts}) == 1
    held = np.concatenate([own[weights > 0] for own, weights in parts])
    assert sorted(held) == nodes.tolist()
    whole = sum(float(weights.mean()) for _, weights in parts) / count
    assert whole == pytest.approx(1)  # a mean over the parts is a mean over the nodes


def test_processes_are_checked() -> None:
    with pytest.raises(ParameterError, match="processes"):
        TrainingSettings(processes=0)
