"""The process: the streams without labels, the exact posterior with them, predictions left out as by leaving out."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bridge.loop.scenes import SCHEMA, events

from marigram.bridge import EntityStreams, graph_of
from marigram.bridge.loop.asking import questions
from marigram.bridge.loop.described import Described, described
from marigram.bridge.loop.process import Process, ProcessSettings, Scale
from marigram.bridge.loop.recent import recent
from marigram.bridge.loop.refit import left_out
from marigram.errors import ParameterError


@pytest.fixture(scope="module")
def scene() -> tuple[Described, np.ndarray, np.ndarray]:
    table, truth = events()
    verdicts = EntityStreams(SCHEMA).update(table)
    return described(graph_of(table, SCHEMA), SCHEMA.event, verdicts), verdicts["score"], truth


def fitted(scene: tuple[Described, np.ndarray, np.ndarray], rows: np.ndarray) -> tuple[Process, np.ndarray]:
    told, score, truth = scene
    scale = Scale.fit(told, score)
    prior = scale.prior(score)
    return Process.fit(scale, scale.placed(told.take(rows)), prior[rows], truth[rows]), prior


def test_without_labels_the_order_is_that_of_the_streams(
    scene: tuple[Described, np.ndarray, np.ndarray],
) -> None:
    told, score, _ = scene
    model, prior = fitted(scene, np.arange(0))
    logits = model.logits(model.scale.placed(told), prior)
    higher = score[:, None] > score[None]
    assert (logits[:, None] > logits[None])[higher].all()


def test_the_posterior_is_that_of_the_formula(scene: tuple[Described, np.ndarray, np.ndarray]) -> None:
    told, _, truth = scene
    rows = np.arange(3, 60, 4)
    model, prior = fitted(scene, rows)
    points = model.scale.placed(told)
    kernel = points.kernel(points, model.settings)
    among = kernel[np.ix_(rows, rows)] + model.settings.noise * np.eye(len(rows))
    target = np.where(truth[rows] == 1, 4.0, -4.0)
    slow = prior + kernel[:, rows] @ np.linalg.solve(among, target - prior[rows])
    np.testing.assert_allclose(model.logits(points, prior), slow, rtol=1e-6, atol=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-4


def test_predictions_left_out_are_those_of_models_without_the_label(
    scene: tuple[Described, np.ndarray, np.ndarray],
) -> None:
    told, _, truth = scene
    rows = np.arange(0, 70, 7)
    model, prior = fitted(scene, rows)
    for place, row in enumerate(rows):
        other, _ = fitted(scene, np.delete(rows, place))
        here = other.logits(other.scale.placed(told.take(np.array([row]))), prior[[row]])
        np.testing.assert_allclose(left_out(model, truth[rows])[place], here[0], rtol=1e-5, atol=1e-5)


def test_packed_and_unpacked_says_the_same(scene: tuple[Described, np.ndarray, np.ndarray]) -> None:
    model, prior = fitted(scene, np.arange(0, 50, 5))
    again = Process.unpacked(*model.packed())
    points = model.scale.placed(scene[0])
    np.testing.assert_array_equal(
        model.logits(points, prior), again.logits(again.scale.placed(scene[0]), prior)
    )


def test_questions_are_of_new_events_none_twice(scene: tuple[Described, np.ndarray, np.ndarray]) -> None:
    rows = np.arange(0, 50, 5)
    model, prior = fitted(scene, rows)
    points = model.scale.placed(scene[0])
    found = [one.event for one in questions(model, points, model.logits(points, prior), rows, count=12)]
    assert len(set(found)) == 12
    assert not set(found) & set(rows.tolist())


def test_questions_are_the_ones_that_take_most_from_the_variance_of_all(
    scene: tuple[Described, np.ndarray, np.ndarray],
) -> None:
    rows = np.arange(0, 50, 5)
    model, prior = fitted(scene, rows)
    points = model.scale.placed(scene[0])
    first, second = questions(model, points, model.logits(points, prior), rows, count=2)
    kernel, noise = points.kernel(points, model.settings), model.settings.noise

    def total(known: list[int]) -> float:
        among = kernel[np.ix_(known, known)] + noise * np.eye(len(known))
        left = kernel - kernel[:, known] @ np.linalg.solve(among, kernel[known])
        return float(np.diag(left).sum())

    told, free = rows.tolist(), [row for row in range(len(points)) if row not in rows]
    for question in (first, second):
        falls = np.array([total(told) - total([*told, row]) for row in free])
        assert free[int(np.argmax(falls))] == question.event
        assert question.gain == pytest.approx(falls.max(), rel=1e-3)
        told.append(question.event)


def test_of_many_events_the_top_alerts_are_looked_at(
    scene: tuple[Described, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marigram.bridge.loop.asking.POOL", 20)
    model, prior = fitted(scene, np.arange(0))
    points = model.scale.placed(scene[0])
    top = np.arange(30, 36)
    asked = questions(model, points, prior, np.arange(0), count=20, top=top)
    assert set(top.tolist()) < {question.event for question in asked}
    assert len(asked) == 20


def test_a_version_of_before_there_was_a_power_says_what_it_said(
    scene: tuple[Described, np.ndarray, np.ndarray],
) -> None:
    meta, arrays = fitted(scene, np.arange(0, 50, 5))[0].packed()
    assert meta["settings"].pop("power") == 3
    assert Process.unpacked(meta, arrays).settings.power == 1


def test_counts_of_the_recent_past_are_those_of_a_slow_count() -> None:
    rng = np.random.default_rng(4)
    time = np.sort(rng.integers(0, 5000, 120))
    codes = {"user": rng.integers(-1, 4, 120), "ip": rng.integers(0, 3, 120)}
    names, x = recent(codes, time)
    spread = time[-1] - time[0]
    for column, (name, share) in (
        (names.index(f"user in the last {s:.1%} of the time"), ("user", s)) for s in (0.1,)
    ):
        for row in range(120):
            if codes[name][row] < 0:
                assert np.isnan(x[row, column])
                continue
            near = (codes[name][:row] == codes[name][row]) & (
                time[row] - time[:row] < share * spread * (1 - 1e-9)
            )
            edge = (codes[name][:row] == codes[name][row]) & (
                time[row] - time[:row] <= share * spread * (1 + 1e-9)
            )
            assert np.log1p(near.sum()) - 1e-6 <= x[row, column] <= np.log1p(edge.sum()) + 1e-6


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ParameterError, match="length"):
        ProcessSettings(length=0.0)
    with pytest.raises(ParameterError, match="base"):
        ProcessSettings(base=1.5)
    with pytest.raises(ParameterError, match="power"):
        ProcessSettings(power=0)
