"""A bad setting is refused when it is made, in words that name the legal range."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

import marigram as mg
from marigram.online import EstimatorTable

REFUSED = [
    (mg.ClippedMean, {"step": 0.0}, r"step must lie in \(0, 1\]"),
    (mg.ClippedMean, {"step": 1.5}, r"step must lie in \(0, 1\]"),
    (mg.ClippedMean, {"step": True}, r"step must be a number in \(0, 1\]"),
    (mg.ClippedMean, {"step": "fast"}, "'constant', 'power', 'anytime', 'doubling', 'half-life'"),
    (mg.ClippedMean, {"step": "constant"}, "rate must be a number"),
    (mg.ClippedMean, {"step": 0.1, "rate": 0.1}, "given twice"),
    (mg.ClippedMean, {"step": "power"}, "horizon must be an integer"),
    (mg.ClippedMean, {"step": "power", "horizon": 0}, r"horizon must lie in \[1, "),
    (mg.ClippedMean, {"step": "power", "horizon": 10.0}, "horizon must be an integer"),
    (mg.ClippedMean, {"step": "half-life"}, "half_life must be a number"),
    (mg.ClippedMean, {"step": "half-life", "half_life": 0.1}, r"half_life must lie in \[0.5, 1e\+12\]"),
    (mg.ClippedMean, {"alpha": 0.0}, r"alpha must lie in \(0, 1\]"),
    (mg.ClippedMean, {"alpha": float("nan")}, "alpha must lie"),
    (mg.ClippedMean, {"half_life": 10}, "half_life= has no meaning for step='anytime'"),
    (mg.ClippedMean, {"clip": 0.0}, r"clip must lie in \[1e-300, 1e\+300\]"),
    (mg.ClippedMean, {"clip": "median"}, "clip must be one of 'quantile', '2G'"),
    (mg.ClippedMean, {"clip": "2G"}, "needs a diameter"),
    (mg.ClippedMean, {"clip": "2G", "diameter": 0.0}, r"diameter must lie in \[1e-100, 1e\+100\]"),
    (mg.ClippedMean, {"diameter": 3.0}, "diameter= has no meaning for clip='quantile'"),
    (mg.ClippedMean, {"step": "doubling", "horizon": 9}, "horizon= has no meaning for step='doubling'"),
    (mg.ClippedMean, {"ball": 1.0, "box": (0, 1)}, "give one of them"),
    (mg.ClippedMean, {"ball": 1.0, "start": 2.0}, r"start must lie in the region \[-1, 1\]"),
    (mg.ClippedMean, {"box": (1, 1)}, "low < high"),
    (mg.ClippedMean, {"box": 3.0}, "two numbers"),
    (mg.ClippedMean, {"box": (0, "1")}, r"box\[1\] must be a number"),
    (mg.ClippedScale, {"box": (-1, 1)}, "low at least 0"),
    (mg.StepEnsemble, {"clip": "2G"}, "needs a diameter"),
    (mg.ClippedLinear, {"clip": "2G", "diameter": 2.0}, "needs the smoothness"),
    (mg.ClippedLinear, {"box": (1.0, 2.0)}, r"start must lie in the region \[1, 2\]"),
    (mg.ClippedLogistic, {"mu": float("nan")}, "mu must lie"),
    (mg.ClippedLogistic, {"smoothness": "small"}, "'auto' or a number"),
    (mg.ClippedMean, {"tau": 0.3}, r"tau must lie in \[0.5, 0.999\]"),
    (mg.ClippedMean, {"start": float("inf")}, "start must lie in"),
    (mg.ClippedMean, {"start": [1.0]}, "start must be a number"),
    (mg.ClippedMean, {"ball": 0.0}, r"ball must lie in \(0, "),
    (mg.ClippedScale, {"centre": "mean"}, "centre must be a number"),
    (mg.ClippedScale, {"step": "anytime", "half_life": 3}, "has no meaning"),
    (mg.StepEnsemble, {"clip": None}, "clip must be 'quantile' or a number"),
    (mg.StepEnsemble, {"base": mg.ClippedScale}, "base must be ClippedMean"),
    (mg.StepEnsemble, {"tau": 1.0}, "tau must lie"),
    (mg.ClippedLinear, {"mu": -1.0}, r"mu must lie in \[0, "),
    (mg.ClippedLinear, {"smoothness": "large"}, "'auto' or a number"),
    (mg.ClippedLinear, {"smoothness": 0.0}, "smoothness must lie"),
    (mg.ClippedLinear, {"ball": -1.0}, "ball must lie"),
]


@pytest.mark.parametrize(("kind", "options", "says"), REFUSED, ids=str)
def test_refused(kind: type, options: dict, says: str) -> None:
    with pytest.raises(mg.ParameterError, match=says):
        kind(**options)


def test_parameters_are_frozen_and_plain() -> None:
    mean = mg.ClippedMean(step=np.float32(0.5), clip=np.int64(3), ball=np.float64(2))
    with pytest.raises(AttributeError):
        mean.parameters.start = 3.0
    assert (
        msgspec.json.decode(msgspec.json.encode(mean.parameters), type=type(mean.parameters))
        == mean.parameters
    )
    assert type(mean.parameters.clip.level) is float


def test_two_ways_to_say_one_step() -> None:
    assert mg.ClippedMean(step=0.1).parameters == mg.ClippedMean(step="constant", rate=0.1).parameters


@pytest.mark.parametrize("x", ["text", ["1", "2"], [[1.0, 2.0], [3.0]], 1j, [[[1.0]]], [], {"a": 1.0}])
def test_what_is_no_event_is_refused(x: object) -> None:
    with pytest.raises(mg.ParameterError):
        mg.ClippedMean().update(x)


@pytest.mark.parametrize("X", ["text", [["a"]], np.zeros((2, 2, 2)), np.zeros((3, 0)), 1j * np.ones(3)])
def test_what_are_no_events_is_refused(X: object) -> None:
    with pytest.raises(mg.ParameterError):
        mg.ClippedMean().update_many(X)


def test_a_value_of_another_length_is_refused_and_nothing_learned() -> None:
    mean = mg.ClippedMean().update([1.0, 2.0])
    for other in (1.0, [1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(mg.ParameterError, match="begun with 2"):
            mean.update(other)
        with pytest.raises(mg.ParameterError, match="begun with 2"):
            mean.score_one(other)
    with pytest.raises(mg.ParameterError):
        mean.update_many([1.0, 2.0])
    assert mean.n == 1


def test_features_and_targets_must_belong_together() -> None:
    linear = mg.ClippedLinear()
    for X, y in (
        (np.zeros((3, 2)), np.zeros(2)),
        (np.zeros((3, 2)), np.zeros((3, 1))),
        (np.zeros(3), np.zeros(3)),
    ):
        with pytest.raises(mg.ParameterError):
            linear.update_many(X, y)
    with pytest.raises(mg.ParameterError):
        linear.update([1.0, 2.0], "3")
    assert linear.n == 0


@pytest.mark.parametrize("slots", [[3], [-1], [0.0], [[0]], ["a"], [0, 1]])
def test_a_slot_that_is_not_there_is_refused(slots: list) -> None:
    table = EstimatorTable(mg.ClippedMean(), 3)
    with pytest.raises(mg.ParameterError, match="slots"):
        table.update(slots, [1.0])
    assert table.n.sum() == 0


def test_a_table_knows_what_it_learns_from() -> None:
    with pytest.raises(mg.ParameterError, match="values alone"):
        EstimatorTable(mg.ClippedMean(), 3).update([0], [1.0], [1.0])
    with pytest.raises(mg.ParameterError, match="X and y"):
        EstimatorTable(mg.ClippedLinear(), 3).update([0], [1.0])
    with pytest.raises(mg.ParameterError, match="d must lie"):
        EstimatorTable(mg.ClippedMean(), 3, 0)
    with pytest.raises(mg.ParameterError, match=r"\(n, 2\)"):
        EstimatorTable(mg.ClippedMean(), 3, 2).update([0], [1.0])
